//! Commits: their list, one of them, what is between two, and their statuses.

mod compare;
mod status;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::forge::list::{Page, Paging};
use crate::model::brief;
use crate::model::commit::{Commit, Sha};
use crate::model::name::Repo;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    let mut tools = vec![
        Tool::new(
            "list_commits",
            "List commits",
            "Commits of a branch, the newest first; path: those that changed it.",
        )
        .reads("", list)
        .classic("list_repo_commits"),
        Tool::new("get_commit", "Read commit", "A commit's message, files and line counts.").reads("", get),
        compare::tool(),
    ];
    tools.extend(status::tools());
    tools
}

/// Which commits.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Which {
    /// branch, tag or commit
    sha: Option<String>,
    path: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct One {
    sha: String,
}

/// A commit's files, where they are very many.
const MOST_FILES: usize = 500;
/// Pages of the commits of one path have this size, whatever is asked for (`COMMITS_RANGE_SIZE`).
const RANGE: u32 = 50;

async fn list(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<Commit>> {
    let paging = if which.path.is_some() { paging.always(RANGE) } else { paging };
    let query = Query { sha: which.sha.as_deref(), path: which.path.as_deref(), ..Query::default() };
    let mut page: Page<Commit> = forge.list(repo.path().at("commits"), &query, &paging).await?;
    page.items = page.items.into_iter().map(Commit::in_list).collect();
    Ok(page)
}

async fn get(forge: Forge, repo: Repo, one: One) -> Result<Commit> {
    let mut commit: Commit = forge.get(repo.path().at("git").at("commits").at(one.sha)).await?;
    brief::cut(&mut commit.message, forge.kit().text_limit() / 4, "git shows them");
    commit.files_left_out = commit.files.len().saturating_sub(MOST_FILES);
    commit.files.truncate(MOST_FILES);
    Ok(commit)
}

/// A list of commits without what takes Gitea long to tell of each.
#[skip_serializing_none]
#[derive(Serialize, Default)]
struct Query<'a> {
    sha: Option<&'a str>,
    path: Option<&'a str>,
    limit: Option<u32>,
    stat: bool,
    files: bool,
    verification: bool,
}

/// The last commits of a branch, tag or commit, or of the default branch; the newest first.
pub(super) async fn last(forge: &Forge, repo: &Repo, of: Option<&str>, count: u32) -> Result<Vec<Sha>> {
    let query = Query { sha: of, limit: Some(count), ..Query::default() };
    forge.find(repo.path().at("commits"), &query).await
}

/// The commit that a branch, tag or sha stands for; without one, the last of the default branch.
pub(super) async fn resolve(forge: &Forge, repo: &Repo, name: Option<&str>) -> Result<String> {
    let last = last(forge, repo, name, 1).await?;
    let newest = last.into_iter().next().map(|commit| commit.sha);
    newest.ok_or_else(|| Error::Unexpected("no commit where there must be one".into()))
}
