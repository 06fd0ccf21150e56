//! The part of a file that an answer shows, cut out of it while it passes, so that a large file is never held whole.

use kit::{Text, Truncated};

/// So many bytes tell text from binary, as with git.
const PROBE: u64 = 8000;

/// The lines wanted, as far as an answer holds them.
#[derive(Debug)]
pub(super) struct Window {
    first: u64,
    last: u64,
    /// Bytes of the file before this are not wanted.
    from: u64,
    most: usize,
    kept: Vec<u8>,
    /// The line and the byte of the file with which `kept` begins.
    begin: Option<(u64, u64)>,
    /// Bytes that are wanted, kept or not.
    wanted: u64,
    last_wanted: u64,
    seen: u64,
    line: u64,
    in_line: bool,
    binary: bool,
}

/// What is shown of a file.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) text: Text,
    /// Its first line in the file, from 1.
    pub(super) start_line: u64,
    /// Lines of the file.
    pub(super) lines: u64,
    /// Whether it is text of an unknown encoding, read as Latin-1.
    pub(super) is_guess: bool,
}

impl Window {
    /// Lines from `first` to `last`, both from 1 and inclusive, of them what is behind the byte `from`; no more than
    /// `most` bytes.
    pub(super) fn new(first: u64, last: u64, from: u64, most: usize) -> Self {
        Self {
            first,
            last,
            from,
            most: most + 4, // one letter more than fits, so that the cut is made between lines
            kept: vec![],
            begin: None,
            wanted: 0,
            last_wanted: 0,
            seen: 0,
            line: 1,
            in_line: false,
            binary: false,
        }
    }

    /// The next piece of the file.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let probed = PROBE.saturating_sub(self.seen).min(part.len() as u64) as usize;
            self.binary |= part[..probed].contains(&0);
            let skip = self.from.saturating_sub(self.seen).min(part.len() as u64) as usize;
            if (self.first..=self.last).contains(&self.line) && skip < part.len() {
                let part = &part[skip..];
                self.begin.get_or_insert((self.line, self.seen + skip as u64));
                let room = self.most - self.kept.len();
                self.kept.extend_from_slice(&part[..room.min(part.len())]);
                self.wanted += part.len() as u64;
                self.last_wanted = self.line;
            }
            self.seen += part.len() as u64;
            self.in_line = !part.ends_with(b"\n");
            self.line += u64::from(!self.in_line);
        }
    }

    /// Whether the file is no text.
    pub(super) fn is_binary(&self) -> bool {
        self.binary
    }

    /// The text, in `limit` bytes of JSON, with each line's number before it if that is wanted.
    pub(super) fn show(self, limit: usize, numbered: bool) -> Shown {
        let lines = self.line - u64::from(!self.in_line);
        let (start_line, start_byte) = self.begin.unwrap_or((self.first, self.from));
        let (text, is_guess) = decoded(self.kept);
        // What a letter was in the file: Latin-1 has a byte for each.
        let bytes = |text: &str| if is_guess { text.chars().count() } else { text.len() } as u64;
        let shown =
            Text::head(if numbered { with_numbers(&text, start_line) } else { text.clone() }, limit, "");
        let whole = shown.text.matches('\n').count();
        let end = match shown.truncated {
            None => text.len(),
            Some(_) if shown.text.ends_with('\n') => {
                text.match_indices('\n').nth(whole - 1).map_or(text.len(), |(at, _)| at + 1)
            }
            Some(_) if numbered => shown.text.len().saturating_sub(format!("{start_line}\t").len()),
            Some(_) => shown.text.len(),
        };
        let left = self.wanted - bytes(&text[..end]);
        let truncated = (left > 0).then(|| {
            let next = start_line + whole as u64;
            let go_on = if text[..end].ends_with('\n') {
                format!("start_line {next}")
            } else {
                format!("start_byte {}", start_byte + bytes(&text[..end]))
            };
            Truncated {
                bytes: left as usize,
                lines: (self.last_wanted + 1).saturating_sub(next) as usize,
                next: format!("the same call with {go_on}"),
            }
        });
        Shown { text: Text { text: shown.text, truncated }, start_line, lines, is_guess }
    }
}

/// As UTF-8, which may end inside a letter where it was cut; as Latin-1 what is none.
fn decoded(bytes: Vec<u8>) -> (String, bool) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => {
            let (whole, cut) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len().is_none());
            let mut bytes = error.into_bytes();
            if cut && let Ok(text) = std::str::from_utf8(&bytes[..whole]) {
                return (text.to_owned(), false);
            }
            (bytes.drain(..).map(char::from).collect(), true)
        }
    }
}

fn with_numbers(text: &str, first: u64) -> String {
    let lines = text.split_inclusive('\n').zip(first..);
    lines.map(|(line, number)| format!("{number}\t{line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads on as `truncated` says, until nothing is left out.
    fn walk(file: &[u8], limit: usize) -> Vec<u8> {
        let (mut whole, mut line, mut byte) = (vec![], 1, 0);
        loop {
            let mut window = Window::new(line, u64::MAX, byte, limit);
            file.chunks(7).for_each(|piece| window.feed(piece));
            let Shown { text, is_guess, .. } = window.show(limit, false);
            match is_guess {
                true => whole.extend(text.text.chars().map(|letter| letter as u8)),
                false => whole.extend(text.text.as_bytes()),
            }
            let Some(truncated) = text.truncated else { return whole };
            assert_eq!(truncated.bytes, file.len() - whole.len());
            let (kind, number) = truncated.next.rsplit_once(' ').unwrap();
            let number: u64 = number.parse().unwrap();
            (line, byte) = if kind.ends_with("start_line") { (number, 0) } else { (1, number) };
        }
    }

    proptest! {
        #[test]
        fn going_on_shows_the_whole_file(file in "[a-z\"äö€\n]{0,300}", limit in 12usize..80) {
            prop_assert_eq!(walk(file.as_bytes(), limit), file.as_bytes());
        }
    }

    #[test]
    fn latin_1_is_read_too() {
        let file: Vec<u8> = "grün und größer\n".repeat(20).chars().map(|letter| letter as u8).collect();
        assert_eq!(walk(&file, 64), file);
    }

    #[test]
    fn lines_are_counted_and_numbered() {
        let mut window = Window::new(2, 3, 0, 100);
        window.feed(b"one\ntwo\nthree\nfour");
        let shown = window.show(100, true);
        assert_eq!(shown.text, Text { text: "2\ttwo\n3\tthree\n".into(), truncated: None });
        assert_eq!((shown.start_line, shown.lines), (2, 4));
    }

    #[test]
    fn what_holds_zeros_is_no_text() {
        let mut window = Window::new(1, u64::MAX, 0, 100);
        window.feed(b"\x7fELF\0\0");
        assert!(window.is_binary());
    }
}
