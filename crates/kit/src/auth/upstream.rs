//! As whom a tool goes to the upstream: the one source of that credential (`--upstream-auth`), and the name under
//! which limits, sessions and the audit tell callers apart that share a key but not a credential.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, ValueEnum};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::credential::{Fingerprint, refuse};
use super::{Admission, AuthArgs, AuthMode, Principal, Subject, hex};
use crate::ToolError;
use crate::http::Authorities;

mod exchange;

use exchange::Exchange;

/// The header with the caller's own credential for the upstream, kept whole, as `Authorization` will have it.
pub const HEADER: HeaderName = HeaderName::from_static("x-upstream-authorization");

/// A source of the credential for the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UpstreamAuth {
    /// The server's own setting
    Own,
    /// The caller's, from its X-Upstream-Authorization header
    Caller,
    /// A token that --exchange-url gives for the caller's (RFC 8693)
    Exchange,
    /// The server's own, acting as the caller
    Impersonate,
}

/// The settings of the credential for the upstream.
#[derive(Clone, Args)]
#[command(next_help_heading = "Upstreams")]
pub struct UpstreamArgs {
    /// With whose credential tools go to the upstream; not every server can do each
    #[arg(long, env = "GANTRY_UPSTREAM_AUTH", value_enum, default_value = "own")]
    pub(crate) upstream_auth: UpstreamAuth,

    /// The token endpoint that exchanges callers' tokens
    #[arg(long, env = "GANTRY_EXCHANGE_URL", value_name = "URL")]
    exchange_url: Option<Url>,

    /// This server's client id there
    #[arg(long, env = "GANTRY_EXCHANGE_CLIENT_ID", value_name = "ID")]
    exchange_client_id: Option<String>,

    /// File with this server's client secret there; read for each exchange
    #[arg(long, env = "GANTRY_EXCHANGE_CLIENT_SECRET_FILE", value_name = "FILE")]
    exchange_client_secret_file: Option<PathBuf>,

    /// Whom the tokens are to be for: the upstream
    #[arg(long, env = "GANTRY_EXCHANGE_AUDIENCE", value_name = "AUDIENCE")]
    exchange_audience: Option<String>,

    /// What the tokens are to be good for, separated by spaces
    #[arg(long, env = "GANTRY_EXCHANGE_SCOPE", value_name = "SCOPES")]
    exchange_scope: Option<String>,
}

/// As whom a call goes to the upstream.
#[derive(Debug, Clone, Default)]
pub enum Upstream {
    /// As the server itself.
    #[default]
    Own,
    /// As the caller, with a credential of the caller's.
    Caller(UpstreamCredential),
    /// As the server, which says that it acts for this caller.
    Impersonate(Arc<Subject>),
}

impl Upstream {
    /// The caller's credential, if the call goes with one.
    pub fn credential(&self) -> Option<&UpstreamCredential> {
        match self {
            Self::Caller(credential) => Some(credential),
            Self::Own | Self::Impersonate(_) => None,
        }
    }

    /// What clients and caches of upstream data must be kept apart by: the same for two calls only if the upstream
    /// cannot tell their callers apart.
    pub fn key(&self) -> String {
        match self {
            Self::Own => "own".to_owned(),
            Self::Caller(credential) => format!("caller:{}", hex(&credential.0.fingerprint)),
            Self::Impersonate(subject) => {
                // As JSON, so that no name can look like another with its groups.
                format!("impersonate:{}", serde_json::json!([subject.name, subject.groups]))
            }
        }
    }
}

/// A credential for the upstream that is the caller's own. Never printed.
#[derive(Clone)]
pub struct UpstreamCredential(Arc<Secret>);

struct Secret {
    authorization: HeaderValue,
    fingerprint: Fingerprint,
}

impl UpstreamCredential {
    /// One credential is one, however its scheme and the space behind it are written (RFC 9110, 11.1): limits are kept
    /// by it.
    fn new(mut authorization: HeaderValue) -> Self {
        authorization.set_sensitive(true);
        let bytes = authorization.as_bytes().trim_ascii();
        let scheme = bytes.iter().position(u8::is_ascii_whitespace).unwrap_or(bytes.len());
        let (scheme, rest) = bytes.split_at(scheme);
        let same = [&scheme.to_ascii_lowercase(), &b" "[..], rest.trim_ascii()].concat();
        let fingerprint = super::credential::fingerprint(same);
        Self(Arc::new(Secret { authorization, fingerprint }))
    }

    /// `None` for a token that cannot stand in a header.
    pub(super) fn bearer(token: &str) -> Option<Self> {
        HeaderValue::try_from(format!("Bearer {token}")).ok().map(Self::new)
    }

    /// The value of the `Authorization` header towards the upstream, and of nothing else.
    pub fn authorization(&self) -> &HeaderValue {
        &self.0.authorization
    }

    /// The token alone, where it is a bearer token: for clients that take no header.
    pub fn token(&self) -> Option<&str> {
        let (scheme, token) = self.0.authorization.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }
}

impl std::fmt::Debug for UpstreamCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpstreamCredential(…)")
    }
}

/// Gives each request its identity towards the upstream.
pub(crate) enum Source {
    Own,
    /// `--auth upstream`: what proved the caller is the credential.
    Bearer,
    Header,
    Exchange(Exchange),
    Impersonate,
}

impl Source {
    /// Reads the settings; `able` is what the server can do.
    ///
    /// # Errors
    /// For settings that cannot be, by their names.
    pub(crate) fn new(
        args: &UpstreamArgs,
        auth: &AuthArgs,
        able: &[UpstreamAuth],
        authorities: &Authorities,
    ) -> anyhow::Result<Self> {
        let setting = "--upstream-auth (GANTRY_UPSTREAM_AUTH)";
        let (wanted, bearer) = (args.upstream_auth, auth.auth.contains(&AuthMode::Upstream));
        if bearer && wanted != UpstreamAuth::Own {
            bail!("{setting}: --auth upstream says already that the caller's token is the upstream's");
        }
        if args.exchange_url.is_some() && wanted != UpstreamAuth::Exchange {
            bail!("--exchange-url (GANTRY_EXCHANGE_URL) without --upstream-auth exchange would mean nothing");
        }
        if !able.contains(&wanted) {
            let names = able.iter().filter_map(ValueEnum::to_possible_value);
            let names: Vec<_> = names.map(|value| value.get_name().to_owned()).collect();
            bail!("{setting}: this server can only be {}", names.join(", "));
        }
        Ok(match wanted {
            UpstreamAuth::Own if bearer => Self::Bearer,
            UpstreamAuth::Own => Self::Own,
            UpstreamAuth::Caller => Self::Header,
            UpstreamAuth::Impersonate => Self::Impersonate,
            UpstreamAuth::Exchange => {
                if !auth.auth.iter().any(|mode| matches!(mode, AuthMode::Oidc | AuthMode::Kubernetes)) {
                    bail!("{setting}: there are only tokens to exchange under --auth oidc or kubernetes");
                }
                Self::Exchange(Exchange::new(args, authorities)?)
            }
        })
    }

    /// Whether every call goes to the upstream as the server itself.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Own)
    }

    /// The caller, under a name that tells it from others with the same key, and as whom its calls go on. Takes the
    /// credential out of the headers.
    ///
    /// # Errors
    /// `AUTHENTICATION_ERROR` when the caller brought none; `SERVICE_ERROR` when it cannot be exchanged now.
    pub(crate) async fn identify(
        &self,
        admission: Admission,
        headers: &mut HeaderMap,
    ) -> Result<(Principal, Upstream), ToolError> {
        let Admission { mut principal, token } = admission;
        let brought = take(headers);
        let upstream = match self {
            Self::Own => Upstream::Own,
            Self::Bearer => {
                Upstream::Caller(token.ok_or_else(|| refuse("no token for the upstream came along"))?)
            }
            Self::Header => {
                let credential = brought?.ok_or_else(|| {
                    refuse("send your own credential for the upstream as `X-Upstream-Authorization: Bearer TOKEN`")
                })?;
                // Whoever shares the key but not the credential is somebody else.
                let digest = hex(&credential.0.fingerprint[..16]);
                principal.name = format!("{}+upstream:{digest}", principal.name).into();
                Upstream::Caller(credential)
            }
            Self::Exchange(exchange) => {
                let subject = token.ok_or_else(|| {
                    refuse("only callers with a token of their own reach the upstream: neither a key nor the word of an edge can be exchanged")
                })?;
                // Boxed, so that other calls carry no room for it.
                Upstream::Caller(Box::pin(exchange.exchange(&subject)).await?)
            }
            Self::Impersonate => {
                Upstream::Impersonate(principal.subject.clone().unwrap_or_else(|| {
                    Arc::new(Subject { name: principal.name.to_string(), groups: vec![] })
                }))
            }
        };
        Ok((principal, upstream))
    }
}

/// Takes the header out, whether or not it is wanted here.
fn take(headers: &mut HeaderMap) -> Result<Option<UpstreamCredential>, ToolError> {
    if !headers.contains_key(HEADER) {
        return Ok(None);
    }
    let several = headers.get_all(HEADER).iter().count() > 1;
    let value = headers.remove(HEADER).filter(|value| !value.as_bytes().trim_ascii().is_empty());
    if several {
        return Err(refuse("send one X-Upstream-Authorization, not several"));
    }
    Ok(value.map(UpstreamCredential::new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Role;

    async fn identify(source: &Source, pairs: &[&'static str]) -> Result<(Principal, Upstream), ToolError> {
        let mut headers = HeaderMap::new();
        for value in pairs {
            headers.append(HEADER, HeaderValue::from_static(value));
        }
        let result = source.identify(Principal::new("ops", Role::Read).into(), &mut headers).await;
        assert!(!headers.contains_key(HEADER), "whatever comes of it, the header is gone");
        result
    }

    #[tokio::test]
    async fn a_key_with_two_credentials_is_two_callers() {
        let (one, first) = identify(&Source::Header, &["Bearer one"]).await.expect("a credential");
        let (two, second) = identify(&Source::Header, &["Bearer two"]).await.expect("a credential");
        let (again, _) = identify(&Source::Header, &["Bearer one"]).await.expect("a credential");
        assert_eq!(one, again);
        for spelled in ["bearer one", "BEARER  one", "Bearer \t one\t"] {
            assert_eq!(
                identify(&Source::Header, &[spelled]).await.expect("a credential").0,
                one,
                "{spelled}"
            );
        }
        assert!(one.name != two.name && first.key() != second.key());
        assert!(one.name.starts_with("ops+upstream:") && !one.name.contains("one"));
        assert_eq!(first.credential().and_then(UpstreamCredential::token), Some("one"));
        assert!(!format!("{first:?}").contains("one"));
        let (_, basic) = identify(&Source::Header, &["Basic b25l"]).await.expect("a credential");
        let basic = basic.credential().expect("the caller's").clone();
        assert_eq!((basic.token(), basic.authorization().as_bytes()), (None, &b"Basic b25l"[..]));
    }

    #[tokio::test]
    async fn a_missing_or_doubtful_credential_is_refused() {
        for pairs in [&[][..], &[""], &[" "], &["Bearer hush", "Bearer hush"]] {
            let error = identify(&Source::Header, pairs).await.expect_err("refused");
            assert!(error.message.contains("X-Upstream-Authorization"), "{}", error.message);
            assert!(!error.message.contains("hush"), "{}", error.message);
        }
    }

    #[tokio::test]
    async fn without_need_it_is_only_taken_away() {
        let (principal, upstream) = identify(&Source::Own, &["Bearer one"]).await.expect("own");
        assert_eq!((&*principal.name, upstream.key()), ("ops", "own".into()));
        let (_, upstream) = identify(&Source::Impersonate, &["Bearer one"]).await.expect("as ops");
        assert_eq!(upstream.key(), r#"impersonate:["ops",[]]"#);
    }
}
