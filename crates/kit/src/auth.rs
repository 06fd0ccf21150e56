//! Who calls: principals, roles, and the one place that lets a request in, in servers and in the edge.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use clap::ValueEnum;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

mod args;
mod background;
mod challenge;
mod credential;
mod keys;
mod kubernetes;
mod oidc;
mod roles;
pub mod upstream;
pub mod vouch;

pub use args::{AuthArgs, AuthMode};
pub use challenge::{Resource, WELL_KNOWN};
#[cfg(feature = "testing")]
pub use oidc::fuzz::verify_token;
pub use upstream::{Upstream, UpstreamArgs, UpstreamAuth, UpstreamCredential};
pub use vouch::{Verifier, Voucher};

use crate::ToolError;
use crate::followed::Followed;
use crate::http::Authorities;
use background::Background;
use credential::{Credential, Fingerprint, fingerprint, refuse};
use keys::Keys;
use kubernetes::Kubernetes;
use oidc::Oidc;
use roles::Roles;

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees and calls tools that are marked read-only.
    Read,
    /// Calls every tool the policy offers.
    Write,
    /// Also what only the operator may do.
    Admin,
}

impl std::str::FromStr for Role {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "admin" => Ok(Self::Admin),
            _ => bail!("unknown role; use read, write or admin"),
        }
    }
}

/// A caller that was let in. Limits, sessions and the audit are kept by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The key's name, or what stands for a caller without one. Whoever acts as somebody else towards the upstream
    /// has another name here.
    pub name: Arc<str>,
    /// What it may do.
    pub role: Role,
    /// As whom a provider knows the caller; `None` for the holder of a key.
    pub subject: Option<Arc<Subject>>,
}

/// A caller in a provider's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its name there.
    pub name: String,
    /// Its groups there.
    pub groups: Vec<String>,
}

impl Principal {
    /// A caller that no provider knows.
    pub fn new(name: impl Into<Arc<str>>, role: Role) -> Self {
        Self { name: name.into(), role, subject: None }
    }

    /// The operator who started the program on stdio.
    pub(crate) fn local() -> Self {
        Self::new("local", Role::Admin)
    }
}

/// A request that was let in.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Whose it is.
    pub principal: Principal,
    /// The token that proved it, where that is none of our own keys: a provider's, or the upstream's.
    pub token: Option<UpstreamCredential>,
}

impl From<Principal> for Admission {
    fn from(principal: Principal) -> Self {
        Self { principal, token: None }
    }
}

/// What [`Auth`] must know of the program beside its settings.
#[derive(Default)]
pub struct Place {
    /// Only this machine can connect.
    pub loopback: bool,
    /// `--auth upstream` makes sense here.
    pub takes_upstream_token: bool,
    /// Whom to believe that speaks for callers.
    pub edge: Option<Verifier>,
    /// By whom an OpenID provider's certificate may be.
    pub authorities: Authorities,
}

/// Decides who may call. Belongs to no runtime: any thread may ask.
pub struct Auth {
    rule: Rule,
    edge: Option<Verifier>,
    anonymous: Principal,
    generated: Option<String>,
}

#[expect(clippy::large_enum_variant, reason = "a program has one")]
enum Rule {
    Anyone,
    Upstream,
    Known(Ways),
}

/// The ways to prove who one is, besides the edge's word.
#[derive(Default)]
struct Ways {
    keys: Option<Followed<Keys>>,
    oidc: Option<Oidc>,
    kubernetes: Option<Kubernetes>,
}

impl Auth {
    /// Reads the settings. Providers need not be there yet.
    ///
    /// # Errors
    /// For settings that cannot be, by their names.
    pub fn new(args: &AuthArgs, place: Place) -> anyhow::Result<Self> {
        let mut generated = None;
        let on = |mode| args.auth.contains(&mode);
        let rule = match args.auth.as_slice() {
            [] if args.has_keys() => Rule::Known(Ways::new(args, &[AuthMode::ApiKey], &place)?),
            [] if place.edge.is_some() => Rule::Known(Ways::default()),
            [] if place.loopback => Rule::Anyone,
            [] => {
                let (keys, key) = Keys::generated()?;
                generated = Some(key);
                Rule::Known(Ways { keys: Some(Followed::fixed(keys)), ..Ways::default() })
            }
            [AuthMode::None] => Rule::Anyone,
            [AuthMode::Upstream] => Rule::Upstream,
            _ if on(AuthMode::None) || on(AuthMode::Upstream) => {
                bail!("--auth (GANTRY_AUTH): `none` and `upstream` stand alone")
            }
            modes => Rule::Known(Ways::new(args, modes, &place)?),
        };
        if args.has_keys() && !matches!(&rule, Rule::Known(Ways { keys: Some(_), .. })) {
            bail!("--api-keys or --api-keys-file without `api-key` in --auth: the keys would mean nothing");
        }
        // Whoever names a provider believes it to be asked.
        for (setting, is_set, mode) in [
            ("--oidc-issuer (GANTRY_OIDC_ISSUER)", args.oidc.oidc_issuer.is_some(), AuthMode::Oidc),
            ("--oidc-audience (GANTRY_OIDC_AUDIENCE)", !args.oidc.oidc_audience.is_empty(), AuthMode::Oidc),
            ("--kube-api-server (GANTRY_KUBE_API_SERVER)", args.kubernetes.is_named(), AuthMode::Kubernetes),
        ] {
            if is_set && !on(mode) {
                let name = mode.to_possible_value().map(|value| value.get_name().to_owned());
                bail!("{setting} without `{}` in --auth would mean nothing", name.unwrap_or_default());
            }
        }
        if !args.roles.is_empty() && !on(AuthMode::Oidc) && !on(AuthMode::Kubernetes) {
            bail!("--roles (GANTRY_ROLES) without `oidc` or `kubernetes` in --auth would mean nothing");
        }
        if place.edge.is_some() && !matches!(rule, Rule::Known(_)) {
            bail!(
                "--trust-edge-key-file (GANTRY_TRUST_EDGE_KEY_FILE) with --auth none or upstream: the edge's word \
                 would mean nothing"
            );
        }
        if matches!(rule, Rule::Upstream) && !place.takes_upstream_token {
            bail!(
                "--auth (GANTRY_AUTH): this server's upstream takes no bearer token, so it cannot be `upstream`"
            );
        }
        let anonymous = Principal::new("anonymous", Role::Admin);
        Ok(Self { rule, edge: place.edge, anonymous, generated })
    }

    /// Whether a caller must prove who it is, and answers depend on that.
    pub fn is_on(&self) -> bool {
        !matches!(self.rule, Rule::Anyone)
    }

    /// The key that was made because nobody configured any and other machines can connect: to be shown once.
    pub fn generated_key(&self) -> Option<&str> {
        self.generated.as_deref()
    }

    /// Tells the caller from the request's headers. The credential is for us alone: [`Auth::strip`] removes it
    /// before the request goes on. Only a token that a provider must be asked about is waited for.
    ///
    /// # Errors
    /// `AUTHENTICATION_ERROR` without saying whether a key was near; `FORBIDDEN` for a known caller without a
    /// role; `SERVICE_ERROR` when a provider cannot be asked.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<Admission, ToolError> {
        let ways = match &self.rule {
            Rule::Anyone if headers.contains_key(vouch::HEADER) => return Err(untrusted()),
            Rule::Anyone => return Ok(self.anonymous.clone().into()),
            Rule::Upstream => return by_upstream_token(headers),
            Rule::Known(ways) => ways,
        };
        let token = match credential::find(headers)? {
            Some(Credential::Token(token)) => token,
            Some(Credential::Vouched(word)) => {
                let edge = self.edge.as_ref().ok_or_else(untrusted)?;
                return Ok(edge.verify(word)?.into());
            }
            None => return Err(ways.nothing_sent()),
        };
        let fingerprint = fingerprint(token);
        if let Some(principal) = ways.keys.as_ref().and_then(|keys| keys.get().find(fingerprint)) {
            return Ok(principal.into());
        }
        // Boxed, so that a call with a key carries no room for it.
        let principal = Box::pin(ways.ask(token, fingerprint)).await?;
        Ok(Admission { principal, token: UpstreamCredential::bearer(token) })
    }

    /// Removes every header that [`Auth::admit`] reads.
    pub fn strip(headers: &mut HeaderMap) {
        credential::remove(headers);
    }

    /// The document that tells clients where to get a token for `resource` (RFC 9728); `None` without a provider.
    pub fn resource_metadata(&self, resource: &Resource) -> Option<serde_json::Value> {
        let oidc = self.oidc()?;
        Some(challenge::document(resource, oidc.issuer(), &oidc.scopes()))
    }

    /// The `WWW-Authenticate` that goes with a refusal; `resource` is what the client asked.
    pub fn challenge(&self, error: &ToolError, resource: Option<&Resource>) -> Option<HeaderValue> {
        let metadata = self.oidc().and(resource).map(Resource::metadata);
        challenge::challenge(error, metadata.as_deref())
    }

    fn oidc(&self) -> Option<&Oidc> {
        match &self.rule {
            Rule::Known(ways) => ways.oidc.as_ref(),
            Rule::Anyone | Rule::Upstream => None,
        }
    }
}

impl Ways {
    fn new(args: &AuthArgs, modes: &[AuthMode], place: &Place) -> anyhow::Result<Self> {
        let mut ways = Self::default();
        if modes.contains(&AuthMode::ApiKey) {
            ways.keys = Some(Keys::configured(args)?);
        }
        let (oidc, kubernetes) = (modes.contains(&AuthMode::Oidc), modes.contains(&AuthMode::Kubernetes));
        if !oidc && !kubernetes {
            return Ok(ways);
        }
        let roles = match args.roles.as_slice() {
            [] if kubernetes => {
                bail!("--auth kubernetes needs --roles (GANTRY_ROLES), such as groups:system:masters=admin")
            }
            [] => Roles::by_scope(),
            rules => Roles::new(rules),
        };
        let background = Background::start()?;
        if oidc {
            ways.oidc = Some(Oidc::new(&args.oidc, roles.clone(), &place.authorities, &background)?);
        }
        if kubernetes {
            ways.kubernetes = Some(Kubernetes::new(&args.kubernetes, roles, &background)?);
        }
        Ok(ways)
    }

    /// Asks whoever could know the token: the provider that it says it is of, else the cluster.
    async fn ask(&self, token: &str, fingerprint: Fingerprint) -> Result<Principal, ToolError> {
        if let Some(oidc) = self.oidc.as_ref()
            && oidc.is_meant(token)
        {
            return oidc.admit(token, fingerprint).await;
        }
        if let Some(kubernetes) = &self.kubernetes {
            return kubernetes.admit(token, fingerprint).await;
        }
        Err(match (&self.keys, &self.oidc) {
            (Some(_), Some(oidc)) => {
                oidc::invalid(&format!("neither a known key nor a token of {}", oidc.issuer()))
            }
            (None, Some(oidc)) => oidc::invalid(&format!("not a token of {}", oidc.issuer())),
            (Some(_), None) => refuse("the key is not known"),
            (None, None) => only_the_edge(),
        })
    }

    fn nothing_sent(&self) -> ToolError {
        match (&self.keys, &self.oidc, &self.kubernetes) {
            (None, None, None) => only_the_edge(),
            (None, ..) => refuse("send a token as `Authorization: Bearer TOKEN`"),
            (Some(_), ..) => refuse("send a key as `Authorization: Bearer KEY` or `X-API-Key: KEY`"),
        }
    }
}

/// The bearer is the upstream's own token: whether it is good, the upstream says.
fn by_upstream_token(headers: &HeaderMap) -> Result<Admission, ToolError> {
    match credential::find(headers)? {
        Some(Credential::Token(token)) => {
            let digest = hex(&fingerprint(token)[..16]);
            let principal = Principal::new(format!("upstream:{digest}"), Role::Write);
            Ok(Admission { principal, token: UpstreamCredential::bearer(token) })
        }
        Some(Credential::Vouched(_)) => Err(untrusted()),
        None => Err(refuse("send the upstream's token as `Authorization: Bearer TOKEN`")),
    }
}

fn only_the_edge() -> ToolError {
    refuse("this server is called through its edge only")
}

/// Shows, on stderr and once, the key that was made because others can connect and nobody configured one; `url` is
/// where a client of this machine finds the server `slug`.
pub fn introduce(address: SocketAddr, slug: &str, url: &str, key: &str) {
    eprintln!(
        "\n  {address} is open to other machines and no --auth was chosen, so a key is required.\n  \
         This admin key is shown once and holds until the program stops:\n\n    {key}\n\n  \
         claude mcp add --transport http {slug} {url} --header \"Authorization: Bearer {key}\"\n"
    );
}

fn untrusted() -> ToolError {
    refuse("X-Gantry-Principal: no edge is trusted here; only an edge may send it")
}

/// What a provider says over http, anyone on the way can say.
fn warn_of_http(setting: &str, url: &url::Url) {
    let local =
        url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]");
    if url.scheme() != "https" && !local {
        tracing::warn!(setting, "not https: whoever can change what is on the way can be anybody here");
    }
}

/// Seconds since 1970, as tokens and the edge's words count them.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
