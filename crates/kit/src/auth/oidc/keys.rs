//! A provider's public keys (RFC 7517), and which of them may have signed a token. A key's own type says which
//! algorithms it may be used with; a token's header never does.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::Deserialize;
use serde_json::Value;

/// Most keys of a provider that are kept; a token without a key's id is tried with each.
const MAX_KEYS: usize = 32;

/// The keys that can verify signatures.
#[derive(Debug, Default)]
pub(in crate::auth) struct KeySet(Vec<Key>);

#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) key: DecodingKey,
    pub(super) algorithms: Vec<Algorithm>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a JWKS document. Keys for other uses and of kinds unknown here are left out.
    ///
    /// # Errors
    /// When it is no such document, or no key of it can be used.
    pub(in crate::auth) fn read(json: &[u8]) -> anyhow::Result<Self> {
        let document: Document = serde_json::from_slice(json)?;
        let keys = document.keys.into_iter().filter_map(key).take(MAX_KEYS).collect::<Vec<_>>();
        anyhow::ensure!(!keys.is_empty(), "no key in it can verify a signature of a known kind");
        Ok(Self(keys))
    }

    /// The keys that may have signed a token with this header.
    pub(super) fn candidates(&self, header: &Header) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(|key| {
            key.algorithms.contains(&header.alg)
                && match (&key.id, &header.kid) {
                    (Some(one), Some(other)) => one == other,
                    (None, _) | (_, None) => true,
                }
        })
    }
}

fn key(value: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let mut algorithms = algorithms(&jwk.algorithm);
    if let Some(only) = jwk.common.key_algorithm {
        let only = Algorithm::try_from(only).ok()?;
        algorithms.retain(|algorithm| *algorithm == only);
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (!algorithms.is_empty()).then_some(Key { id: jwk.common.key_id, key, algorithms })
}

/// Public keys only: a secret that a provider publishes would be anybody's.
fn algorithms(of: &AlgorithmParameters) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match of {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => vec![ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![EdDSA],
        _ => vec![],
    }
}
