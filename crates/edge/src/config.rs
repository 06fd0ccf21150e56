//! The fleet file: what it may say, and errors that name its line and field.

use std::collections::HashMap;
use std::ops::Range;

use http::Uri;
use http::uri::{Authority, Scheme};
use serde::Deserialize;
use toml::Spanned;

/// First path segments that the edge answers itself, now or later.
const RESERVED: [&str; 3] = ["health", "metrics", "version"];

/// Most replicas of one server: as many as a word has bits, which is how those tried are noted.
const MAX_REPLICAS: usize = 64;

/// One server as the file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) slug: String,
    /// Its replicas, at least one.
    pub(crate) urls: Vec<Url>,
    /// Whether callers may send it their own credential for its upstream.
    pub(crate) upstream_authorization: bool,
}

/// Where a server is: `http://host[:port][/base]`, or the same with `https`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) tls: bool,
    pub(crate) authority: Authority,
    /// Without a slash at the end: empty, or begins with one.
    pub(crate) base: String,
}

impl Url {
    /// The host to connect to, an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    pub(crate) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.tls { 443 } else { 80 })
    }
}

/// What is wrong with the file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub(crate) struct Error {
    line: usize,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    server: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    slug: Spanned<String>,
    url: Option<Spanned<String>>,
    urls: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    upstream_authorization: bool,
}

/// Reads a fleet file's text.
pub(crate) fn parse(text: &str) -> Result<Vec<Server>, Error> {
    let at = |span: Range<usize>, message: String| {
        let before = text.get(..span.start).unwrap_or(text);
        Error { line: before.matches('\n').count() + 1, message }
    };
    let file: File = toml::from_str(text)
        .map_err(|error| at(error.span().unwrap_or_default(), error.message().to_owned()))?;
    if file.server.is_empty() {
        // A file cut off while it is written looks like this; no one means it.
        return Err(at(0..0, "server: at least one [[server]] table is needed".into()));
    }
    let mut seen = HashMap::new();
    file.server
        .into_iter()
        .enumerate()
        .map(|(index, table)| {
            let wrong =
                |Wrong { field, span, message }| at(span, format!("server[{index}].{field}: {message}"));
            let span = table.slug.span();
            let server = server(table).map_err(wrong)?;
            let line = at(span.clone(), String::new()).line;
            if let Some(first) = seen.insert(server.slug.clone(), line) {
                let message = format!("{:?} is already the slug of line {first}", server.slug);
                return Err(wrong(Wrong { field: "slug", span, message }));
            }
            Ok(server)
        })
        .collect()
}

/// What is wrong with a field of a table, and where.
struct Wrong {
    field: &'static str,
    span: Range<usize>,
    message: String,
}

fn server(table: Table) -> Result<Server, Wrong> {
    let wrong = |field, span, message: &str| Wrong { field, span, message: message.to_owned() };
    let span = table.slug.span();
    check_slug(table.slug.get_ref()).map_err(|message| wrong("slug", span.clone(), &message))?;
    let (field, urls) = match (table.url, table.urls) {
        (Some(url), None) => ("url", vec![url]),
        (None, Some(urls)) => {
            let span = urls.span();
            let urls = urls.into_inner();
            if urls.is_empty() || urls.len() > MAX_REPLICAS {
                return Err(wrong("urls", span, &format!("must be 1 to {MAX_REPLICAS} addresses")));
            }
            ("urls", urls)
        }
        (None, None) => return Err(wrong("url", span, "the address is missing; several go in urls = [...]")),
        (Some(url), Some(_)) => {
            return Err(wrong("url", url.span(), "there is urls, too; one of them is enough"));
        }
    };
    let mut parsed = Vec::with_capacity(urls.len());
    for url in urls {
        let one = parse_url(url.get_ref()).map_err(|message| wrong(field, url.span(), &message))?;
        if parsed.contains(&one) {
            return Err(wrong(field, url.span(), "the same address twice"));
        }
        parsed.push(one);
    }
    let upstream_authorization = table.upstream_authorization;
    Ok(Server { slug: table.slug.into_inner(), urls: parsed, upstream_authorization })
}

fn check_slug(slug: &str) -> Result<(), String> {
    let legal = !slug.is_empty()
        && slug.len() <= 63
        && slug.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
    if !legal {
        return Err(format!(
            "{slug:?} must be 1 to 63 lower-case letters and digits, with single hyphens between them"
        ));
    }
    if RESERVED.contains(&slug) {
        return Err(format!("{slug:?} is a route of the edge itself"));
    }
    Ok(())
}

fn parse_url(url: &str) -> Result<Url, String> {
    // The address is not repeated: it could hold a password.
    let wrong = |why: &str| format!("must be http://HOST:PORT[/BASE] or https://…: {why}");
    if url.contains('#') {
        return Err(wrong("it has a fragment"));
    }
    let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
        return Err(wrong("it names no scheme or no host"));
    };
    if ![Scheme::HTTP, Scheme::HTTPS].contains(scheme) {
        return Err(wrong("nothing else is spoken to servers"));
    }
    if authority.as_str().contains('@') {
        return Err(wrong("it has a user name"));
    }
    // `authority.port()` is also `None` for a port that is no number.
    let name = authority.host();
    let port = authority.as_str().strip_prefix(name).unwrap_or_default();
    if name.is_empty() || !(port.is_empty() || authority.port_u16().is_some_and(|port| port > 0)) {
        return Err(wrong("it names no host or no usable port"));
    }
    if uri.query().is_some() {
        return Err(wrong("it has a query"));
    }
    let base = uri.path().trim_end_matches('/');
    if crate::path::climbs(base) {
        return Err(wrong("its path climbs above the root"));
    }
    let tls = *scheme == Scheme::HTTPS;
    Ok(Url { tls, authority: authority.clone(), base: base.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn reads_slugs_and_urls() {
        let servers = parse(
            "[[server]]\nslug = 'alpha'\nurl = 'http://127.0.0.1:8001'\n\
             [[server]]\nslug = 'be-ta2'\nurl = 'http://[::1]:8002/base/'\n\
             [[server]]\nslug = 'c'\nurls = ['http://c.example', 'https://d.example']",
        )
        .expect("legal");
        let facts: Vec<_> = servers
            .iter()
            .flat_map(|it| {
                it.urls.iter().map(|url| (it.slug.as_str(), url.host(), url.port(), url.base.as_str()))
            })
            .collect();
        assert_eq!(
            facts,
            [
                ("alpha", "127.0.0.1", 8001, ""),
                ("be-ta2", "::1", 8002, "/base"),
                ("c", "c.example", 80, ""),
                ("c", "d.example", 443, "")
            ]
        );
    }

    #[test]
    fn names_line_and_field() {
        let two = |slug: &str, url: &str| {
            format!(
                "[[server]]\nslug = 'a'\nurl = 'http://h:1'\n\n[[server]]\nslug = '{slug}'\nurl = '{url}'\n"
            )
        };
        for slug in ["", "A", "a_b", "-a", "a-", "a--b", "a/b", "a.b", "ä", "health", "version", "metrics"] {
            let error = error(&two(slug, "http://h:1"));
            assert!(error.starts_with("line 6: server[1].slug: "), "{slug}: {error}");
        }
        for url in [
            "",
            "h:1",
            "/x",
            "ftp://h",
            "http://",
            "http://u:secret@h:1",
            "http://h:1?x",
            "http://h:1#x",
            "http://h:99999",
            "http://h:0",
            "http://h:",
            "http://h:1/a/../..",
            "http://h h",
        ] {
            let error = error(&two("b", url));
            assert!(error.starts_with("line 7: server[1].url: "), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let error = error(&two("a", "http://h:1"));
        assert_eq!(error, "line 6: server[1].slug: \"a\" is already the slug of line 2");
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let unknown = error("[[server]]\nslug = 'a'\nurl = 'http://h'\nretries = 3");
        assert!(unknown.starts_with("line 4: ") && unknown.contains("retries"), "{unknown}");
        let top = error("listen = 1");
        assert!(top.starts_with("line 1: ") && top.contains("listen"), "{top}");
        let missing = error("\n[[server]]\nslug = 'a'");
        assert!(missing.starts_with("line 3: server[0].url: "), "{missing}");
        for (urls, part) in [
            ("urls = []", "1 to 64"),
            ("urls = ['http://h', 'http://h/']", "twice"),
            ("urls = ['http://h']\nurl = 'http://h'", "one of them"),
            ("urls = ['http://h',\n'ftp://h']", "must be http"),
            ("urls = 'http://h'", "expected"),
        ] {
            let error = error(&format!("[[server]]\nslug = 'a'\n{urls}"));
            assert!(error.starts_with("line 3: ") || error.starts_with("line 4: "), "{error}");
            assert!(error.contains(part), "{error}");
        }
        assert!(error("").contains("at least one [[server]]"));
        assert!(error("[[server]\n").starts_with("line 1: "));
        assert!(error("[[server]]\nslug = 3\nurl = 'http://h'").starts_with("line 2: "));
    }
}
