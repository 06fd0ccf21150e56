//! A token from anyone: none is believed, and none ends the program. Either the input is the token, or its lines are
//! header, claims and signature, which reaches deeper.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let token = if input.starts_with(b"{") {
        let parts: Vec<_> =
            input.splitn(3, |byte| *byte == b'\n').map(|it| URL_SAFE_NO_PAD.encode(it)).collect();
        parts.join(".")
    } else {
        String::from_utf8_lossy(input).into_owned()
    };
    assert!(!kit::testing::verify_token(&token), "believed: {token}");
});
