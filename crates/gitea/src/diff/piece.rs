//! How much of a diff goes into one answer: whole lines within a budget, as text where they are text.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kit::Text;

/// What an answer may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Of JSON.
    pub(crate) bytes: usize,
    pub(crate) lines: u64,
}

/// Some of a diff.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    /// What is no UTF-8.
    Bytes(Vec<u8>),
}

impl Piece {
    /// As much from the start of `window`, which is no longer than the budget, as goes out in one answer; `last` says
    /// that nothing follows behind it. Never nothing out of something.
    pub(crate) fn cut(window: &[u8], last: bool, budget: Budget) -> Self {
        let limited = first_lines(window, budget.lines);
        let last = last && limited.len() == window.len();
        let (text, broken) = match std::str::from_utf8(limited) {
            Ok(text) => (text, false),
            Err(error) => {
                let valid = limited.split_at(error.valid_up_to()).0;
                // A character that the window cuts in two is none that is broken.
                let broken = last || error.error_len().is_some();
                (std::str::from_utf8(valid).unwrap_or_default(), broken)
            }
        };
        let whole = last && !broken;
        let lines = text.rfind('\n').map(|at| at + 1);
        let end = match lines {
            _ if whole => text.len(),
            Some(end) => end,
            None if broken => 0,
            None => text.len(),
        };
        if end > 0 {
            return Self::Text(Text::head(text[..end].to_owned(), budget.bytes, "").text);
        }
        Self::Bytes(of_one_file(limited, budget.bytes / 4 * 3).to_vec())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(crate) fn lines(&self) -> u64 {
        self.bytes().iter().filter(|byte| **byte == b'\n').count() as u64
    }

    /// The piece as an answer has it: as text, or in base64.
    pub(crate) fn into_fields(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Text(text) => (Some(text), None),
            Self::Bytes(bytes) => (None, Some(BASE64_STANDARD.encode(bytes))),
        }
    }
}

fn first_lines(window: &[u8], lines: u64) -> &[u8] {
    let lines = usize::try_from(lines).unwrap_or(usize::MAX);
    match window.split_inclusive(|byte| *byte == b'\n').nth(lines) {
        Some(_) => {
            let kept = window.split_inclusive(|byte| *byte == b'\n').take(lines).map(<[u8]>::len).sum();
            window.split_at(kept).0
        }
        None => window,
    }
}

/// The file that comes next may be text again.
fn of_one_file(bytes: &[u8], limit: usize) -> &[u8] {
    let fits = bytes.get(..limit).unwrap_or(bytes);
    let next = fits.windows(12).position(|at| at == b"\ndiff --git ");
    let line = if fits.len() < bytes.len() { fits.iter().rposition(|byte| *byte == b'\n') } else { None };
    match next.or(line) {
        Some(newline) => fits.split_at(newline + 1).0,
        None => fits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(window: &[u8], last: bool, bytes: usize, lines: u64) -> Piece {
        Piece::cut(window, last, Budget { bytes, lines })
    }

    fn text(text: &str) -> Piece {
        Piece::Text(text.into())
    }

    #[test]
    fn keeps_whole_lines() {
        assert_eq!(cut(b"a\nb\nc", true, 100, 100), text("a\nb\nc"));
        assert_eq!(cut(b"a\nb\nc", false, 100, 100), text("a\nb\n"));
        assert_eq!(cut(b"a\nb\nc\n", true, 100, 2), text("a\nb\n"));
        assert_eq!(cut("long ä".as_bytes().split_at(6).0, false, 100, 9), text("long "));
    }

    #[test]
    fn what_is_no_text_comes_as_bytes() {
        assert_eq!(cut(b"a\nb\xff\n", true, 100, 9), text("a\n"));
        assert_eq!(cut(b"b\xff\nc\n", true, 100, 9), Piece::Bytes(b"b\xff\nc\n".to_vec()));
        assert_eq!(cut(b"b\xff\ndiff --git a", true, 100, 9), Piece::Bytes(b"b\xff\n".to_vec()));
        assert_eq!(cut(b"\xc3", true, 100, 9), Piece::Bytes(b"\xc3".to_vec()));
    }

    proptest::proptest! {
        #[test]
        fn pieces_make_up_the_whole(
            diff in proptest::collection::vec(proptest::prop_oneof![
                proptest::prelude::Just(b"diff --git a/x b/x\n".to_vec()),
                proptest::prelude::Just("+ä\"\n".as_bytes().to_vec()),
                proptest::collection::vec(0u8..=255, 0..40),
            ], 0..30),
            bytes in 16usize..200,
            lines in 1u64..9,
        ) {
            let diff = diff.concat();
            let (mut at, mut rebuilt) = (0, vec![]);
            while at < diff.len() {
                let end = (at + bytes).min(diff.len());
                let piece = cut(&diff[at..end], end == diff.len(), bytes, lines);
                proptest::prop_assert!(!piece.bytes().is_empty() && piece.lines() <= lines);
                at += piece.bytes().len();
                let (text, base64) = match &piece {
                    Piece::Text(text) => (serde_json::to_string(text).unwrap().len() - 2, 0),
                    Piece::Bytes(bytes) => (0, BASE64_STANDARD.encode(bytes).len()),
                };
                proptest::prop_assert!(text.max(base64) <= bytes);
                rebuilt.extend_from_slice(piece.bytes());
            }
            proptest::prop_assert_eq!(rebuilt, diff);
        }
    }
}
