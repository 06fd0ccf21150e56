//! `--auth oidc`: callers with a token of an OpenID provider, signed for this audience. Verified here, with the
//! provider's keys; a token that was verified once is known by its digest until it ends.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use serde_json::Value;
use url::Url;

#[cfg(feature = "testing")]
pub(super) mod fuzz;
mod keys;
mod provider;
mod token;

use super::args::OidcArgs;
use super::background::Background;
use super::credential::{Fingerprint, refuse};
use super::roles::{Claims, Roles, claim};
use super::{Principal, Subject, now, warn_of_http};
use crate::http::{Authorities, Client};
use crate::{Result, ToolError};
use provider::{Provider, Source};
use token::{Expected, Flaw};

/// How long the provider may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most verified tokens that are remembered.
const MAX_SEEN: u64 = 10_000;
/// How long one is remembered at most: a key that the provider has withdrawn counts no longer than this.
const MAX_AGE: Duration = Duration::from_secs(300);
/// Longest name of a caller, in bytes.
const MAX_NAME: usize = 256;

pub(super) struct Oidc {
    expected: Expected,
    name_claim: String,
    roles: Roles,
    provider: Provider,
    seen: Cache<Fingerprint, Seen>,
}

/// A token that was verified.
#[derive(Clone)]
struct Seen {
    principal: Principal,
    /// Seconds since 1970.
    end: u64,
}

impl Oidc {
    pub(super) fn new(
        args: &OidcArgs,
        roles: Roles,
        authorities: &Authorities,
        background: &Background,
    ) -> anyhow::Result<Self> {
        let (expected, jwks) = settings(args)?;
        let upstream = format!("the identity provider {}", expected.issuer);
        let client = Client::new(upstream, TIMEOUT, authorities);
        let source = Source { issuer: expected.issuer.clone(), jwks, client };
        Ok(Self {
            provider: Provider::start(source, background),
            expected,
            name_claim: args.oidc_name_claim.clone(),
            roles,
            seen: Cache::builder().max_capacity(MAX_SEEN).time_to_live(MAX_AGE).build(),
        })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.expected.issuer
    }

    pub(super) fn scopes(&self) -> Vec<&str> {
        self.roles.scopes()
    }

    /// Whether this is a token that says it is of our provider.
    pub(super) fn is_meant(&self, token: &str) -> bool {
        token::claimed_issuer(token).is_some_and(|issuer| issuer == self.expected.issuer)
    }

    /// The caller whose token this is.
    ///
    /// # Errors
    /// `AUTHENTICATION_ERROR` for a token that is not acceptable, `FORBIDDEN` for a caller without a role,
    /// `SERVICE_ERROR` when the provider's keys are not to be had.
    pub(super) async fn admit(&self, token: &str, digest: Fingerprint) -> Result<Principal> {
        let now = now();
        if let Some(seen) = self.seen.get(&digest).filter(|seen| seen.end > now) {
            return Ok(seen.principal);
        }
        let keys = self.provider.keys().await?;
        let mut verified = token::verify(token, &keys, &self.expected, now);
        if let Err(Flaw::UnknownKey) = verified {
            let keys = self.provider.newer_keys().await?;
            verified = token::verify(token, &keys, &self.expected, now);
        }
        let (claims, end) = verified.map_err(|flaw| invalid(&flaw.to_string()))?;
        let principal = self.principal(&claims)?;
        self.seen.insert(digest, Seen { principal: principal.clone(), end });
        Ok(principal)
    }

    fn principal(&self, claims: &Claims) -> Result<Principal> {
        let named = claim(claims, &self.name_claim).and_then(Value::as_str);
        let name = named.filter(|name| !name.is_empty() && name.len() <= MAX_NAME);
        let name = name.ok_or_else(|| {
            invalid(&format!("the token has no {} claim that could name the caller", self.name_claim))
        })?;
        let role = self.roles.of(claims)?;
        let groups = claims.get("groups").and_then(Value::as_array).into_iter().flatten();
        let groups = groups.filter_map(Value::as_str).map(str::to_owned).collect();
        let subject = Some(Arc::new(Subject { name: name.to_owned(), groups }));
        Ok(Principal { name: format!("oidc:{name}").into(), role, subject })
    }
}

/// The error for a token that came, as the challenge shall say.
pub(super) fn invalid(why: &str) -> ToolError {
    refuse(why).with("reason", "invalid_token")
}

fn settings(args: &OidcArgs) -> anyhow::Result<(Expected, Option<Url>)> {
    use anyhow::{Context, ensure};
    let issuer = args.oidc_issuer.clone().context("--auth oidc needs --oidc-issuer (GANTRY_OIDC_ISSUER)")?;
    let address: Url = issuer.parse().context("--oidc-issuer (GANTRY_OIDC_ISSUER)")?;
    ensure!(
        matches!(address.scheme(), "http" | "https") && address.query().is_none() && is_nobodys(&address),
        "--oidc-issuer (GANTRY_OIDC_ISSUER): an http or https address without a user and a query"
    );
    let audiences: Vec<String> = args.oidc_audience.iter().filter(|it| !it.is_empty()).cloned().collect();
    ensure!(!audiences.is_empty(), "--auth oidc needs --oidc-audience (GANTRY_OIDC_AUDIENCE)");
    warn_of_http("--oidc-issuer", &address);
    if let Some(url) = &args.oidc_jwks_url {
        warn_of_http("--oidc-jwks-url", url);
    }
    let leeway = args.oidc_leeway.as_secs();
    Ok((Expected { issuer, audiences, leeway }, args.oidc_jwks_url.clone()))
}

/// The issuer is told to everyone.
fn is_nobodys(address: &Url) -> bool {
    address.username().is_empty() && address.password().is_none()
}
