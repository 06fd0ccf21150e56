//! What a request proves its caller with: exactly one credential.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};

use super::vouch;
use crate::{Code, ToolError};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The SHA-256 of a credential: what it is looked up and remembered by.
pub(super) type Fingerprint = [u8; 32];

pub(super) fn fingerprint(credential: impl AsRef<[u8]>) -> Fingerprint {
    Sha256::digest(credential).into()
}

/// The one credential of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credential<'a> {
    /// Of `Authorization: Bearer` or `X-API-Key`.
    Token(&'a str),
    /// The edge's word, not yet believed.
    Vouched(&'a HeaderValue),
}

/// Finds the credential; `None` when there is none at all.
///
/// # Errors
/// `AUTHENTICATION_ERROR` for several, and for what cannot be read.
pub(super) fn find(headers: &HeaderMap) -> Result<Option<Credential<'_>>, ToolError> {
    let mut vouched = headers.get_all(vouch::HEADER).iter();
    let mut authorization = headers.get_all(header::AUTHORIZATION).iter();
    let mut key = headers.get_all(X_API_KEY).iter();
    let first = (vouched.next(), authorization.next(), key.next());
    if vouched.next().or_else(|| authorization.next()).or_else(|| key.next()).is_some() {
        return Err(refuse("send one credential, not several"));
    }
    let token = match first {
        (None, None, None) => return Ok(None),
        (Some(vouched), None, None) => return Ok(Some(Credential::Vouched(vouched))),
        (None, Some(value), None) => {
            let value = value.to_str().map_err(|_| refuse("unreadable Authorization header"))?;
            match value.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
                _ => return Err(refuse("use `Authorization: Bearer KEY`")),
            }
        }
        (None, None, Some(value)) => {
            value.to_str().map_err(|_| refuse("unreadable X-API-Key header"))?.trim()
        }
        _ => return Err(refuse("send one credential, not several")),
    };
    if token.is_empty() { Err(refuse("the key is empty")) } else { Ok(Some(Credential::Token(token))) }
}

/// Takes out of the headers what [`find`] looks at: it is for us and goes no further.
pub(super) fn remove(headers: &mut HeaderMap) {
    for name in [header::AUTHORIZATION, X_API_KEY, vouch::HEADER] {
        headers.remove(name);
    }
}

pub(super) fn refuse(message: impl Into<String>) -> ToolError {
    ToolError::new(Code::AuthenticationError, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_credential() {
        let mut headers = HeaderMap::new();
        assert_eq!(find(&headers).expect("none"), None);
        headers.insert(X_API_KEY, "k".parse().expect("value"));
        assert_eq!(find(&headers).expect("key"), Some(Credential::Token("k")));
        headers.insert(header::AUTHORIZATION, "Bearer k".parse().expect("value"));
        assert!(find(&headers).is_err());
        headers.remove(X_API_KEY);
        assert_eq!(find(&headers).expect("key"), Some(Credential::Token("k")));
        headers.insert(vouch::HEADER, "x.y".parse().expect("value"));
        assert!(find(&headers).is_err());
        headers.remove(header::AUTHORIZATION);
        assert!(matches!(find(&headers), Ok(Some(Credential::Vouched(_)))));
        headers.append(vouch::HEADER, "x.y".parse().expect("value"));
        assert!(find(&headers).is_err());
        headers.remove(vouch::HEADER);
        headers.insert(header::AUTHORIZATION, "Basic a2V5".parse().expect("value"));
        assert!(find(&headers).is_err());
    }
}
