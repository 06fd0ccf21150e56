//! A container's log as lines: the engine's frames taken apart (or a terminal's plain stream), and of them
//! only the last that were asked for, so that memory does not grow with the log.

use std::collections::VecDeque;

use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kit::{Text, Truncated};
use regex::Regex;

use crate::error::{Error, Result};

/// A line longer than this is cut in pieces; only broken programs write such.
const MAX_LINE: usize = 64 << 10;
const HEADER: usize = 8;

/// Takes the engine's log stream apart, chunk by chunk.
pub(crate) struct Assembler {
    framed: bool,
    header: Vec<u8>,
    left: usize,
    stream: usize,
    /// The unfinished line of each stream (stdin, stdout, stderr); a terminal has but one.
    partial: [Vec<u8>; 3],
}

impl Assembler {
    /// For a container with a terminal the stream has no frames.
    pub(crate) fn new(tty: bool) -> Self {
        Self {
            framed: !tty,
            header: Vec::with_capacity(HEADER),
            left: 0,
            stream: 1,
            partial: Default::default(),
        }
    }

    /// Takes the next chunk, and hands over every line it completes.
    pub(crate) fn push(&mut self, mut chunk: &[u8], line: &mut impl FnMut(&[u8])) {
        if !self.framed {
            return self.text(chunk, line);
        }
        while !chunk.is_empty() {
            if self.left == 0 {
                let (head, rest) = chunk.split_at(chunk.len().min(HEADER - self.header.len()));
                self.header.extend_from_slice(head);
                chunk = rest;
                if let [stream, _, _, _, a, b, c, d] = self.header[..] {
                    self.stream = usize::from(stream).min(2);
                    self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                    self.header.clear();
                }
            } else {
                let (text, rest) = chunk.split_at(chunk.len().min(self.left));
                self.left -= text.len();
                self.text(text, line);
                chunk = rest;
            }
        }
    }

    /// Hands over what has no newline at its end.
    pub(crate) fn finish(mut self, line: &mut impl FnMut(&[u8])) {
        self.partial.iter_mut().filter(|rest| !rest.is_empty()).for_each(|rest| emit(rest, line));
    }

    fn text(&mut self, text: &[u8], line: &mut impl FnMut(&[u8])) {
        let partial = &mut self.partial[self.stream];
        for piece in text.split_inclusive(|byte| *byte == b'\n').flat_map(|piece| piece.chunks(MAX_LINE)) {
            partial.extend_from_slice(piece);
            if partial.ends_with(b"\n") || partial.len() >= MAX_LINE {
                emit(partial, line);
            }
        }
    }
}

/// Reads an open log to its end.
pub(crate) async fn read(
    mut log: Response<Incoming>,
    mut assembler: Assembler,
    mut line: impl FnMut(&[u8]),
) -> Result<()> {
    while let Some(frame) = log.body_mut().frame().await {
        let frame = frame.map_err(|error| Error::Unexpected(format!("a log that breaks off: {error}")))?;
        if let Some(chunk) = frame.data_ref() {
            assembler.push(chunk, &mut line);
        }
    }
    assembler.finish(&mut line);
    Ok(())
}

fn emit(partial: &mut Vec<u8>, line: &mut impl FnMut(&[u8])) {
    let text = partial.strip_suffix(b"\n").unwrap_or(partial);
    line(text.strip_suffix(b"\r").unwrap_or(text));
    partial.clear();
}

/// The last lines that match.
pub(crate) struct Tail {
    want: usize,
    limit: usize,
    grep: Option<Regex>,
    /// Whether each line begins with its time, which is not what a pattern is about.
    timed: bool,
    kept: VecDeque<String>,
    kept_bytes: usize,
    /// The lengths of the last `want` lines, kept or not: what tells how much did not fit.
    lengths: VecDeque<usize>,
}

impl Tail {
    /// At most `want` lines, and of them what fits in `limit` bytes of JSON.
    pub(crate) fn new(want: usize, limit: usize, grep: Option<Regex>, timed: bool) -> Self {
        Self { want, limit, grep, timed, kept: VecDeque::new(), kept_bytes: 0, lengths: VecDeque::new() }
    }

    /// Takes one line.
    pub(crate) fn push(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let said = line.split_once(' ').filter(|_| self.timed).map_or(&*line, |(_, said)| said);
        if self.grep.as_ref().is_some_and(|grep| !grep.is_match(said)) {
            return;
        }
        self.kept_bytes += cost(&line);
        self.lengths.push_back(line.len() + 1);
        self.kept.push_back(line.into_owned());
        if self.lengths.len() > self.want {
            self.lengths.pop_front();
        }
        while self.kept.len() > self.want || (self.kept_bytes > self.limit && self.kept.len() > 1) {
            self.kept_bytes -= self.kept.pop_front().map_or(0, |line| cost(&line));
        }
    }

    /// The lines there are, with how many did not fit.
    pub(crate) fn finish(self, next: &str) -> (usize, Text) {
        let lines = self.kept.len();
        let (missing_lines, all) = (self.lengths.len() - lines, self.lengths.iter().sum::<usize>());
        let mut text = String::with_capacity(self.kept_bytes);
        for line in &self.kept {
            text.push_str(line);
            text.push('\n');
        }
        let mut text = Text::tail(text, self.limit, next);
        if missing_lines > 0 || text.truncated.is_some() {
            let bytes = all - text.text.len();
            text.truncated = Some(Truncated { bytes, lines: missing_lines, next: next.to_owned() });
        }
        (lines, text)
    }
}

/// What a line with its newline takes in JSON, which is what the limit of an answer counts.
fn cost(line: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    line.bytes().map(escaped).sum::<usize>() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend(text.as_bytes());
        frame
    }

    fn lines(tty: bool, chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut keep = |line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
        let mut assembler = Assembler::new(tty);
        for chunk in chunks {
            assembler.push(chunk, &mut keep);
        }
        assembler.finish(&mut keep);
        lines
    }

    #[test]
    fn frames_come_apart_wherever_the_stream_is_cut() {
        let log = [frame(1, "a\nhalf "), frame(2, "oops\n"), frame(1, "b\n"), frame(1, ""), frame(2, "end")]
            .concat();
        for size in 1..=log.len() {
            let chunks: Vec<&[u8]> = log.chunks(size).collect();
            assert_eq!(lines(false, &chunks), ["a", "oops", "half b", "end"], "cut every {size} bytes");
        }
    }

    #[test]
    fn a_terminal_has_no_frames() {
        assert_eq!(lines(true, &[b"\x01one\r\ntw", b"o\n"]), ["\u{1}one", "two"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let endless = vec![b'x'; 3 * MAX_LINE + 1];
        assert_eq!(
            lines(true, &[&endless]).iter().map(String::len).collect::<Vec<_>>(),
            [MAX_LINE, MAX_LINE, MAX_LINE, 1]
        );
    }

    #[test]
    fn keeps_the_last_lines_that_match() {
        let mut tail = Tail::new(2, 1000, Some(Regex::new("^k").unwrap()), false);
        ["k1", "x", "k2", "k3"].iter().for_each(|line| tail.push(line.as_bytes()));
        let (lines, text) = tail.finish("");
        assert_eq!((lines, text.text.as_str(), text.truncated), (2, "k2\nk3\n", None));
    }

    #[test]
    fn a_pattern_is_about_what_follows_the_time() {
        let mut tail = Tail::new(5, 1000, Some(Regex::new("^E|^2026").unwrap()), true);
        ["2026-11-20T10:00:00Z E1", "2026-11-20T10:00:00Z x"]
            .iter()
            .for_each(|line| tail.push(line.as_bytes()));
        assert_eq!(tail.finish("").1.text, "2026-11-20T10:00:00Z E1\n");
    }

    #[test]
    fn says_what_did_not_fit() {
        let mut tail = Tail::new(3, 10, None, false);
        ["gone", "one", "two", "three"].iter().for_each(|line| tail.push(line.as_bytes()));
        let (lines, text) = tail.finish("less");
        assert_eq!((lines, text.text.as_str()), (1, "three\n"));
        assert_eq!(text.truncated.unwrap(), Truncated { bytes: 8, lines: 2, next: "less".into() });
    }

    #[test]
    fn one_line_that_is_too_long_is_cut_inside() {
        let mut tail = Tail::new(3, 8, None, false);
        tail.push("abcdefghijklmn".as_bytes());
        let (lines, text) = tail.finish("less");
        assert!(lines == 1 && text.text.ends_with("lmn\n") && text.text.len() <= 8, "{text:?}");
        assert_eq!(text.truncated.unwrap().bytes, 15 - text.text.len());
    }
}
