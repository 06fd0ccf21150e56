//! W3C trace context: one valid `traceparent` goes on unchanged, anything else starts a new trace.

use http::header::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Makes sure that the request belongs to a trace.
pub(crate) fn ensure(headers: &mut HeaderMap) {
    let mut values = headers.get_all(TRACEPARENT).iter();
    if let (Some(value), None) = (values.next(), values.next())
        && is_valid(value.as_bytes())
    {
        return;
    }
    headers.insert(TRACEPARENT, fresh());
    // Without its parent a state means nothing.
    headers.remove(TRACESTATE);
}

/// A new trace, marked as sampled: servers that follow their parent would record nothing otherwise.
fn fresh() -> HeaderValue {
    let (trace, span) = (fastrand::u128(1..), fastrand::u64(1..));
    let mut value = *b"00-00000000000000000000000000000000-0000000000000000-01";
    hex(&trace.to_be_bytes(), &mut value[3..35]);
    hex(&span.to_be_bytes(), &mut value[36..52]);
    HeaderValue::from_bytes(&value).expect("hexadecimal digits and hyphens")
}

/// Formatting machinery would cost as much as the rest of the headers together.
fn hex(bytes: &[u8], digits: &mut [u8]) {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

/// `version-trace-parent-flags`; versions after 00 may append more.
fn is_valid(value: &[u8]) -> bool {
    let field = |from: usize, to: usize| value.get(from..to).filter(|it| it.iter().all(is_lower_hex));
    let hyphens = [2, 35, 52].iter().all(|&at| value.get(at) == Some(&b'-'));
    let not_zero = |it: &[u8]| it.iter().any(|&byte| byte != b'0');
    let version = match field(0, 2) {
        Some(version) if version != b"ff" => version,
        _ => return false,
    };
    hyphens
        && field(3, 35).is_some_and(not_zero)
        && field(36, 52).is_some_and(not_zero)
        && field(53, 55).is_some()
        && (value.len() == 55 || (version != b"00" && value[55] == b'-'))
}

fn is_lower_hex(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn after(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, value.parse().expect("value"));
        }
        headers.insert(TRACESTATE, HeaderValue::from_static("vendor=1"));
        ensure(&mut headers);
        assert_eq!(headers.get_all(TRACEPARENT).iter().count(), 1);
        headers
    }

    #[test]
    fn a_valid_one_stays() {
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        for value in [VALID, later] {
            let headers = after(&[value]);
            assert_eq!(headers[TRACEPARENT], value);
            assert_eq!(headers[TRACESTATE], "vendor=1");
        }
    }

    #[test]
    fn anything_else_starts_a_new_trace() {
        let zero_trace = VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        let zero_span = VALID.replace("00f067aa0ba902b7", &"0".repeat(16));
        for values in [
            &[][..],
            &[VALID, VALID],
            &[""],
            &["00"],
            &[&VALID[..54]],
            &[&VALID.to_uppercase()],
            &[&format!("{VALID}-more")],
            &[&VALID.replacen("00", "ff", 1)],
            &[&VALID.replace('-', "_")],
            &[&zero_trace],
            &[&zero_span],
        ] {
            let headers = after(values);
            let made = &headers[TRACEPARENT];
            assert!(is_valid(made.as_bytes()), "{made:?}");
            assert_ne!(made, VALID);
            assert!(!headers.contains_key(TRACESTATE), "{values:?}");
        }
        assert_ne!(fresh(), fresh());
    }
}
