//! A diff as git writes it, read in one pass however large it is: where each file's part begins, and what it does.

pub(crate) mod cursor;
mod name;
pub(crate) mod piece;

use std::io::{self, BufRead, Read};

use serde::Serialize;

use name::{Header, both};

/// So much of a line is looked at; no path is longer, twice.
const START: u64 = 16 << 10;

/// The part of one file.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub(crate) struct Part {
    pub(crate) path: String,
    pub(crate) previous_path: Option<String>,
    /// `added`, `deleted`, `renamed`, `copied` or `changed`.
    pub(crate) status: &'static str,
    pub(crate) binary: Option<bool>,
    pub(crate) additions: u64,
    pub(crate) deletions: u64,
    pub(crate) hunks: u64,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    /// Where it begins.
    #[serde(skip)]
    pub(crate) offset: u64,
}

/// Of the whole diff.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Totals {
    pub(crate) files: u64,
    pub(crate) additions: u64,
    pub(crate) deletions: u64,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
}

/// Some of its lines, one behind the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) end: u64,
    pub(crate) lines: u64,
}

impl Part {
    pub(crate) fn span(&self) -> Span {
        Span { offset: self.offset, end: self.offset + self.bytes, lines: self.lines }
    }

    /// Takes a line of the part in; hunks begin with the first `@@`, and before them stand names.
    fn take(&mut self, line: &[u8]) {
        match line {
            _ if line.starts_with(b"@@ ") => self.hunks += 1,
            [b'+', ..] if self.hunks > 0 => self.additions += 1,
            [b'-', ..] if self.hunks > 0 => self.deletions += 1,
            _ if self.hunks > 0 => {}
            _ => match Header::read(line) {
                Header::Added => self.status = "added",
                Header::Deleted => self.status = "deleted",
                Header::RenamedFrom(path) => (self.status, self.previous_path) = ("renamed", Some(path)),
                Header::CopiedFrom(path) => (self.status, self.previous_path) = ("copied", Some(path)),
                Header::Path(path) => self.path = path,
                Header::Binary => self.binary = Some(true),
                Header::Other => {}
            },
        }
    }
}

impl Totals {
    fn add(&mut self, part: &Part) {
        self.files += 1;
        self.additions += part.additions;
        self.deletions += part.deletions;
    }
}

/// Reads a diff through and hands over each part as it ends.
pub(crate) fn read(mut diff: impl BufRead, mut part: impl FnMut(Part)) -> io::Result<Totals> {
    let (mut totals, mut line) = (Totals::default(), vec![]);
    let mut open: Option<Part> = None;
    loop {
        let len = next_line(&mut diff, &mut line)?;
        // No line of a hunk or of a binary patch can look like this.
        let begins = line.strip_prefix(b"diff --git ");
        if (begins.is_some() || len == 0)
            && let Some(done) = open.take()
        {
            totals.add(&done);
            part(done);
        }
        if len == 0 {
            return Ok(totals);
        }
        if let Some(names) = begins {
            open =
                Some(Part { path: both(names), status: "changed", offset: totals.bytes, ..Part::default() });
        }
        if let Some(open) = &mut open {
            open.take(&line);
            open.bytes += len;
            open.lines += 1;
        }
        totals.bytes += len;
        totals.lines += 1;
    }
}

/// The hunks from `first` to `last`, counted from 1, of the part that `diff` holds, which begins at `offset`.
pub(crate) fn hunks(mut diff: impl BufRead, offset: u64, first: u64, last: u64) -> io::Result<Option<Span>> {
    let (mut at, mut hunk, mut line) = (offset, 0, vec![]);
    let mut span: Option<Span> = None;
    loop {
        let len = next_line(&mut diff, &mut line)?;
        if len == 0 {
            return Ok(span);
        }
        hunk += u64::from(line.starts_with(b"@@ "));
        if hunk > last {
            return Ok(span);
        }
        if hunk >= first {
            let span = span.get_or_insert(Span { offset: at, end: at, lines: 0 });
            (span.end, span.lines) = (at + len, span.lines + 1);
        }
        at += len;
    }
}

/// The start of the next line, and the length of all of it; 0 at the end.
fn next_line(diff: &mut impl BufRead, start: &mut Vec<u8>) -> io::Result<u64> {
    start.clear();
    let len = diff.take(START).read_until(b'\n', start)? as u64;
    let whole = len < START || start.ends_with(b"\n");
    Ok(if whole { len } else { len + diff.skip_until(b'\n')? as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "\
diff --git a/a b.txt b/a b.txt
index 1..2 100644
--- a/a b.txt\t
+++ b/a b.txt\t
@@ -1,2 +1,2 @@
 same
--- looks like a header
+++ looks like one too
@@ -9 +9 @@ fn x()
-x
+y
\\ No newline at end of file
diff --git a/old.bin b/new.bin
similarity index 100%
rename from old.bin
rename to new.bin
diff --git a/logo.png b/logo.png
new file mode 100644
index 0..1
Binary files /dev/null and b/logo.png differ
diff --git a/gone b/gone
deleted file mode 100644
index 1..0
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-x
";

    fn parts(diff: &[u8]) -> (Vec<Part>, Totals) {
        let mut parts = vec![];
        let totals = read(diff, |part| parts.push(part)).unwrap();
        (parts, totals)
    }

    #[test]
    fn knows_what_happens_to_each_file() {
        let (parts, totals) = parts(DIFF.as_bytes());
        let told: Vec<_> =
            parts.iter().map(|it| (&*it.path, it.status, it.additions, it.deletions, it.hunks)).collect();
        assert_eq!(
            told,
            [
                ("a b.txt", "changed", 2, 2, 2),
                ("new.bin", "renamed", 0, 0, 0),
                ("logo.png", "added", 0, 0, 0),
                ("gone", "deleted", 0, 1, 1),
            ]
        );
        assert_eq!(parts[1].previous_path.as_deref(), Some("old.bin"));
        assert_eq!(parts[2].binary, Some(true));
        assert_eq!((totals.files, totals.bytes), (4, DIFF.len() as u64));
        assert_eq!(totals.lines as usize, DIFF.lines().count());
    }

    #[test]
    fn parts_lie_one_behind_the_other() {
        let (parts, totals) = parts(DIFF.as_bytes());
        let end = parts.iter().fold(0, |end, part| {
            assert_eq!(part.offset, end);
            assert!(DIFF[part.offset as usize..].starts_with("diff --git "));
            end + part.bytes
        });
        assert_eq!(end, totals.bytes);
    }

    #[test]
    fn finds_hunks() {
        let text = |span: Span| &DIFF[span.offset as usize..span.end as usize];
        let part = &parts(DIFF.as_bytes()).0[0];
        let of = |first, last| hunks(&DIFF.as_bytes()[..part.bytes as usize], 0, first, last).unwrap();
        let second = of(2, 2).unwrap();
        assert!(text(second).starts_with("@@ -9 +9 @@") && text(second).ends_with("end of file\n"));
        assert_eq!(second.lines, 4);
        assert!(text(of(1, 1).unwrap()).ends_with("one too\n"));
        assert_eq!(of(1, 9).unwrap().end, part.bytes);
        assert_eq!(of(3, 4), None);
    }

    #[test]
    fn a_line_of_any_length_is_one() {
        let long =
            [b"diff --git a/x b/x\n@@ -0,0 +1 @@\n+", &[b'x'; 3 * START as usize][..], b"\n+y"].concat();
        let (parts, totals) = parts(&long);
        assert_eq!((parts[0].additions, totals.lines, totals.bytes), (2, 4, long.len() as u64));
    }
}
