//! Who calls: principals, roles, and the one place that lets a request in, in servers and in the edge.

use std::sync::Arc;

use anyhow::bail;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod args;
mod credential;
mod followed;
mod keys;
pub mod vouch;

pub use args::{AuthArgs, AuthMode};
pub use vouch::{Verifier, Voucher};

use crate::ToolError;
use credential::{Credential, refuse};
use followed::Followed;
use keys::Keys;

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

/// The bearer of a request under `--auth upstream`: the upstream's own token. Never printed.
#[derive(Clone)]
pub struct UpstreamToken(Arc<str>);

impl UpstreamToken {
    /// The token, for the request to the upstream and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for UpstreamToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpstreamToken(…)")
    }
}

/// A request that was let in.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Whose it is.
    pub principal: Principal,
    /// What the caller brought for the upstream.
    pub upstream: Option<UpstreamToken>,
}

impl From<Principal> for Admission {
    fn from(principal: Principal) -> Self {
        Self { principal, upstream: None }
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
}

/// Decides who may call. Belongs to no runtime: any thread may ask.
pub struct Auth {
    rule: Rule,
    edge: Option<Verifier>,
    anonymous: Principal,
    generated: Option<String>,
}

enum Rule {
    Anyone,
    Holders { keys: Option<Followed<Keys>> },
    Upstream,
}

impl Auth {
    /// Reads the settings.
    ///
    /// # Errors
    /// For settings that cannot be, by their names.
    pub fn new(args: &AuthArgs, place: Place) -> anyhow::Result<Self> {
        let mut generated = None;
        let on = |mode| args.auth.contains(&mode);
        let rule = match args.auth.as_slice() {
            [] if args.has_keys() => Rule::Holders { keys: Some(Keys::configured(args)?) },
            [] if place.edge.is_some() => Rule::Holders { keys: None },
            [] if place.loopback => Rule::Anyone,
            [] => {
                let (keys, key) = Keys::generated()?;
                generated = Some(key);
                Rule::Holders { keys: Some(Followed::fixed(keys)) }
            }
            [AuthMode::None] => Rule::Anyone,
            [AuthMode::Upstream] => Rule::Upstream,
            _ if on(AuthMode::None) || on(AuthMode::Upstream) => {
                bail!("--auth (GANTRY_AUTH): `none` and `upstream` stand alone")
            }
            _ => Rule::Holders { keys: Some(Keys::configured(args)?) },
        };
        match &rule {
            Rule::Anyone if args.has_keys() => {
                bail!("--auth none with --api-keys or --api-keys-file: the keys would mean nothing")
            }
            Rule::Anyone | Rule::Upstream if place.edge.is_some() => bail!(
                "--trust-edge-key-file (GANTRY_TRUST_EDGE_KEY_FILE) with --auth none or upstream: the edge's word \
                 would mean nothing"
            ),
            Rule::Upstream if !place.takes_upstream_token => bail!(
                "--auth (GANTRY_AUTH): this server's upstream takes no bearer token, so it cannot be `upstream`"
            ),
            Rule::Holders { keys: Some(keys) } if keys.get().is_empty() => {
                bail!("--auth api-key needs at least one key from --api-keys or --api-keys-file")
            }
            Rule::Anyone | Rule::Upstream | Rule::Holders { .. } => {}
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
    /// before the request goes on.
    ///
    /// # Errors
    /// `AUTHENTICATION_ERROR` without saying whether a key was near.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<Admission, ToolError> {
        self.admit_now(headers)
    }

    /// Removes every header that [`Auth::admit`] reads.
    pub fn strip(headers: &mut HeaderMap) {
        credential::remove(headers);
    }

    fn admit_now(&self, headers: &HeaderMap) -> Result<Admission, ToolError> {
        if let Rule::Anyone = self.rule {
            return match headers.contains_key(vouch::HEADER) {
                true => Err(untrusted()),
                false => Ok(self.anonymous.clone().into()),
            };
        }
        let token = match credential::find(headers)? {
            Some(Credential::Token(token)) => token,
            Some(Credential::Vouched(word)) => {
                let edge = self.edge.as_ref().ok_or_else(untrusted)?;
                return Ok(edge.verify(word)?.into());
            }
            None => return Err(self.nothing_sent()),
        };
        match &self.rule {
            Rule::Anyone => Ok(self.anonymous.clone().into()),
            Rule::Holders { keys } => {
                let known = keys.as_ref().and_then(|keys| keys.get().find(token));
                known.map(Admission::from).ok_or_else(|| refuse("the key is not known"))
            }
            Rule::Upstream => {
                let digest = hex(&Sha256::digest(token.as_bytes())[..16]);
                let principal = Principal::new(format!("upstream:{digest}"), Role::Write);
                Ok(Admission { principal, upstream: Some(UpstreamToken(token.into())) })
            }
        }
    }

    fn nothing_sent(&self) -> ToolError {
        match self.rule {
            Rule::Holders { keys: None } => refuse("this server is called through its edge only"),
            _ => refuse("send a key as `Authorization: Bearer KEY` or `X-API-Key: KEY`"),
        }
    }
}

fn untrusted() -> ToolError {
    refuse("X-Gantry-Principal: no edge is trusted here; only an edge may send it")
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
