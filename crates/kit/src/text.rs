//! Text of unbounded size: the one type that is cut at a line, and says so.

use schemars::JsonSchema;
use serde::Serialize;

/// Text that was cut to fit, with what is missing and how to get it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Text {
    /// The text, whole or from the first or up to the last of its lines.
    pub text: String,
    /// Present when something was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<Truncated>,
}

/// What was left out of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Truncated {
    /// Bytes left out.
    pub bytes: usize,
    /// Lines left out.
    pub lines: usize,
    /// How to get them.
    pub next: String,
}

impl Text {
    /// Keeps the first lines that fit in `limit` bytes; `next` tells how to get the others.
    pub fn head(mut text: String, limit: usize, next: impl Into<String>) -> Self {
        if text.len() <= limit {
            return Self { text, truncated: None };
        }
        let fits = text.floor_char_boundary(limit);
        // A single line that is too long is cut inside; otherwise only whole lines stay.
        let end = text[..fits].rfind('\n').map_or(fits, |newline| newline + 1);
        let truncated = Truncated {
            bytes: text.len() - end,
            lines: text[end..].lines().count(),
            next: next.into(),
        };
        text.truncate(end);
        Self { text, truncated: Some(truncated) }
    }

    /// Keeps the last lines that fit in `limit` bytes; `next` tells how to get the others.
    pub fn tail(mut text: String, limit: usize, next: impl Into<String>) -> Self {
        if text.len() <= limit {
            return Self { text, truncated: None };
        }
        let fits = text.ceil_char_boundary(text.len() - limit);
        let newline = text[fits.saturating_sub(1)..].find('\n').map(|at| fits.saturating_sub(1) + at + 1);
        let start = newline.filter(|start| *start < text.len()).unwrap_or(fits);
        let truncated =
            Truncated { bytes: start, lines: text[..start].lines().count(), next: next.into() };
        text.drain(..start);
        Self { text, truncated: Some(truncated) }
    }
}

/// A name for a message: at most 80 characters, so that no answer grows with what was sent.
pub fn clip(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_a_line() {
        let log = "one\ntwo\nthree\n";
        let head = Text::head(log.into(), 9, "more");
        assert_eq!(head.text, "one\ntwo\n");
        assert_eq!(head.truncated.expect("cut"), Truncated { bytes: 6, lines: 1, next: "more".into() });
        let tail = Text::tail(log.into(), 9, "more");
        assert_eq!(tail.text, "three\n");
        assert_eq!(tail.truncated.expect("cut"), Truncated { bytes: 8, lines: 2, next: "more".into() });
        assert_eq!(Text::tail(log.into(), 10, "").text, "two\nthree\n");
    }

    #[test]
    fn whole_text_stays() {
        assert_eq!(Text::head("a\nb".into(), 3, "").truncated, None);
        assert_eq!(Text::tail(String::new(), 0, "").truncated, None);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let line = "ä".repeat(100);
        for limit in 0..=line.len() {
            assert!(Text::head(line.clone(), limit, "").text.len() <= limit);
            assert!(Text::tail(line.clone(), limit, "").text.len() <= limit);
        }
        assert_eq!(clip(&line).chars().count(), 81);
    }
}
