//! Which hosts a load test may be aimed at.

use glob::Pattern;
use reqwest::Url;

use super::Error;

/// The operator's list. Empty allows every host.
#[derive(Debug)]
pub(super) struct Targets {
    listed: Vec<Pattern>,
}

impl Targets {
    /// `*` is the only wildcard; a pattern is compared with the host alone and with `host:port`.
    pub(super) fn new(patterns: &[String]) -> anyhow::Result<Self> {
        let pattern = |text: &String| {
            Pattern::new(&Pattern::escape(&text.trim().to_ascii_lowercase()).replace("[*]", "*"))
        };
        Ok(Self { listed: patterns.iter().map(pattern).collect::<Result<_, _>>()? })
    }

    /// Whether the operator named targets at all.
    pub(super) fn is_limited(&self) -> bool {
        !self.listed.is_empty()
    }

    /// Checks the host argument and returns it as Locust is to get it.
    pub(super) fn check(&self, host: &str) -> Result<String, Error> {
        let invalid = |message: &str| Error::Invalid { field: "host", message: message.to_owned() };
        let url: Url =
            host.parse().map_err(|_| invalid("host must be a URL such as https://shop.example"))?;
        let Some(name) = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")) else {
            return Err(invalid("host must be an http or https URL"));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("host must not carry credentials"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("host must not carry a query or fragment"));
        }
        let target = format!("{name}:{}", url.port_or_known_default().unwrap_or_default());
        let listed = self.listed.iter().any(|pattern| pattern.matches(name) || pattern.matches(&target));
        if self.is_limited() && !listed {
            return Err(Error::Target { target });
        }
        // Locust puts a task's path straight behind it.
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &[&str], host: &str) -> Result<String, Error> {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.into()).collect();
        Targets::new(&patterns).unwrap().check(host)
    }

    #[test]
    fn without_a_list_any_web_host_goes() {
        assert_eq!(check(&[], "https://shop.example/").unwrap(), "https://shop.example");
        assert_eq!(check(&[], "http://127.0.0.1:8080/base/").unwrap(), "http://127.0.0.1:8080/base");
    }

    #[test]
    fn what_is_not_a_web_host_is_refused() {
        for host in [
            "",
            "shop",
            "ftp://shop.example",
            "http://u:p@shop.example",
            "http://shop.example/?q",
            "http:///x y",
        ] {
            assert!(matches!(check(&[], host), Err(Error::Invalid { field: "host", .. })), "{host}");
        }
    }

    #[test]
    fn the_list_is_compared_with_the_host_and_not_with_the_text() {
        let list = ["*.staging.example", "127.0.0.1:8080", "[::1]"];
        for host in [
            "https://a.STAGING.example",
            "http://127.0.0.1:8080",
            "http://[::1]:9",
            "http://a.b.staging.example:1",
        ] {
            assert!(check(&list, host).is_ok(), "{host}");
        }
        for host in [
            "https://staging.example.evil.example",
            "http://127.0.0.1:8081",
            "http://127.0.0.1",
            "http://evil.example/a.staging.example",
            "http://evil.example:80",
        ] {
            assert!(matches!(check(&list, host), Err(Error::Target { .. })), "{host}");
        }
    }
}
