//! Where a reader of a diff goes on, and in which diff: the commits it lies between travel along.

use std::fmt;
use std::str::FromStr;

use super::Span;
use crate::error::{Error, Result};

/// So many digits of a commit's name tell it from the others.
const DIGITS: usize = 12;

/// Which diff it is: a pull request's changes whenever one of these does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Version {
    pub(crate) head: String,
    pub(crate) base: String,
    pub(crate) binary: bool,
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum At {
    /// The list of files, after so many.
    File(u64),
    /// The diff itself.
    Text(Span),
}

/// `next_cursor` and `diff_cursor`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cursor {
    pub(crate) version: Version,
    pub(crate) at: At,
}

impl Version {
    pub(crate) fn new(head: &str, base: &str, binary: bool) -> Self {
        let short = |sha: &str| sha.get(..DIGITS).unwrap_or(sha).to_owned();
        Self { head: short(head), base: short(base), binary }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { head, base, binary } = self;
        write!(f, "{head}.{base}.{}", if *binary { "b" } else { "t" })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            At::File(skip) => write!(f, "{}.{skip}", self.version),
            At::Text(Span { offset, end, lines }) => write!(f, "{}.{offset}.{end}.{lines}", self.version),
        }
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let parts: Vec<&str> = text.split('.').collect();
            let (version, numbers) = parts.split_at_checked(3)?;
            let numbers: Vec<u64> = numbers.iter().map(|it| it.parse()).collect::<Result<_, _>>().ok()?;
            let at = match *numbers {
                [skip] => At::File(skip),
                [offset, end, lines] => At::Text(Span { offset, end, lines }),
                _ => return None,
            };
            let [head, base, kind] = version else { return None };
            Some(Self { version: Version::new(head, base, *kind == "b"), at })
        };
        read()
            .ok_or_else(|| Error::argument("cursor", "cursor is none of a diff's next_cursor or diff_cursor"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_went() {
        let version = Version::new("0123456789abcdef", "fedcba9876543210", true);
        for at in [At::File(30), At::Text(Span { offset: 1, end: 9, lines: 2 })] {
            let cursor = Cursor { version: version.clone(), at };
            assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        }
        for bad in ["", "a.b.t", "a.b.t.x", "a.b.t.1.2", "2.30"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
