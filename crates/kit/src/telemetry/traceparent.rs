//! `traceparent`, the header that places a request in a trace (W3C Trace Context, level 2, 3.2).

use http::{HeaderName, HeaderValue};

/// The header's name.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The name of the header beside it, which holds what vendors add.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

const SAMPLED: u8 = 1;

/// A place in a trace: the trace, the span that calls, and whether it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace, never 0.
    pub trace: u128,
    /// The span, never 0.
    pub span: u64,
    /// Bit 0: the caller records this trace.
    pub flags: u8,
}

impl Traceparent {
    /// The first span of a new trace.
    #[must_use]
    pub fn root(sampled: bool) -> Self {
        Self { trace: rand::random::<u128>().max(1), span: 0, flags: u8::from(sampled) }.child()
    }

    /// A new span of the same trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span: rand::random::<u64>().max(1), ..self }
    }

    /// Whether the caller records this trace.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Reads the header; what is not valid to the letter is no place in a trace. Versions after 00 may append more.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let hyphens = [2, 35, 52].iter().all(|&at| value.get(at) == Some(&b'-'));
        let version = hexadecimal(value.get(..2)?)?;
        let ends = value.len() == 55 || (version != 0 && value.get(55) == Some(&b'-'));
        if !hyphens || !ends || version == 0xff {
            return None;
        }
        let trace = hexadecimal(value.get(3..35)?)?;
        let span = u64::try_from(hexadecimal(value.get(36..52)?)?).ok()?;
        let flags = u8::try_from(hexadecimal(value.get(53..55)?)?).ok()?;
        (trace != 0 && span != 0).then_some(Self { trace, span, flags })
    }

    /// The header's value, in version 00.
    #[must_use]
    pub fn header(self) -> HeaderValue {
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        digits(&self.trace.to_be_bytes(), &mut value[3..35]);
        digits(&self.span.to_be_bytes(), &mut value[36..52]);
        digits(&[self.flags & SAMPLED], &mut value[53..55]);
        HeaderValue::from_bytes(&value).expect("hexadecimal digits and hyphens")
    }
}

/// Lower case only, as the standard has it.
fn hexadecimal(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

/// Formatting machinery would cost as much as the rest of a request's headers together.
fn digits(bytes: &[u8], digits: &mut [u8]) {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_read_is_written() {
        let parsed = Traceparent::parse(VALID.as_bytes()).expect("valid");
        assert_eq!(parsed.header(), VALID);
        assert!(parsed.is_sampled());
        let child = parsed.child();
        assert_eq!((child.trace, child.flags), (parsed.trace, parsed.flags));
        assert_ne!(child.span, parsed.span);
    }

    #[test]
    fn a_later_version_may_append() {
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more";
        let parsed = Traceparent::parse(later.as_bytes()).expect("valid");
        assert_eq!(parsed.header(), VALID);
    }

    #[test]
    fn anything_else_is_none() {
        let zero_trace = VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        let zero_span = VALID.replace("00f067aa0ba902b7", &"0".repeat(16));
        for value in [
            "",
            "00",
            &VALID[..54],
            &VALID.to_uppercase(),
            &format!("{VALID}-more"),
            &format!("01{}more", &VALID[2..]),
            &VALID.replacen("00", "ff", 1),
            &VALID.replace('-', "_"),
            &VALID.replace("-01", "-+1"),
            &zero_trace,
            &zero_span,
        ] {
            assert_eq!(Traceparent::parse(value.as_bytes()), None, "{value}");
        }
    }
}
