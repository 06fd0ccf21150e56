//! A job's log: lines that begin with their time, and among them those by which Gitea's runner marks where steps begin
//! and how they end. What Gitea itself says of steps is the job's conclusion for each of them.

pub(crate) mod tail;

use std::io::{self, BufRead};

use serde::Serialize;

/// So much of a line is looked at; only broken programs write longer ones.
const MAX_LINE: usize = 64 << 10;
/// A log has no more steps than this.
const MOST_STEPS: usize = 200;
const BEGINS: &str = "⭐ Run Main ";
const SUCCEEDS: &str = "✅  Success - Main ";
const FAILS: &str = "❌  Failure - Main ";

/// A line of a log.
pub(crate) struct Line<'a> {
    /// Of its first byte.
    pub(crate) offset: u64,
    /// With its newline.
    pub(crate) len: u64,
    /// Without it, and cut where it is too long.
    pub(crate) bytes: &'a [u8],
}

impl Line<'_> {
    /// What follows the time.
    pub(crate) fn said(&self) -> &[u8] {
        let space = self.bytes.iter().position(|byte| *byte == b' ');
        space.and_then(|at| self.bytes.get(at + 1..)).unwrap_or(self.bytes)
    }
}

/// Hands over one line after the other.
pub(crate) fn lines(mut log: impl BufRead, mut take: impl FnMut(&Line<'_>)) -> io::Result<()> {
    let (mut bytes, mut offset, mut len) = (Vec::new(), 0, 0);
    loop {
        let buffer = log.fill_buf()?;
        if buffer.is_empty() {
            if len > 0 {
                take(&Line { offset, len, bytes: &bytes });
            }
            return Ok(());
        }
        let newline = buffer.iter().position(|byte| *byte == b'\n');
        let read = newline.map_or(buffer.len(), |at| at + 1);
        let text = buffer.get(..newline.unwrap_or(read)).unwrap_or_default();
        let room = MAX_LINE.saturating_sub(bytes.len());
        bytes.extend_from_slice(text.get(..room).unwrap_or(text));
        len += read as u64;
        log.consume(read);
        if newline.is_some() {
            take(&Line { offset, len, bytes: &bytes });
            bytes.clear();
            offset += len;
            len = 0;
        }
    }
}

/// A step's part of a log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    pub(crate) lines: u64,
    #[serde(skip)]
    pub(crate) start: u64,
    #[serde(skip)]
    pub(crate) end: u64,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Success,
    Failure,
    /// Its end is not in the log.
    Unfinished,
}

/// The steps of a log, by its markers.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    pub(crate) steps: Vec<Step>,
    open: bool,
}

impl Steps {
    /// Takes the next line.
    pub(crate) fn push(&mut self, line: &Line<'_>) {
        let end = line.offset + line.len;
        let said = std::str::from_utf8(line.said()).unwrap_or_default();
        if let Some(name) = said.strip_prefix(BEGINS).filter(|_| self.steps.len() < MOST_STEPS) {
            let (name, start) = (name.trim_end().to_owned(), line.offset);
            self.steps.push(Step { name, outcome: Outcome::Unfinished, lines: 1, start, end });
            self.open = true;
        } else if let Some(step) = self.steps.last_mut().filter(|_| self.open) {
            step.end = end;
            step.lines += 1;
            let said = said.trim_start();
            // Newer runners add how long it took.
            for (mark, outcome) in [(SUCCEEDS, Outcome::Success), (FAILS, Outcome::Failure)] {
                if said.strip_prefix(mark).is_some_and(|name| name.starts_with(&step.name)) {
                    step.outcome = outcome;
                    self.open = false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_wherever_they_are_cut() {
        let log = format!("t one\n\nt {}\nt end", "x".repeat(MAX_LINE));
        for size in [1, 2, 7, 1 << 20] {
            let (mut seen, mut next) = (vec![], 0);
            let reader = io::BufReader::with_capacity(size, log.as_bytes());
            lines(reader, |line| {
                assert_eq!(line.offset, next);
                next += line.len;
                seen.push(line.bytes.len());
            })
            .unwrap();
            assert_eq!((seen, next), (vec![5, 0, MAX_LINE, 5], log.len() as u64));
        }
    }

    #[test]
    fn steps_are_told_by_their_marks() {
        let log = "t ⭐ Run Main a b\nt out\nt   ✅  Success - Main a b [1.2s]\nt between\nt ⭐ Run Main c\n\
                   t   ❌  Failure - Main other\nt   ❌  Failure - Main c\nt ⭐ Run Main d\nt half";
        let mut steps = Steps::default();
        lines(log.as_bytes(), |line| steps.push(line)).unwrap();
        let seen: Vec<_> =
            steps.steps.iter().map(|step| (step.name.as_str(), step.outcome, step.lines)).collect();
        let expected =
            [("a b", Outcome::Success, 3), ("c", Outcome::Failure, 3), ("d", Outcome::Unfinished, 2)];
        assert_eq!(seen, expected);
        let c = &steps.steps[1];
        let part = &log[c.start as usize..c.end as usize];
        assert!(part.starts_with("t ⭐ Run Main c\n") && part.ends_with("Failure - Main c\n"), "{part}");
    }
}
