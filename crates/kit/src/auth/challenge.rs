//! How a refused client learns where to get a token: the challenge in `WWW-Authenticate` (RFC 6750, 3) and the
//! protected-resource document it points to (RFC 9728).

use std::fmt::Write;

use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Value, json};
use url::Url;

use crate::{Code, ToolError};

/// The path of the document, to which the resource's own path is added (RFC 9728, 3.1).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The address under which a client knows this server. What the client itself says of it is good enough: it is told
/// to nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    origin: String,
    /// Without a slash at its end.
    prefix: String,
}

impl Resource {
    /// As the operator says it is (`--public-url`).
    pub fn public(url: &Url) -> Self {
        Self {
            origin: url.origin().ascii_serialization(),
            prefix: url.path().trim_end_matches('/').to_owned(),
        }
    }

    /// As a request names it; `scheme` is how it came. `None` when it names no host that can be read.
    pub fn asked(scheme: &str, named: Option<&Authority>, headers: &HeaderMap) -> Option<Self> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let forwarded: Option<Authority> = text(&X_FORWARDED_HOST).and_then(|host| host.parse().ok());
        let (scheme, host, prefix) = match forwarded {
            Some(host) => {
                let scheme = text(&X_FORWARDED_PROTO).filter(|it| matches!(*it, "http" | "https"));
                let prefix = text(&X_FORWARDED_PREFIX).filter(|it| is_plain_path(it));
                (scheme.unwrap_or("http"), host, prefix.unwrap_or_default())
            }
            None => (scheme, named.cloned().or_else(|| text(&header::HOST)?.parse().ok())?, ""),
        };
        (!host.as_str().contains('@')).then(|| Self {
            origin: format!("{scheme}://{host}"),
            prefix: prefix.trim_end_matches('/').into(),
        })
    }

    /// The resource's identifier: the address of `/mcp`.
    pub fn identifier(&self) -> String {
        format!("{}{}/mcp", self.origin, self.prefix)
    }

    /// Where its document is.
    pub fn metadata(&self) -> String {
        format!("{}{WELL_KNOWN}{}/mcp", self.origin, self.prefix)
    }
}

/// It ends up between quotes.
fn is_plain_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"/-_.~%".contains(&it))
}

/// The document for a resource.
pub(super) fn document(resource: &Resource, issuer: &str, scopes: &[&str]) -> Value {
    json!({
        "resource": resource.identifier(),
        "authorization_servers": [issuer],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
    })
}

/// The challenge for a refusal; `None` where none belongs. `metadata` is where the document is, if there is one.
pub(super) fn challenge(error: &ToolError, metadata: Option<&str>) -> Option<HeaderValue> {
    let detail = |name: &str| error.details.get(name).and_then(Value::as_str);
    let reason = detail("reason").filter(|it| matches!(*it, "invalid_token" | "insufficient_scope"));
    if error.code != Code::AuthenticationError && reason != Some("insufficient_scope") {
        return None;
    }
    let mut text = "Bearer realm=\"gantry\"".to_owned();
    if let Some(reason) = reason {
        let message = error.message.replace(['"', '\\'], "'");
        let _infallible = write!(text, ", error=\"{reason}\", error_description=\"{message}\"");
    }
    if let Some(scope) = detail("scope") {
        let _infallible = write!(text, ", scope=\"{scope}\"");
    }
    if let Some(metadata) = metadata {
        let _infallible = write!(text, ", resource_metadata=\"{metadata}\"");
    }
    HeaderValue::try_from(text).ok().or(Some(HeaderValue::from_static("Bearer realm=\"gantry\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Option<Resource> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(HeaderName::try_from(*name).expect("name"), value.parse().expect("value"));
        }
        Resource::asked("http", None, &headers)
    }

    #[test]
    fn a_resource_is_where_the_client_sees_it() {
        let direct = asked(&[("host", "localhost:8002")]).expect("a host");
        assert_eq!(direct.identifier(), "http://localhost:8002/mcp");
        assert_eq!(direct.metadata(), "http://localhost:8002/.well-known/oauth-protected-resource/mcp");
        let edge = [
            ("host", "10.0.0.7:8002"),
            ("x-forwarded-host", "edge.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-prefix", "/alpha"),
        ];
        let edge = asked(&edge).expect("a host");
        assert_eq!(edge.identifier(), "https://edge.example/alpha/mcp");
        assert_eq!(edge.metadata(), "https://edge.example/.well-known/oauth-protected-resource/alpha/mcp");
        assert_eq!(edge, Resource::public(&"https://edge.example/alpha/".parse().expect("url")));
    }

    #[test]
    fn nothing_strange_gets_into_a_challenge() {
        assert_eq!(asked(&[("host", "a\"b")]), None);
        assert_eq!(asked(&[("host", "a@b")]), None);
        let edge = asked(&[("x-forwarded-host", "a"), ("x-forwarded-prefix", "/\", x=\"")]).expect("host");
        assert_eq!(edge.identifier(), "http://a/mcp");
    }

    #[test]
    fn a_challenge_says_why_and_where() {
        let invalid = super::super::oidc::invalid("the token has \"expired\"");
        let value = challenge(&invalid, Some("http://a/m")).expect("a challenge");
        let expected = "Bearer realm=\"gantry\", error=\"invalid_token\", \
                        error_description=\"the token has 'expired'\", resource_metadata=\"http://a/m\"";
        assert_eq!(value, expected);
        let scope =
            ToolError::new(Code::Forbidden, "no").with("reason", "insufficient_scope").with("scope", "a b");
        let value = challenge(&scope, None).expect("a challenge");
        assert!(value.to_str().expect("text").ends_with(", scope=\"a b\""), "{value:?}");
        assert_eq!(challenge(&ToolError::new(Code::Forbidden, "host"), None), None);
    }
}
