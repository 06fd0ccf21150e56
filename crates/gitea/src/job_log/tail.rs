//! The last lines of those that are wanted, so that memory does not grow with the log.

use std::collections::VecDeque;

use kit::{Text, Truncated};

use super::Line;

/// Lines on their way through.
#[derive(Debug)]
pub(crate) struct Tail {
    want: usize,
    limit: usize,
    kept: VecDeque<Vec<u8>>,
    kept_bytes: usize,
    /// Of all that were wanted.
    lines: usize,
    bytes: u64,
}

impl Tail {
    /// At most `want` lines, and of them what fits in `limit` bytes of JSON.
    pub(crate) fn new(want: usize, limit: usize) -> Self {
        Self { want, limit, kept: VecDeque::new(), kept_bytes: 0, lines: 0, bytes: 0 }
    }

    /// Takes one line.
    pub(crate) fn push(&mut self, line: &Line<'_>) {
        self.lines += 1;
        self.bytes += line.len;
        self.kept_bytes += line.bytes.len() + 1;
        self.kept.push_back(line.bytes.to_vec());
        while self.kept.len() > self.want || self.kept_bytes > self.limit && self.kept.len() > 1 {
            self.kept_bytes -= self.kept.pop_front().map_or(0, |line| line.len() + 1);
        }
    }

    /// How many lines there were, and the last of them. What is no UTF-8 shows as �.
    pub(crate) fn finish(self, next: &str) -> (usize, Text) {
        let mut text = String::with_capacity(self.kept_bytes);
        for line in &self.kept {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
        let mut text = Text::tail(text, self.limit, next);
        let missing = self.lines - text.text.lines().count().min(self.lines);
        if missing > 0 || text.truncated.is_some() {
            let bytes = usize::try_from(self.bytes).unwrap_or(usize::MAX).saturating_sub(text.text.len());
            text.truncated = Some(Truncated { bytes, lines: missing, next: next.to_owned() });
        }
        (self.lines, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(want: usize, limit: usize, log: &str) -> (usize, Text) {
        let mut tail = Tail::new(want, limit);
        super::super::lines(log.as_bytes(), |line| tail.push(line)).unwrap();
        tail.finish("more")
    }

    #[test]
    fn keeps_the_last_lines_and_says_what_is_missing() {
        let (lines, text) = tail(2, 100, "one\ntwo\nthree\n");
        assert_eq!((lines, text.text.as_str()), (3, "two\nthree\n"));
        assert_eq!(text.truncated.unwrap(), Truncated { bytes: 4, lines: 1, next: "more".into() });
        assert_eq!(tail(9, 100, "one\ntwo\n").1.truncated, None);
        let (_, text) = tail(9, 8, "one\ntwo\nthree\n");
        assert_eq!((text.text.as_str(), text.truncated.unwrap().lines), ("three\n", 2));
    }
}
