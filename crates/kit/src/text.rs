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
    /// Keeps the first lines that fit in `limit` bytes of JSON; `next` tells how to get the others.
    pub fn head(mut text: String, limit: usize, next: impl Into<String>) -> Self {
        let fits = fitting(text.char_indices().map(|(at, letter)| (at + letter.len_utf8(), letter)), limit);
        let Some(fits) = fits else { return Self { text, truncated: None } };
        // A single line that is too long is cut inside; otherwise only whole lines stay.
        let end = text[..fits].rfind('\n').map_or(fits, |newline| newline + 1);
        let truncated =
            Truncated { bytes: text.len() - end, lines: text[end..].lines().count(), next: next.into() };
        text.truncate(end);
        Self { text, truncated: Some(truncated) }
    }

    /// Keeps the last lines that fit in `limit` bytes of JSON; `next` tells how to get the others.
    pub fn tail(mut text: String, limit: usize, next: impl Into<String>) -> Self {
        let Some(fits) = fitting(text.char_indices().rev(), limit) else {
            return Self { text, truncated: None };
        };
        let fits = if fits == 0 { text.len() } else { fits };
        let begins_line = text[..fits].ends_with('\n');
        let newline = text[fits..].find('\n').map(|at| fits + at + 1);
        let start = if begins_line { fits } else { newline.filter(|at| *at < text.len()).unwrap_or(fits) };
        let truncated = Truncated { bytes: start, lines: text[..start].lines().count(), next: next.into() };
        text.drain(..start);
        Self { text, truncated: Some(truncated) }
    }
}

/// The last boundary of `letters` up to which they fit in `limit` bytes of JSON; `None` when all do. 0 when
/// not even the first does.
fn fitting(letters: impl Iterator<Item = (usize, char)>, limit: usize) -> Option<usize> {
    let mut size = 0;
    let mut boundary = 0;
    for (at, letter) in letters {
        size += match letter {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            control if control < ' ' => 6,
            other => other.len_utf8(),
        };
        if size > limit {
            return Some(boundary);
        }
        boundary = at;
    }
    None
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
        let head = Text::head(log.into(), 11, "more");
        assert_eq!(head.text, "one\ntwo\n");
        assert_eq!(head.truncated.expect("cut"), Truncated { bytes: 6, lines: 1, next: "more".into() });
        let tail = Text::tail(log.into(), 11, "more");
        assert_eq!(tail.text, "three\n");
        assert_eq!(tail.truncated.expect("cut"), Truncated { bytes: 8, lines: 2, next: "more".into() });
        assert_eq!(Text::tail(log.into(), 12, "").text, "two\nthree\n");
    }

    #[test]
    fn whole_text_stays() {
        assert_eq!(Text::head("a\nb".into(), 4, "").truncated, None);
        assert_eq!(Text::tail(String::new(), 0, "").truncated, None);
    }

    proptest::proptest! {
        #[test]
        fn fits_as_json_and_loses_nothing(text in "(\\PC|[\n\"\u{1}])*", limit in 0usize..100) {
            for (cut, head) in [(Text::head(text.clone(), limit, ""), true), (Text::tail(text.clone(), limit, ""), false)] {
                let json = serde_json::to_string(&cut.text).expect("json");
                proptest::prop_assert!(json.len() - 2 <= limit, "{json} over {limit}");
                let left_out = cut.truncated.map_or(0, |truncated| truncated.bytes);
                proptest::prop_assert_eq!(cut.text.len() + left_out, text.len());
                let kept = if head { text.starts_with(&cut.text) } else { text.ends_with(&cut.text) };
                proptest::prop_assert!(kept, "{} is not an end of {}", cut.text, text);
            }
        }
    }

    #[test]
    fn a_name_is_clipped_between_characters() {
        assert_eq!(clip(&"ä".repeat(100)).chars().count(), 81);
        assert_eq!(clip("short"), "short");
    }
}
