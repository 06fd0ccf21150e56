//! The hidden marks by which a report finds what reports before it have left, on any replica.
//!
//! A mark is a comment of HTML on a line of its own, and the first line of what this server writes, so that nothing a
//! caller sends can stand around it. It holds digests, so that no name can end it. What people quote, indent or put
//! into a block of code is no mark.

use std::fmt;

use crate::forge::once::digest;

const BEGIN: &str = "<!-- gantry:failure ";
const END: &str = " -->";

/// 128 bits of a name's SHA-256, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Digest(String);

/// What a mark says of the failure it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// It happened; in an issue's own text: this is its issue.
    Occurrence(Digest),
    /// The same, of an issue whose occurrences another one has taken over.
    TakenOver(Digest),
    /// This issue is another one's duplicate.
    DuplicateOf(u64),
}

impl Digest {
    /// Of a name.
    pub(super) fn of(name: &str) -> Self {
        Self(digest(name.as_bytes()))
    }

    /// One of 256.
    pub(super) fn first(&self) -> u8 {
        u8::from_str_radix(self.0.get(..2).unwrap_or_default(), 16).unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == 32 && digits).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Mark {
    /// The line that says it of this failure.
    pub(super) fn line(&self, fingerprint: &Digest) -> String {
        let says = match self {
            Self::Occurrence(id) => format!("occurrence {id}"),
            Self::TakenOver(id) => format!("occurrence {id} taken-over"),
            Self::DuplicateOf(number) => format!("duplicate-of {number}"),
        };
        format!("{BEGIN}{fingerprint} {says}{END}")
    }

    /// The first one in a text that is about this failure.
    pub(super) fn find(text: &str, fingerprint: &Digest) -> Option<Self> {
        plain_lines(text).find_map(|line| Self::parse(line, fingerprint))
    }

    fn parse(line: &str, fingerprint: &Digest) -> Option<Self> {
        let words: Vec<_> = line.strip_prefix(BEGIN)?.trim_end().strip_suffix(END)?.split(' ').collect();
        let (failure, says) = words.split_first()?;
        if *failure != fingerprint.0 {
            return None;
        }
        match says {
            ["occurrence", id] => Digest::parse(id).map(Self::Occurrence),
            ["occurrence", id, "taken-over"] => Digest::parse(id).map(Self::TakenOver),
            ["duplicate-of", number] => number.parse().ok().map(Self::DuplicateOf),
            _ => None,
        }
    }
}

/// A text that takes another one's place, and keeps its marks.
pub(in crate::tools) fn kept(old: &str, new: String) -> String {
    let is_mark = |line: &&str| line.starts_with(BEGIN) && line.ends_with(END);
    let marks = plain_lines(old).map(str::trim_end).filter(is_mark);
    let missing: Vec<_> =
        marks.filter(|mark| !plain_lines(&new).any(|line| line.trim_end() == *mark)).collect();
    if missing.is_empty() { new } else { format!("{}\n\n{new}", missing.join("\n")) }
}

/// A text of somebody's in which nothing is a mark any more, whatever it holds.
pub(super) fn without(text: &str) -> String {
    text.replace(BEGIN, "<!-- quoted gantry:failure ")
}

/// A text's lines outside of blocks of code.
fn plain_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut open: Option<Fence<'_>> = None;
    text.lines().filter(move |line| match (&open, Fence::parse(line)) {
        (None, Some(fence)) if fence.opens() => {
            open = Some(fence);
            false
        }
        (Some(opened), Some(fence)) if fence.closes(opened) => {
            open = None;
            false
        }
        (opened, _) => opened.is_none(),
    })
}

/// The line that begins or ends a block of code: three or more of one character, and what follows.
struct Fence<'a> {
    bar: char,
    length: usize,
    rest: &'a str,
}

impl<'a> Fence<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim_start();
        let bar = line.chars().next().filter(|first| matches!(first, '`' | '~'))?;
        let rest = line.trim_start_matches(bar);
        let length = line.len() - rest.len();
        (length >= 3).then_some(Self { bar, length, rest })
    }

    /// Backticks behind backticks make code within a line.
    fn opens(&self) -> bool {
        self.bar == '~' || !self.rest.contains('`')
    }

    fn closes(&self, opened: &Self) -> bool {
        self.bar == opened.bar && self.length >= opened.length && self.rest.trim().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (failure, id) = (Digest::of("--> x"), Digest::of("1"));
        for mark in [Mark::Occurrence(id.clone()), Mark::TakenOver(id.clone()), Mark::DuplicateOf(7)] {
            let text = format!("{}\r\n\nbody", mark.line(&failure));
            assert_eq!(Mark::find(&text, &failure), Some(mark));
            assert_eq!(Mark::find(&text, &Digest::of("another")), None);
        }
    }

    #[test]
    fn what_is_quoted_is_no_mark() {
        let failure = Digest::of("x");
        let line = Mark::Occurrence(Digest::of("1")).line(&failure);
        for text in [
            format!("> {line}"),
            format!("    {line}"),
            format!("see {line}"),
            format!("{line} and more"),
            format!("```\n{line}\n```"),
            format!("~~~ text\n```\n{line}\n```\n{line}\n~~~"),
            format!("````\n```\n{line}\n"),
            without(&line),
            line.replace("occurrence", "occurrences"),
        ] {
            assert_eq!(Mark::find(&text, &failure), None, "{text}");
        }
        for before in ["```\nlog\n```", "``` of `code` ```", "~~~\n```\n~~~~"] {
            assert!(Mark::find(&format!("{before}\n{line}"), &failure).is_some(), "{before}");
        }
    }

    #[test]
    fn a_text_in_place_of_another_keeps_its_marks() {
        let failure = Digest::of("x");
        let mark = Mark::Occurrence(Digest::of("1"));
        let old = format!("{}\r\n\r\nbody", mark.line(&failure));
        for new in ["anew".to_owned(), old.replace("body", "more"), format!("```\n{old}\n```")] {
            let text = kept(&old, new);
            assert_eq!(Mark::find(&text, &failure), Some(mark.clone()), "{text}");
            assert!(plain_lines(&text).filter(|line| line.starts_with(BEGIN)).count() == 1, "{text}");
        }
        assert_eq!(kept(&format!("```\n{old}\n```"), "anew".into()), "anew");
    }

    #[test]
    fn a_digest_says_in_which_line_to_wait() {
        assert_eq!(Digest("7f00".into()).first(), 0x7f);
    }
}
