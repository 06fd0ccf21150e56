//! The way in for a fuzzer: every line that reads a token, with public keys whose private halves are gone.

use super::keys::KeySet;
use super::token::{self, Expected};
use crate::auth::roles::Roles;

const KEYS: &[u8] = include_bytes!("fuzz.json");

/// Reads `token` as a server does that has no token of this provider yet: looks whose it is, verifies it with keys of
/// each kind, and takes what it says for true besides, so that what follows a signature is reached too. Returns
/// whether the signature held, which it cannot.
///
/// # Panics
/// On a finding, and when a token is believed.
pub fn verify_token(token: &str) -> bool {
    let keys = KeySet::read(KEYS).expect("the keys are sound");
    let expected =
        Expected { issuer: "https://id.example".into(), audiences: vec!["gantry".into()], leeway: 60 };
    let _claimed = token::claimed_issuer(token);
    if let Some(claims) = token::unverified(token) {
        let _end = token::check_claims(&claims, &expected, 1_800_000_000);
        let _role = Roles::by_scope().of(&claims);
    }
    token::verify(token, &keys, &expected, 1_800_000_000).is_ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_token_is_believed() {
        assert!(!super::verify_token("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUifQ.AA"));
        assert!(!super::verify_token(""));
    }
}
