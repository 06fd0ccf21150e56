//! A pull request's diff at a price an agent can afford: the list of its files first, then a file, some hunks of one,
//! or all of it piece by piece.

use kit::Truncated;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Which;
use crate::diff::cursor::{At, Cursor};
use crate::diff::piece::{Budget, Piece};
use crate::diff::{Part, Span, Totals};
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::forge::pull_diff::PullDiff;
use crate::model::name::Repo;
use crate::resources;
use crate::tool::Answer;

/// An answer is this large unless the caller wants another size.
const BYTES: usize = 32 << 10;
/// Less holds no line worth reading.
const LEAST_BYTES: usize = 256;
const FILES: usize = 30;
const MOST_FILES: usize = 200;

/// What of the diff.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Wanted {
    /// only this file's diff
    file: Option<String>,
    /// of it: 2 or 2-4
    hunks: Option<String>,
    /// next_cursor or diff_cursor
    cursor: Option<String>,
    max_bytes: Option<usize>,
    max_lines: Option<u64>,
    per_page: Option<usize>,
    binary: Option<bool>,
}

/// The files, and the diff itself where it is small.
#[derive(Serialize)]
struct Index {
    head_sha: String,
    #[serde(flatten)]
    totals: Totals,
    items: Vec<Part>,
    has_next: bool,
    next_cursor: Option<String>,
    /// Begins the diff itself.
    diff_cursor: Option<String>,
    text: Option<String>,
}

/// Some of the diff itself.
#[derive(Serialize)]
struct Excerpt {
    head_sha: String,
    file: Option<Part>,
    /// Of its first byte in the whole diff.
    offset: u64,
    text: Option<String>,
    /// Instead of text, what is no UTF-8.
    base64: Option<String>,
    truncated: Option<Truncated>,
    next_cursor: Option<String>,
}

pub(super) async fn get_diff(forge: Forge, repo: Repo, which: Which, wanted: Wanted) -> Result<Answer> {
    let number = which.pull_number;
    let budget = wanted.budget(&forge)?;
    let take = wanted.per_page.unwrap_or(FILES).clamp(1, MOST_FILES);
    if let Some(cursor) = &wanted.cursor {
        let Cursor { version, at } = cursor.parse()?;
        let diff = forge.same_pull_diff(&repo, number, &version).await?;
        return match at {
            At::File(skip) => index(&diff, &repo, number, skip, take, budget).await,
            At::Text(span) => Ok(excerpt(&diff, None, span, budget).await?.into()),
        };
    }
    let diff = forge.pull_diff(&repo, number, wanted.binary.unwrap_or(false)).await?;
    let Some(file) = &wanted.file else {
        if wanted.hunks.is_some() {
            return Err(Error::argument("hunks", "hunks are those of a file; say which with file"));
        }
        return index(&diff, &repo, number, 0, take, budget).await;
    };
    let part = diff.find(file).await?;
    let span = match &wanted.hunks {
        Some(hunks) => {
            let (first, last) = range(hunks)?;
            diff.hunks(&part, first, last).await?
        }
        None => part.span(),
    };
    let link = resources::link(&repo, number, &part);
    Ok(Answer::from(excerpt(&diff, Some(part), span, budget).await?).and([link]))
}

impl Wanted {
    fn budget(&self, forge: &Forge) -> Result<Budget> {
        let bytes = self.max_bytes.unwrap_or(BYTES).min(forge.kit().text_limit());
        if self.max_bytes.is_some_and(|bytes| bytes < LEAST_BYTES) {
            return Err(Error::argument("max_bytes", format!("max_bytes must be at least {LEAST_BYTES}")));
        }
        match self.max_lines {
            Some(0) => Err(Error::argument("max_lines", "max_lines must be at least 1")),
            lines => Ok(Budget { bytes, lines: lines.unwrap_or(u64::MAX) }),
        }
    }
}

/// `2` or `2-4`
fn range(hunks: &str) -> Result<(u64, u64)> {
    let (first, last) = hunks.split_once('-').unwrap_or((hunks, hunks));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 1 <= first && first <= last => Ok((first, last)),
        _ => Err(Error::argument("hunks", "hunks is a number, or a range like 2-4, counted from 1")),
    }
}

async fn index(
    diff: &PullDiff,
    repo: &Repo,
    number: u64,
    skip: u64,
    take: usize,
    budget: Budget,
) -> Result<Answer> {
    let (mut items, totals) = diff.list(skip, take).await?;
    shorten(&mut items, budget.bytes);
    let cursor = |at| Cursor { version: diff.version.clone(), at }.to_string();
    let seen = skip + items.len() as u64;
    let has_next = seen < totals.files;
    let all = Span { offset: 0, end: totals.bytes, lines: totals.lines };
    let text = match diff.piece(all, budget).await? {
        (Piece::Text(text), None) if skip == 0 => Some(text),
        _ => None,
    };
    let links: Vec<_> = items.iter().map(|part| resources::link(repo, number, part)).collect();
    let index = Index {
        head_sha: diff.version.head.clone(),
        totals,
        items,
        has_next,
        next_cursor: has_next.then(|| cursor(At::File(seen))),
        diff_cursor: text.is_none().then(|| cursor(At::Text(all))),
        text,
    };
    Ok(Answer::from(index).and(links))
}

/// Leaves the first that fit, and one at least.
fn shorten(items: &mut Vec<Part>, limit: usize) {
    let mut size = 0;
    let fit = items.iter().take_while(|part| {
        size += serde_json::to_vec(part).map_or(0, |json| json.len());
        size <= limit
    });
    let fit = fit.count().max(1);
    items.truncate(fit);
}

async fn excerpt(diff: &PullDiff, file: Option<Part>, span: Span, budget: Budget) -> Result<Excerpt> {
    let (piece, rest) = diff.piece(span, budget).await?;
    let (text, base64) = piece.into_fields();
    let truncated = rest.map(|rest| Truncated {
        bytes: usize::try_from(rest.end - rest.offset).unwrap_or(usize::MAX),
        lines: usize::try_from(rest.lines).unwrap_or(usize::MAX),
        next: "call again with next_cursor as cursor".into(),
    });
    let next_cursor =
        rest.map(|rest| Cursor { version: diff.version.clone(), at: At::Text(rest) }.to_string());
    let head_sha = diff.version.head.clone();
    Ok(Excerpt { head_sha, file, offset: span.offset, text, base64, truncated, next_cursor })
}
