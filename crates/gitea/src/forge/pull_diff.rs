//! A pull request's diff, kept while it is read in pieces, and known again by the commits it lies between.

use std::io::{BufReader, Read};

use serde::Deserialize;

use crate::diff::cursor::Version;
use crate::diff::piece::{Budget, Piece};
use crate::diff::{self, Part, Span, Totals};
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::forge::spool::{Content, Reader};
use crate::model::name::Repo;

/// So many files are named to who asks for one that is not there.
const CANDIDATES: usize = 10;

/// The diff.
pub(crate) struct PullDiff {
    pub(crate) version: Version,
    content: Content,
}

/// Where a pull request's changes begin and end.
#[derive(Deserialize)]
struct Ends {
    head: Head,
    merge_base: String,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
}

impl Forge {
    /// The diff as it is now.
    pub(crate) async fn pull_diff(&self, repo: &Repo, number: u64, binary: bool) -> Result<PullDiff> {
        let ends: Ends = self.get(repo.path().at("pulls").at(number)).await?;
        let version = Version::new(&ends.head.sha, &ends.merge_base, binary);
        let path = repo.path().at("pulls").at(format!("{number}.diff"));
        let content = self.spooled(&path, &[("binary", binary)], &version.to_string()).await?;
        Ok(PullDiff { version, content })
    }

    /// The diff that a cursor goes on in.
    ///
    /// # Errors
    /// Where there is another by now.
    pub(crate) async fn same_pull_diff(&self, repo: &Repo, number: u64, then: &Version) -> Result<PullDiff> {
        let now = self.pull_diff(repo, number, then.binary).await?;
        if now.version == *then {
            return Ok(now);
        }
        let message = format!(
            "the diff of pull request {number} has changed since this cursor was given: its head is {} now; begin \
             again without a cursor",
            now.version.head
        );
        Err(Error::argument("cursor", message))
    }
}

impl PullDiff {
    /// The parts of `take` files after the first `skip`.
    pub(crate) async fn list(&self, skip: u64, take: usize) -> Result<(Vec<Part>, Totals)> {
        let read = move |diff: BufReader<Reader>| {
            let (mut parts, mut number) = (vec![], 0);
            let totals = diff::read(diff, |part| {
                if number >= skip && parts.len() < take {
                    parts.push(part);
                }
                number += 1;
            })?;
            Ok((parts, totals))
        };
        self.content.scan(read).await
    }

    /// The part of the file that is or was called so.
    pub(crate) async fn find(&self, file: &str) -> Result<Part> {
        let wanted = file.to_owned();
        let read = move |diff: BufReader<Reader>| {
            let (mut found, mut others) = (None, vec![]);
            diff::read(diff, |part| {
                if part.path == wanted || found.is_none() && part.previous_path.as_ref() == Some(&wanted) {
                    found = Some(part);
                } else if others.len() < CANDIDATES {
                    others.push(part.path);
                }
            })?;
            Ok(found.ok_or(others))
        };
        self.content.scan(read).await?.map_err(|candidates| Error::Unknown {
            field: "file".into(),
            what: "file in this diff called",
            name: kit::clip(file),
            candidates,
        })
    }

    /// Some hunks of a file's part, counted from 1.
    pub(crate) async fn hunks(&self, part: &Part, first: u64, last: u64) -> Result<Span> {
        let Part { offset, bytes, hunks, .. } = *part;
        let read = move |diff: BufReader<Reader>| diff::hunks(diff.take(bytes), offset, first, last);
        self.content.scan_from(offset, read).await?.ok_or_else(|| {
            Error::argument("hunks", format!("hunks are numbered from 1 to {hunks} in this file"))
        })
    }

    /// The first piece of a span, and what is left of it.
    pub(crate) async fn piece(&self, span: Span, budget: Budget) -> Result<(Piece, Option<Span>)> {
        let end = span.end.min(self.content.len());
        let left = usize::try_from(end.saturating_sub(span.offset)).unwrap_or(usize::MAX);
        let window = self.content.read_at(span.offset, left.min(budget.bytes)).await?;
        let piece = Piece::cut(&window, window.len() == left, budget);
        let offset = span.offset + piece.bytes().len() as u64;
        let lines = span.lines.saturating_sub(piece.lines());
        let rest = (offset < end).then_some(Span { offset, end, lines });
        Ok((piece, rest))
    }
}
