//! The edge's word for a caller: the principal it let in, signed for one server and a short time.
//!
//! `X-Gantry-Principal: PAYLOAD.MAC`, both base64url without padding: the payload is JSON, the MAC is HMAC-SHA256
//! over the payload's text under a key that edge and servers share. The first key of the file signs, all verify,
//! so that a key can be changed without a pause: add the new one at the end everywhere, then move it to the top,
//! then remove the old one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::credential::refuse;
use super::{Principal, Role, Subject, now};
use crate::ToolError;
use crate::followed::Followed;

/// The header that carries the edge's word.
pub const HEADER: HeaderName = HeaderName::from_static("x-gantry-principal");
/// How long a word holds, in seconds.
const LIFETIME: u64 = 45;
/// How far the clocks of edge and server may be apart, in seconds.
const SKEW: u64 = 5;
/// Largest header that is looked at, in bytes: a caller in many groups needs some.
const MAX_BYTES: usize = 16 * 1024;
/// Least material of a key, in bytes.
const MIN_KEY: usize = 32;
/// Keeps these MACs apart from whatever else the key might sign.
const PURPOSE: &[u8] = b"gantry-principal-1.";

/// What is signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Word<'a> {
    #[serde(borrow)]
    name: std::borrow::Cow<'a, str>,
    role: Role,
    /// The slug of the server it is meant for.
    #[serde(borrow)]
    aud: std::borrow::Cow<'a, str>,
    /// Seconds since 1970.
    iat: u64,
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Arc<Subject>>,
}

/// Signs principals: the edge's side.
pub struct Voucher(Keys);

impl Voucher {
    /// Reads the keys; `setting` is what the file is called in errors, with its flag and variable.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no key or too short a one.
    pub fn read(setting: &'static str, file: PathBuf) -> anyhow::Result<Self> {
        Ok(Self(keys(setting, file)?))
    }

    /// The header's value for this caller, for the server `slug`. Marked sensitive.
    pub fn sign(&self, principal: &Principal, slug: &str) -> HeaderValue {
        self.sign_at(principal, slug, now())
    }

    fn sign_at(&self, principal: &Principal, slug: &str, now: u64) -> HeaderValue {
        let word = Word {
            name: (&*principal.name).into(),
            role: principal.role,
            aud: slug.into(),
            iat: now,
            exp: now + LIFETIME,
            subject: principal.subject.clone(),
        };
        let payload = serde_json::to_vec(&word).expect("strings and numbers are JSON");
        let mut text = BASE64.encode(payload);
        let mac = self.0.get().first().map(|key| mac(key, text.as_bytes())).expect("a file has a key");
        text.push('.');
        BASE64.encode_string(mac, &mut text);
        let mut value = HeaderValue::try_from(text).expect("base64 and a dot may stand in a header");
        value.set_sensitive(true);
        value
    }
}

/// Believes signed principals: the server's side.
pub struct Verifier {
    keys: Keys,
    slug: String,
}

impl Verifier {
    /// Reads the keys; `setting` is what the file is called in errors, `slug` names this server.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no key or too short a one.
    pub fn read(setting: &'static str, file: PathBuf, slug: impl Into<String>) -> anyhow::Result<Self> {
        Ok(Self { keys: keys(setting, file)?, slug: slug.into() })
    }

    /// The principal that the header's value speaks of.
    ///
    /// # Errors
    /// `AUTHENTICATION_ERROR` when it is forged, expired or meant for another server.
    pub fn verify(&self, value: &HeaderValue) -> Result<Principal, ToolError> {
        self.verify_at(value, now())
    }

    fn verify_at(&self, value: &HeaderValue, now: u64) -> Result<Principal, ToolError> {
        let refuse = |why: &str| refuse(format!("X-Gantry-Principal: {why}"));
        let forged = || refuse("not signed by an edge that this server trusts");
        let value = value.as_bytes();
        if value.len() > MAX_BYTES {
            return Err(forged());
        }
        let dot = value.iter().position(|&byte| byte == b'.').ok_or_else(forged)?;
        let (payload, mac) = (&value[..dot], BASE64.decode(&value[dot + 1..]).map_err(|_| forged())?);
        if !self.keys.get().iter().any(|key| is_signed(key, payload, &mac)) {
            return Err(forged());
        }
        let payload = BASE64.decode(payload).map_err(|_| forged())?;
        let word: Word<'_> = serde_json::from_slice(&payload).map_err(|_| forged())?;
        if word.aud != self.slug {
            let Word { aud, .. } = word;
            return Err(refuse(&format!("signed for another server, {aud:?}; this is {:?}", self.slug)));
        }
        if word.exp <= now || word.exp > word.iat.saturating_add(LIFETIME) {
            return Err(refuse("expired; are the clocks of edge and server apart?"));
        }
        if word.iat > now + SKEW {
            return Err(refuse("signed in the future; are the clocks of edge and server apart?"));
        }
        Ok(Principal { name: word.name.into(), role: word.role, subject: word.subject })
    }
}

fn mac(key: &hmac::Key, payload: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(PURPOSE);
    context.update(payload);
    context.sign()
}

fn is_signed(key: &hmac::Key, payload: &[u8], claimed: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    mac(key, payload).as_ref().ct_eq(claimed).into()
}

type Keys = Followed<Vec<hmac::Key>>;

fn keys(setting: &'static str, file: PathBuf) -> anyhow::Result<Keys> {
    Followed::read(file.clone(), move || read(&file).with_context(|| format!("{setting} {}", file.display())))
}

/// One key a line; errors never repeat one.
fn read(file: &Path) -> anyhow::Result<Vec<hmac::Key>> {
    let text = std::fs::read_to_string(file)?;
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<_> = lines
        .map(|(at, line)| {
            let (at, length) = (at + 1, line.len());
            anyhow::ensure!(length >= MIN_KEY, "line {at}: {length} bytes, at least {MIN_KEY} are needed");
            Ok(hmac::Key::new(hmac::HMAC_SHA256, line.as_bytes()))
        })
        .collect::<anyhow::Result<_>>()?;
    anyhow::ensure!(!keys.is_empty(), "no key in it");
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEW: &str = "the new key that has at least 32 bytes of material";
    const OLD: &str = "the old key that has at least 32 bytes of material";

    fn file(keys: &[&str]) -> tempfile::TempPath {
        let file = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
        std::fs::write(&file, keys.join("\n")).expect("written");
        file
    }

    fn voucher(keys: &[&str]) -> Voucher {
        Voucher::read("--edge-key-file", file(keys).to_path_buf()).expect("keys")
    }

    fn verifier(keys: &[&str], slug: &str) -> Verifier {
        Verifier::read("--trust-edge-key-file", file(keys).to_path_buf(), slug).expect("keys")
    }

    fn principal() -> Principal {
        let subject = Subject { name: "alice \"ops\"".into(), groups: vec!["ops".into()] };
        Principal { subject: Some(Arc::new(subject)), ..Principal::new("oidc:alice \"ops\"", Role::Write) }
    }

    #[test]
    fn what_is_signed_is_believed_with_any_key() {
        let value = voucher(&[OLD]).sign(&principal(), "alpha");
        let verifier = verifier(&["# comment", "", NEW, OLD], "alpha");
        assert_eq!(verifier.verify(&value).expect("believed"), principal());
        assert!(value.is_sensitive());
    }

    #[test]
    fn refuses_other_keys_slugs_and_times() {
        let verifier = verifier(&[NEW], "alpha");
        let refused = |value: &HeaderValue, now: u64, why: &str| {
            let error = verifier.verify_at(value, now).expect_err("refused");
            assert!(error.message.contains(why), "{}", error.message);
            assert!(!error.to_json().contains(value.to_str().expect("text")));
        };
        refused(&voucher(&[OLD, NEW]).sign_at(&principal(), "alpha", 100), 100, "not signed");
        let signed = |slug| voucher(&[NEW]).sign_at(&principal(), slug, 100);
        refused(&signed("beta"), 100, "another server, \"beta\"; this is \"alpha\"");
        refused(&signed("alpha"), 100 + LIFETIME, "expired");
        refused(&signed("alpha"), 100 - SKEW - 1, "future");
        assert!(verifier.verify_at(&signed("alpha"), 100 + LIFETIME - 1).is_ok());
        refused(&HeaderValue::from_static("x"), 100, "not signed");
        refused(&HeaderValue::from_maybe_shared(vec![b'a'; MAX_BYTES + 1]).expect("a"), 100, "not signed");
    }

    #[test]
    fn a_bad_key_file_is_refused_by_its_setting() {
        for (lines, why) in [(&["short"][..], "line 1: 5 bytes"), (&["# none"], "no key")] {
            let error = Voucher::read("--edge-key-file", file(lines).to_path_buf()).err().expect("refused");
            let error = format!("{error:#}");
            assert!(error.contains("--edge-key-file") && error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(at in 0usize..200, to in 33u8..127) {
            let signed = voucher(&[NEW]).sign_at(&principal(), "alpha", 100);
            let mut bytes = signed.as_bytes().to_vec();
            let at = at % bytes.len();
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            let value = HeaderValue::from_bytes(&bytes).expect("visible");
            // The last digit of the MAC has bits that nobody reads; a strict decoder refuses those that are set.
            prop_assert!(verifier(&[NEW], "alpha").verify_at(&value, 100).is_err());
        }
    }
}
