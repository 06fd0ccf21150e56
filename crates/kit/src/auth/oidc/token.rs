//! What makes a JWT acceptable (RFC 7519, RFC 8725, RFC 9068): a known key's signature, issuer, audience, time.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde_json::Value;

use super::keys::KeySet;
use crate::auth::roles::Claims;

/// Longest token that is looked at, in bytes.
pub(super) const MAX_TOKEN: usize = 16 * 1024;
/// The types of token that are for calling with; others (of logout, of DPoP) are not.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// What a token must agree with.
#[derive(Debug, Clone)]
pub(in crate::auth) struct Expected {
    pub(in crate::auth) issuer: String,
    /// One of them is enough.
    pub(in crate::auth) audiences: Vec<String>,
    /// How far clocks may be apart, in seconds.
    pub(in crate::auth) leeway: u64,
}

/// Why a token is not acceptable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::auth) enum Flaw {
    #[error("the token is no JWT that can be read")]
    Unreadable,
    #[error("the token's {0} header is not accepted")]
    Header(&'static str),
    /// Perhaps there is a new key by now.
    #[error("the token is signed by a key that the provider does not publish")]
    UnknownKey,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token has no {0} claim that can be read")]
    Claim(&'static str),
    #[error("the token was issued by another provider")]
    Issuer,
    #[error("the token is meant for another audience")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    Early,
}

/// Of which issuer a token says it is, if it looks like a JWT: nothing of it is believed yet.
pub(super) fn claimed_issuer(token: &str) -> Option<String> {
    unverified(token)?.get("iss")?.as_str().map(str::to_owned)
}

/// What a token says, whoever made it.
pub(super) fn unverified(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    if token.len() > MAX_TOKEN {
        return None;
    }
    serde_json::from_slice(&BASE64.decode(payload).ok()?).ok()
}

/// Verifies a token at `now` (seconds since 1970), and gives what it says and when it ends.
pub(in crate::auth) fn verify(
    token: &str,
    keys: &KeySet,
    expected: &Expected,
    now: u64,
) -> Result<(Claims, u64), Flaw> {
    if token.len() > MAX_TOKEN {
        return Err(Flaw::Unreadable);
    }
    let header = decode_header(token).map_err(|_| Flaw::Unreadable)?;
    check_header(&header)?;
    let claims = signed(token, &header, keys)?;
    let end = check_claims(&claims, expected, now)?;
    Ok((claims, end))
}

fn check_header(header: &Header) -> Result<(), Flaw> {
    if matches!(header.alg, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) {
        return Err(Flaw::Header("alg"));
    }
    if header.crit.is_some() {
        // Whatever it is, it is not understood here (RFC 7515, 4.1.11).
        return Err(Flaw::Header("crit"));
    }
    if header.enc.is_some() || header.zip.is_some() {
        return Err(Flaw::Header("enc"));
    }
    match &header.typ {
        Some(typ) if !TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ)) => Err(Flaw::Header("typ")),
        _ => Ok(()),
    }
}

/// The claims, if one of the keys signed them. Keys in the token's own header are not looked at.
fn signed(token: &str, header: &Header, keys: &KeySet) -> Result<Claims, Flaw> {
    let mut flaw = Flaw::UnknownKey;
    for key in keys.candidates(header) {
        let mut only_signature = Validation::new(header.alg);
        only_signature.algorithms.clone_from(&key.algorithms);
        only_signature.required_spec_claims.clear();
        only_signature.validate_exp = false;
        only_signature.validate_aud = false;
        match decode::<Claims>(token, &key.key, &only_signature) {
            Ok(token) => return Ok(token.claims),
            Err(_) => flaw = Flaw::Signature,
        }
    }
    Err(flaw)
}

pub(super) fn check_claims(claims: &Claims, expected: &Expected, now: u64) -> Result<u64, Flaw> {
    let issuer = claims.get("iss").and_then(Value::as_str).ok_or(Flaw::Claim("iss"))?;
    if issuer != expected.issuer {
        return Err(Flaw::Issuer);
    }
    let is_ours = |audience: &Value| expected.audiences.iter().any(|it| audience.as_str() == Some(it));
    match claims.get("aud") {
        Some(Value::Array(audiences)) if audiences.iter().any(is_ours) => {}
        Some(audience @ Value::String(_)) if is_ours(audience) => {}
        Some(Value::Array(_) | Value::String(_)) => return Err(Flaw::Audience),
        _ => return Err(Flaw::Claim("aud")),
    }
    let end = date(claims, "exp")?.ok_or(Flaw::Claim("exp"))?.saturating_add(expected.leeway);
    if end <= now {
        return Err(Flaw::Expired);
    }
    if date(claims, "nbf")?.is_some_and(|begin| begin > now.saturating_add(expected.leeway)) {
        return Err(Flaw::Early);
    }
    Ok(end)
}

/// A date in seconds, which may have a fraction (RFC 7519, 2).
fn date(claims: &Claims, name: &'static str) -> Result<Option<u64>, Flaw> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_u64().or_else(|| {
        let seconds = value.as_f64().filter(|it| (0.0..1e15).contains(it))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        Some(seconds as u64)
    });
    seconds.map(Some).ok_or(Flaw::Claim(name))
}

#[cfg(test)]
mod tests;
