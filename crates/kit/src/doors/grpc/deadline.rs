//! How long a gRPC client waits, as it says in `grpc-timeout`.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use crate::ToolError;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The client's patience; `None` when it has no end.
///
/// # Errors
/// `VALIDATION_ERROR` for a time that cannot be read.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<Duration>, ToolError> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(None) };
    value.to_str().ok().and_then(parse).map(Some).ok_or_else(|| {
        ToolError::invalid(
            "grpc-timeout",
            "grpc-timeout is not up to eight digits and one of H, M, S, m, u, n",
        )
    })
}

/// gRPC over HTTP/2, "Requests": `Timeout → TimeoutValue TimeoutUnit`.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit_and_nothing_else() {
        for (text, wanted) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("99999999m", Duration::from_millis(99_999_999)),
            ("5u", Duration::from_micros(5)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(parse(text), Some(wanted), "{text}");
        }
        for text in ["", "S", "1", "1s", "-1S", "+1S", "1 S", "123456789S", "1.5S", "1SS", "1é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
