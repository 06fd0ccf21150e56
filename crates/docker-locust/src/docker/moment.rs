//! A point in time as people write it (RFC 3339, unix seconds, or so long ago), in the engine's form.

use std::time::Duration;

use jiff::Timestamp;

/// Reads `2026-11-20T10:00:00Z`, `1795168800` (fractions allowed) or `10m`.
pub(crate) fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    if text.bytes().next()?.is_ascii_digit() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        let nanos = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
        return Timestamp::UNIX_EPOCH.checked_add(nanos).ok();
    }
    now.checked_sub(humantime::parse_duration(text).ok()?).ok()
}

/// Seconds and nanoseconds since 1970, as the engine's log query takes them.
pub(crate) fn for_engine(moment: Timestamp) -> String {
    let nanos = moment.as_nanosecond().max(0);
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_forms() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
            ("2026-11-20T12:00:00+02:00", "2026-11-20T10:00:00Z"),
            ("1795168800", "2026-11-20T10:00:00Z"),
            ("1795168800.5", "2026-11-20T10:00:00.5Z"),
            ("10m", "2026-11-20T11:50:00Z"),
            ("1h 30m", "2026-11-20T10:30:00Z"),
        ] {
            assert_eq!(parse(text, now).unwrap().to_string(), expected, "{text}");
        }
        for text in ["", " ", "yesterday", "-5", "1.2.3", "99999999999999999999", "٣", "10m ago"] {
            assert_eq!(parse(text, now), None, "{text}");
        }
    }

    #[test]
    fn writes_what_the_engine_reads() {
        let moment: Timestamp = "1970-01-01T00:00:01.000000002Z".parse().unwrap();
        assert_eq!(for_engine(moment), "1.000000002");
    }
}
