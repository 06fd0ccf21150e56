//! A job's log at a price an agent can afford: its end, the lines that match, the step that failed, or all of it piece
//! by piece.

use std::io::BufReader;

use jiff::Timestamp;
use kit::{Text, Truncated};
use regex::bytes::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::WhichJob;
use super::artifacts::Output;
use crate::diff::piece::{Budget, Piece};
use crate::error::{Error, Result};
use crate::forge::download::Downloaded;
use crate::forge::spool::{Content, Reader};
use crate::forge::{ALL, Forge};
use crate::job_log::tail::Tail;
use crate::job_log::{self, Outcome, Step, Steps};
use crate::model::actions::Job;
use crate::model::name::Repo;
use crate::tool::Answer;

const LINES: usize = 200;
const BYTES: usize = 64 << 10;
/// Less holds no line worth reading.
const LEAST_BYTES: usize = 256;
/// A compiled pattern may take so much memory.
const MAX_PATTERN: usize = 1 << 20;
/// The value of `step` that stands for whichever failed.
const FAILED: &str = "failed";
/// The cursor of a log's first byte.
const START: &str = "start";

/// What of the log.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Wanted {
    tail_lines: Option<usize>,
    max_bytes: Option<usize>,
    /// only lines that match this regex
    grep: Option<String>,
    /// only this step's lines; failed: of those that failed
    step: Option<String>,
    /// the whole log forward: start, then next_cursor
    cursor: Option<String>,
}

/// Lines of a log.
#[derive(Serialize)]
struct Preview {
    job_id: u64,
    job: Option<String>,
    status: Option<String>,
    conclusion: Option<String>,
    /// Of the whole log.
    bytes: u64,
    /// By the log's own marks.
    steps: Vec<Step>,
    /// Lines that were wanted, in `text` or not.
    lines: usize,
    #[serde(flatten)]
    text: Text,
}

/// A piece of a log.
#[derive(Serialize)]
struct Excerpt {
    job_id: u64,
    status: Option<String>,
    /// Of the whole log.
    bytes: u64,
    /// Of this piece's first byte.
    offset: u64,
    text: Option<String>,
    /// Instead of text, what is no UTF-8.
    base64: Option<String>,
    truncated: Option<Truncated>,
    /// Also at the end of a log that still grows.
    next_cursor: Option<String>,
}

/// A log, and whose it is.
struct Log {
    job_id: u64,
    /// `None` where the forge has no single jobs yet.
    job: Option<Job>,
    content: Content,
}

pub(super) async fn get_job_log_preview(
    forge: Forge,
    repo: Repo,
    which: WhichJob,
    wanted: Wanted,
) -> Result<Answer> {
    let limit = wanted.max_bytes.unwrap_or(BYTES).min(forge.kit().text_limit());
    if limit < LEAST_BYTES {
        return Err(Error::argument("max_bytes", format!("max_bytes must be at least {LEAST_BYTES}")));
    }
    let Some(cursor) = &wanted.cursor else {
        let grep = wanted.grep.as_deref().map(pattern).transpose()?;
        let tail = Tail::new(wanted.tail_lines.unwrap_or(LINES), limit);
        let log = Log::open(&forge, &repo, &which).await?;
        return Ok(log.preview(wanted.step, grep, tail).await?.into());
    };
    for (field, given) in [("grep", wanted.grep.is_some()), ("step", wanted.step.is_some())] {
        if given {
            let message = format!("{field} goes without cursor, which walks the whole log");
            return Err(Error::argument(field, message));
        }
    }
    let log = Log::open(&forge, &repo, &which).await?;
    Ok(log.excerpt(cursor, limit).await?.into())
}

pub(super) async fn download_job_log(
    forge: Forge,
    repo: Repo,
    which: WhichJob,
    output: Output,
) -> Result<Downloaded> {
    let place = forge.place(&output.or(format!("job-{}.log", which.job_id))).await?;
    let response = forge.open(&which.path(&repo).at("logs"), &ALL).await?;
    forge.save(response, place).await
}

impl Log {
    /// Kept while the job is over; one that still grows is read anew.
    async fn open(forge: &Forge, repo: &Repo, which: &WhichJob) -> Result<Self> {
        let WhichJob { job_id } = *which;
        let job: Option<Job> = forge.look(which.path(repo)).await?;
        let version = match job.as_ref().filter(|job| job.is_over()) {
            Some(job) => {
                format!(
                    "{}.{}",
                    job.run_attempt.unwrap_or(0),
                    job.completed_at.as_deref().unwrap_or_default()
                )
            }
            None => Timestamp::now().as_nanosecond().to_string(),
        };
        match forge.spooled(&which.path(repo).at("logs"), &ALL, &version).await {
            Ok(content) => Ok(Self { job_id, job, content }),
            Err(error) if error.is_missing() => Err(missing(job_id, job.as_ref())),
            Err(error) => Err(error),
        }
    }

    async fn preview(self, step: Option<String>, grep: Option<Regex>, mut tail: Tail) -> Result<Preview> {
        let steps = self.steps().await?;
        let over = self.job.as_ref().is_none_or(Job::is_over);
        let parts = step.map(|step| chosen(&steps, &step, over)).transpose()?;
        let read = move |log: BufReader<Reader>| {
            job_log::lines(log, |line| {
                let inside = |part: &(u64, u64)| (part.0..part.1).contains(&line.offset);
                if parts.as_ref().is_none_or(|parts| parts.iter().any(inside))
                    && grep.as_ref().is_none_or(|grep| grep.is_match(line.said()))
                {
                    tail.push(line);
                }
            })?;
            Ok(tail)
        };
        let tail = self.content.scan(read).await?;
        let next = "narrow with grep or step, ask for more tail_lines or max_bytes, or walk it: cursor start";
        let (lines, text) = tail.finish(next);
        let Self { job_id, job, content } = self;
        let (name, status, conclusion) = match job {
            Some(job) => (job.name, job.status, job.conclusion),
            None => (None, None, None),
        };
        Ok(Preview { job_id, job: name, status, conclusion, bytes: content.len(), steps, lines, text })
    }

    async fn steps(&self) -> Result<Vec<Step>> {
        let read = |log: BufReader<Reader>| {
            let mut steps = Steps::default();
            job_log::lines(log, |line| steps.push(line))?;
            Ok(steps.steps)
        };
        self.content.scan(read).await
    }

    async fn excerpt(self, cursor: &str, limit: usize) -> Result<Excerpt> {
        let bytes = self.content.len();
        let offset = self.offset(cursor)?;
        let window = self.content.read_at(offset, limit).await?;
        let end = offset + window.len() as u64;
        let piece = Piece::cut(&window, end == bytes, Budget { bytes: limit, lines: u64::MAX });
        let end = offset + piece.bytes().len() as u64;
        let (text, base64) = piece.into_fields();
        let left = bytes - end;
        let grows = self.job.as_ref().is_some_and(|job| !job.is_over());
        let next_cursor = (left > 0 || grows).then(|| self.cursor(end));
        let truncated = match left {
            0 => None,
            _ => Some(Truncated {
                bytes: usize::try_from(left).unwrap_or(usize::MAX),
                lines: self.lines_from(end).await?,
                next: "call again with next_cursor as cursor".into(),
            }),
        };
        let status = self.job.and_then(|job| job.status);
        Ok(Excerpt { job_id: self.job_id, status, bytes, offset, text, base64, truncated, next_cursor })
    }

    async fn lines_from(&self, offset: u64) -> Result<usize> {
        let read = |log: BufReader<Reader>| {
            let mut lines = 0;
            job_log::lines(log, |_| lines += 1).map(|()| lines)
        };
        self.content.scan_from(offset, read).await
    }

    fn attempt(&self) -> u64 {
        self.job.as_ref().and_then(|job| job.run_attempt).unwrap_or(0)
    }

    /// `JOB.ATTEMPT.OFFSET`
    fn cursor(&self, offset: u64) -> String {
        format!("{}.{}.{offset}", self.job_id, self.attempt())
    }

    fn offset(&self, cursor: &str) -> Result<u64> {
        let wrong = |message: &str| Error::argument("cursor", message);
        if cursor == START {
            return Ok(0);
        }
        let parts: Option<Vec<u64>> = cursor.split('.').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some([job, ..]) if *job != self.job_id => Err(wrong("cursor is that of another job's log")),
            Some([_, attempt, _]) if *attempt != self.attempt() => {
                Err(wrong("the job has run again since this cursor was given; begin with cursor start"))
            }
            Some([_, _, offset]) if *offset <= self.content.len() => Ok(*offset),
            _ => Err(wrong("cursor is neither start nor a log's next_cursor")),
        }
    }
}

/// Where the wanted steps are.
fn chosen(steps: &[Step], wanted: &str, over: bool) -> Result<Vec<(u64, u64)>> {
    let with = |test: &dyn Fn(&Step) -> bool| -> Vec<_> {
        steps.iter().filter(|step| test(step)).map(|step| (step.start, step.end)).collect()
    };
    let found = if wanted == FAILED {
        let failed = with(&|step| step.outcome == Outcome::Failure);
        // A job that was cancelled, or ran out of time, ends within a step.
        if failed.is_empty() && over { with(&|step| step.outcome == Outcome::Unfinished) } else { failed }
    } else {
        with(&|step| step.name == wanted)
    };
    if !found.is_empty() {
        return Ok(found);
    }
    if wanted == FAILED {
        let message = "no step has failed, as far as the log tells; its end says more: leave step out";
        return Err(Error::argument("step", message));
    }
    let candidates = steps.iter().take(20).map(|step| kit::clip(&step.name)).collect();
    Err(Error::Unknown {
        field: "step".into(),
        what: "step in this log called",
        name: kit::clip(wanted),
        candidates,
    })
}

fn missing(job_id: u64, job: Option<&Job>) -> Error {
    let message = match job {
        Some(job) => format!(
            "job {job_id} ({}) has no log: it has not started, or its log was cleaned up",
            job.status.as_deref().unwrap_or("of unknown status")
        ),
        None => format!("there is no job with the id {job_id}; list_run_jobs and list_jobs answer ids"),
    };
    Error::argument("job_id", message)
}

fn pattern(text: &str) -> Result<Regex> {
    let invalid =
        |reason: &str| Error::argument("grep", format!("grep is not a regular expression: {reason}"));
    RegexBuilder::new(text).size_limit(MAX_PATTERN).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => invalid("it is too large"),
        other => invalid(&kit::clip(other.to_string().lines().last().unwrap_or_default())),
    })
}
