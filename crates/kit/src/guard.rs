//! Refuses DNS rebinding: which `Host` and `Origin` a request may name.

use http::{HeaderMap, Uri, header, uri::Authority};

use crate::{Code, ToolError};

/// The hosts and origins a request may name. Loopback is always among them.
///
/// An origin is allowed when it is listed, or when its host is an allowed host (then the page came from us).
#[derive(Debug, Clone, Default)]
pub struct Guard {
    any_host: bool,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Guard {
    /// `hosts` are `name` (any port) or `name:port`, with `*.` in front for every name one label below; `origins` are
    /// `scheme://name[:port]`. `*` allows all.
    pub fn new(hosts: impl IntoIterator<Item = String>, origins: impl IntoIterator<Item = String>) -> Self {
        let lower = |text: String| text.trim().trim_end_matches('/').to_ascii_lowercase();
        let hosts: Vec<String> = hosts.into_iter().map(lower).collect();
        let any_host = hosts.iter().any(|host| host == "*");
        Self { any_host, hosts, origins: origins.into_iter().map(lower).collect() }
    }

    /// Checks one request.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` when no host is named or it cannot be read; `FORBIDDEN` when it is not allowed.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), ToolError> {
        if headers.get_all(header::HOST).iter().count() > 1 {
            return Err(ToolError::new(Code::ValidationError, "more than one Host header"));
        }
        if cross_site(headers) {
            return Err(ToolError::new(Code::Forbidden, "requests of other sites' pages are not allowed"));
        }
        // A target that names a host has the last word on it (RFC 9112, 3.2.2).
        if let Some(host) = uri.authority() {
            return self.host(host).and_then(|()| self.origin(headers));
        }
        match headers.get(header::HOST).map(|host| host.to_str().map(str::parse::<Authority>)) {
            Some(Ok(Ok(host))) => self.host(&host)?,
            Some(_) => return Err(ToolError::new(Code::ValidationError, "unreadable Host header")),
            None => return Err(ToolError::new(Code::ValidationError, "no Host header")),
        }
        self.origin(headers)
    }

    fn origin(&self, headers: &HeaderMap) -> Result<(), ToolError> {
        headers.get_all(header::ORIGIN).iter().try_for_each(|origin| {
            let origin = origin.to_str().unwrap_or_default();
            if self.allows_origin(origin) { Ok(()) } else { Err(refused("Origin", "--allowed-origins")) }
        })
    }

    fn host(&self, host: &Authority) -> Result<(), ToolError> {
        if host.as_str().contains('@') {
            return Err(ToolError::new(Code::ValidationError, "a Host holds no user"));
        }
        if self.any_host || self.allows_host(host.as_str(), host.host()) {
            Ok(())
        } else {
            Err(refused("Host", "--allowed-hosts"))
        }
    }

    fn allows_host(&self, authority: &str, name: &str) -> bool {
        is_loopback(name)
            || self.hosts.iter().any(|host| match host.strip_prefix("*.") {
                Some(parent) => is_child(name, parent) || is_child(authority, parent),
                None => host.eq_ignore_ascii_case(name) || host.eq_ignore_ascii_case(authority),
            })
    }

    fn allows_origin(&self, origin: &str) -> bool {
        if self.origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let Ok(uri) = origin.parse::<Uri>() else { return false };
        match (uri.scheme(), uri.authority()) {
            (Some(scheme), Some(host)) if matches!(scheme.as_str(), "http" | "https") => {
                self.allows_host(host.as_str(), host.host())
            }
            _ => false,
        }
    }
}

/// A page of another site that loads us as an image or a script sends no origin, but browsers say so here. A
/// link that somebody follows is no such request.
fn cross_site(headers: &HeaderMap) -> bool {
    let said = |name, value: &str| headers.get(name).is_some_and(|it| it == value);
    !headers.contains_key(header::ORIGIN)
        && said("sec-fetch-site", "cross-site")
        && !said("sec-fetch-mode", "navigate")
}

/// Whether `name` is one label and then `parent`.
fn is_child(name: &str, parent: &str) -> bool {
    name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent))
}

/// Names below `localhost` are never looked up elsewhere (RFC 6761, 6.3).
fn is_loopback(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || is_child(name, "localhost")
        || name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn refused(header: &str, setting: &str) -> ToolError {
    ToolError::new(Code::Forbidden, format!("this {header} is not allowed; add it with {setting}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(guard: &Guard, host: &str, origin: Option<&str>) -> Option<Code> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("host"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("origin"));
        }
        guard.check(&Uri::from_static("/mcp"), &headers).err().map(|error| error.code)
    }

    #[test]
    fn loopback_only_by_default() {
        let guard = Guard::default();
        for host in ["localhost", "localhost:8002", "127.0.0.1:1", "[::1]:8002", "LOCALHOST"] {
            assert_eq!(check(&guard, host, None), None, "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1"] {
            assert_eq!(check(&guard, host, None), Some(Code::Forbidden), "{host}");
        }
    }

    #[test]
    fn a_star_stands_for_one_label() {
        let guard = Guard::new(["*.Gantry.example".to_owned(), "*.other.example:8080".to_owned()], []);
        for host in
            ["alpha.gantry.example", "ALPHA.gantry.example:1", "b.other.example:8080", "alpha.localhost:1"]
        {
            assert_eq!(check(&guard, host, None), None, "{host}");
        }
        for host in [
            "gantry.example",
            ".gantry.example",
            "a.b.gantry.example",
            "evilgantry.example",
            "b.other.example:1",
        ] {
            assert!(check(&guard, host, None).is_some(), "{host}");
        }
    }

    #[test]
    fn origins_follow_hosts() {
        let guard = Guard::new(["ops.example".to_owned()], ["https://console.example".to_owned()]);
        for origin in ["http://localhost:3000", "https://ops.example", "https://console.example"] {
            assert_eq!(check(&guard, "ops.example", Some(origin)), None, "{origin}");
        }
        for origin in ["https://evil.example", "null", "", "file://"] {
            assert_eq!(check(&guard, "localhost", Some(origin)), Some(Code::Forbidden), "{origin}");
        }
    }

    #[test]
    fn any_host_does_not_mean_any_origin() {
        let guard = Guard::new(["*".to_owned()], []);
        assert_eq!(check(&guard, "anything.example", None), None);
        assert_eq!(check(&guard, "anything.example", Some("https://evil.example")), Some(Code::Forbidden));
    }

    #[test]
    fn nothing_named_is_refused() {
        let error =
            Guard::default().check(&Uri::from_static("/mcp"), &HeaderMap::new()).expect_err("no host");
        assert_eq!(error.code, Code::ValidationError);
    }
}
