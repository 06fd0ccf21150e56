//! Tokens that should not be believed, and some that should, signed here with real keys of each kind.

use std::sync::LazyLock;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use jsonwebtoken::{EncodingKey, encode};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: u64 = 1_800_000_000;

struct Signer {
    keys: KeySet,
    ec: EncodingKey,
    ed: EncodingKey,
    /// The public point of the EC key, as an attacker would use it for a secret.
    point: Vec<u8>,
}

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("key");
    let ed = Ed25519KeyPair::generate().expect("key");
    let point = ec.public_key().as_ref().to_vec();
    let jwks = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "kid": "ec", "use": "sig", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])},
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA", "x": BASE64.encode(ed.public_key().as_ref())},
        {"kty": "oct", "kid": "secret", "k": BASE64.encode("a secret that a provider should not have published")},
        {"kty": "EC", "crv": "P-256", "kid": "encryption", "use": "enc", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])},
        {"kty": "unheard of"},
        7,
    ]});
    Signer {
        keys: KeySet::read(jwks.to_string().as_bytes()).expect("keys"),
        ec: EncodingKey::from_ec_der(ec.to_pkcs8v1().expect("der").as_ref()),
        ed: EncodingKey::from_ed_der(ed.to_pkcs8v1().expect("der").as_ref()),
        point,
    }
});

fn expected() -> Expected {
    Expected {
        issuer: "https://id.example".into(),
        audiences: vec!["gantry".into(), "other".into()],
        leeway: 60,
    }
}

fn claims() -> Value {
    json!({"iss": "https://id.example", "aud": "gantry", "exp": NOW + 100, "sub": "alice"})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn header(algorithm: Algorithm, id: &str) -> Header {
    let mut header = Header::new(algorithm);
    header.kid = Some(id.into());
    header
}

fn signed(header: &Header, claims: &Value) -> String {
    let key = if header.alg == Algorithm::EdDSA { &SIGNER.ed } else { &SIGNER.ec };
    encode(header, claims, key).expect("signed")
}

fn check(token: &str) -> Result<u64, Flaw> {
    verify(token, &SIGNER.keys, &expected(), NOW).map(|(_, end)| end)
}

#[test]
fn believes_what_is_in_order() {
    for header in [header(Algorithm::ES256, "ec"), header(Algorithm::EdDSA, "ed")] {
        assert_eq!(check(&signed(&header, &claims())), Ok(NOW + 160));
    }
    let mut plain = Header::new(Algorithm::ES256);
    assert!(check(&signed(&plain, &claims())).is_ok(), "without a key's id");
    for typ in [None, Some("at+jwt"), Some("application/at+JWT")] {
        plain.typ = typ.map(str::to_owned);
        assert!(check(&signed(&plain, &claims())).is_ok(), "{typ:?}");
    }
    assert!(check(&signed(&plain, &with("aud", json!(["x", "other"])))).is_ok());
    assert!(check(&signed(&plain, &with("exp", json!(NOW as f64 - 58.5)))).is_ok(), "within the leeway");
    assert!(check(&signed(&plain, &with("nbf", json!(NOW + 60)))).is_ok());
}

#[test]
fn refuses_claims_that_do_not_agree() {
    let ec = header(Algorithm::ES256, "ec");
    for (claims, flaw) in [
        (with("exp", json!(NOW - 60)), Flaw::Expired),
        (with("exp", json!(-1)), Flaw::Claim("exp")),
        (with("exp", json!("never")), Flaw::Claim("exp")),
        (with("exp", json!(1e300)), Flaw::Claim("exp")),
        (with("exp", Value::Null), Flaw::Claim("exp")),
        (with("nbf", json!(NOW + 61)), Flaw::Early),
        (with("nbf", json!("now")), Flaw::Claim("nbf")),
        (with("iss", json!("https://id.example/")), Flaw::Issuer),
        (with("iss", json!(["https://id.example"])), Flaw::Claim("iss")),
        (with("aud", json!("gantr")), Flaw::Audience),
        (with("aud", json!([])), Flaw::Audience),
        (with("aud", json!({"gantry": true})), Flaw::Claim("aud")),
    ] {
        assert_eq!(check(&signed(&ec, &claims)), Err(flaw), "{claims}");
    }
    for missing in ["iss", "aud", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().expect("object").remove(missing);
        assert_eq!(check(&signed(&ec, &claims)), Err(Flaw::Claim(missing)));
    }
}

#[test]
fn the_token_does_not_choose_how_it_is_verified() {
    let claims = claims();
    let attack = |header: &Header, key| encode(header, &claims, key).expect("signed");
    // The public key as the secret of an HMAC.
    let secret = EncodingKey::from_secret(&SIGNER.point);
    assert_eq!(check(&attack(&header(Algorithm::HS256, "ec"), &secret)), Err(Flaw::Header("alg")));
    // A published secret is nobody's.
    let secret = EncodingKey::from_secret(b"a secret that a provider should not have published");
    assert_eq!(check(&attack(&header(Algorithm::HS256, "secret"), &secret)), Err(Flaw::Header("alg")));
    // Another key's algorithm, another key's id, a key for something else, and one that is unknown.
    for (algorithm, id) in [
        (Algorithm::ES256, "ed"),
        (Algorithm::EdDSA, "ec"),
        (Algorithm::ES256, "encryption"),
        (Algorithm::ES256, "../../dev/null"),
        (Algorithm::ES256, "' or 1=1 --"),
        (Algorithm::ES256, ""),
    ] {
        let token = signed(&header(algorithm, id), &claims);
        assert_eq!(check(&token), Err(Flaw::UnknownKey), "{algorithm:?} {id}");
    }
    // A stranger's key under a known id, sent along in the header.
    let stranger = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("key");
    let key = EncodingKey::from_ec_der(stranger.to_pkcs8v1().expect("der").as_ref());
    let mut own = header(Algorithm::ES256, "ec");
    let point = stranger.public_key().as_ref();
    let jwk = json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])});
    own.jwk = serde_json::from_value(jwk).ok();
    own.jku = Some("https://stranger.example/keys".into());
    assert!(own.jwk.is_some());
    assert_eq!(check(&attack(&own, &key)), Err(Flaw::Signature));
}

#[test]
fn refuses_headers_that_are_not_understood() {
    let mut critical = header(Algorithm::ES256, "ec");
    critical.crit = Some(vec!["b64".into()]);
    assert_eq!(check(&signed(&critical, &claims())), Err(Flaw::Header("crit")));
    for typ in ["logout+jwt", "dpop+jwt", ""] {
        let mut other = header(Algorithm::ES256, "ec");
        other.typ = Some(typ.into());
        assert_eq!(check(&signed(&other, &claims())), Err(Flaw::Header("typ")));
    }
    let payload = BASE64.encode(claims().to_string());
    for (header, signature) in [
        (r#"{"alg":"none"}"#, ""),
        (r#"{"alg":"None"}"#, ""),
        (r#"{"alg":"NONE"}"#, "AA"),
        (r#"{"alg":["ES256"]}"#, "AA"),
        (r#"{"alg":"ES256","alg":"none"}"#, "AA"),
        (r#"{"kid":"ec"}"#, "AA"),
        ("[]", "AA"),
        ("", ""),
    ] {
        let token = format!("{}.{payload}.{signature}", BASE64.encode(header));
        assert_eq!(check(&token), Err(Flaw::Unreadable), "{header}");
    }
}

#[test]
fn refuses_what_is_no_token() {
    let good = signed(&header(Algorithm::ES256, "ec"), &claims());
    let (head, _) = good.rsplit_once('.').expect("three parts");
    for bad in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", &format!("{good}."), &format!("{good}=")] {
        assert!(check(bad).is_err(), "{bad}");
    }
    assert_eq!(check(&format!("{head}.")), Err(Flaw::Signature));
    let long = signed(&header(Algorithm::ES256, "ec"), &with("x", json!("x".repeat(MAX_TOKEN))));
    assert_eq!(check(&long), Err(Flaw::Unreadable));
}

#[test]
fn a_key_set_without_a_usable_key_is_refused() {
    for json in ["", "{}", "[]", r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#] {
        assert!(KeySet::read(json.as_bytes()).is_err(), "{json}");
    }
}

proptest! {
    #[test]
    fn a_changed_token_is_refused(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.-]") {
        let token = signed(&header(Algorithm::ES256, "ec"), &claims());
        let at = at.index(token.len());
        prop_assume!(token[at..=at] != to);
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        prop_assert!(check(&changed).is_err());
    }

    #[test]
    fn garbage_is_refused_and_no_more(token in ".{0,400}") {
        prop_assert!(check(&token).is_err());
        prop_assert_eq!(claimed_issuer(&token), None);
    }

    #[test]
    fn garbage_between_the_dots_is_refused(header in ".{0,80}", payload in ".{0,80}", signature in ".{0,80}") {
        let [header, payload, signature] = [header, payload, signature].map(|part| BASE64.encode(part));
        let token = format!("{header}.{payload}.{signature}");
        prop_assert!(check(&token).is_err());
    }
}
