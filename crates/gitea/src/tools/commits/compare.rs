//! What is between two branches, tags or commits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::MOST_FILES;
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::forge::list::{Page, Paging};
use crate::model::commit::{Changed, Commit, Stats};
use crate::model::name::Repo;
use crate::tool::Tool;

pub(super) fn tool() -> Tool {
    Tool::new(
        "compare_refs",
        "Compare",
        "Commits that head has and base has not, the files they change, ahead/behind.",
    )
    .reads("", compare)
}

/// What to compare.
#[derive(Deserialize, JsonSchema)]
struct Refs {
    base: String,
    head: String,
}

/// What head has more than base.
#[skip_serializing_none]
#[derive(Serialize)]
struct Comparison {
    ahead_by: u64,
    /// Not told of a fork.
    behind_by: Option<u64>,
    /// Lines, summed over the commits.
    stats: Stats,
    files: Vec<Changed>,
    files_left_out: usize,
    /// The commits, the newest first.
    #[serde(flatten)]
    commits: Page<Commit>,
}

#[derive(Deserialize)]
struct Between {
    total_commits: u64,
    commits: Option<Vec<Commit>>,
}

async fn compare(forge: Forge, repo: Repo, refs: Refs, paging: Paging) -> Result<Comparison> {
    let Refs { base, head } = &refs;
    for (field, name) in [("base", base), ("head", head)] {
        if name.is_empty() || name.contains("...") {
            return Err(Error::argument(field, format!("{field} must be one branch, tag or commit")));
        }
    }
    let fork = head.contains(':');
    let between: Between = forge.get(path(&repo, base, head)?).await?;
    let behind_by = match fork {
        true => None,
        false => Some(forge.find::<Between>(path(&repo, head, base)?, &Few::default()).await?.total_commits),
    };
    let commits = between.commits.unwrap_or_default();
    let stats = commits.iter().filter_map(|commit| commit.stats).fold(
        Stats { additions: 0, deletions: 0 },
        |sum, it| Stats { additions: sum.additions + it.additions, deletions: sum.deletions + it.deletions },
    );
    let mut files = net(&commits);
    let files_left_out = files.len().saturating_sub(MOST_FILES);
    files.truncate(MOST_FILES);
    let commits = forge.cut(commits.into_iter().map(Commit::in_list).collect(), &paging)?;
    Ok(Comparison { ahead_by: between.total_commits, behind_by, stats, files, files_left_out, commits })
}

/// Where only the number matters.
#[derive(Serialize, Default)]
struct Few {
    files: bool,
    verification: bool,
}

fn path(repo: &Repo, base: &str, head: &str) -> Result<Path> {
    let refs = format!("{base}...{head}");
    if refs.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(Error::argument("base", "base or head is no name of a branch"));
    }
    Ok(repo.path().at("compare").below(&refs))
}

/// What the commits together do to each file: one that came and went is not among them.
fn net(newest_first: &[Commit]) -> Vec<Changed> {
    let mut first_and_last: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for file in newest_first.iter().rev().flat_map(|commit| &commit.files) {
        first_and_last.entry(&file.filename).or_insert((&file.status, "")).1 = &file.status;
    }
    let net = first_and_last.into_iter().filter_map(|(name, first_and_last)| {
        let status = match first_and_last {
            ("added", "removed") => return None,
            ("added", _) => "added",
            (_, "removed") => "removed",
            _ => "modified",
        };
        Some(Changed { filename: name.to_owned(), status: status.to_owned() })
    });
    net.collect()
}
