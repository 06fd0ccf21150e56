//! What checks and people say of commits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::resolve;
use crate::client::path::Path;
use crate::error::Result;
use crate::forge::Forge;
use crate::forge::list::{Page, Paging};
use crate::model::commit::Status;
use crate::model::name::Repo;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("commit_status_read", "Read commit statuses", "The latest status of each context, or all.")
            .reads("combined", combined)
            .reads("list", list),
        Tool::new("commit_status_write", "Set commit status", "Sets a commit's status in a context.")
            .writes("create", create),
    ]
}

/// Which commit.
#[derive(Deserialize, JsonSchema)]
struct Which {
    /// commit, branch or tag
    sha: String,
}

/// What is said of it.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct New {
    state: State,
    context: Option<String>,
    description: Option<String>,
    target_url: Option<String>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, description = "")]
enum State {
    Pending,
    Success,
    Error,
    Failure,
    Warning,
    Skipped,
}

/// The latest status of each context, and what they come to.
#[derive(Serialize, Deserialize)]
struct Combined {
    state: Option<String>,
    sha: String,
    total_count: u64,
    #[serde(default)]
    statuses: Option<Vec<Status>>,
}

/// The most contexts that are told.
#[derive(Serialize)]
struct Most {
    limit: u32,
}

async fn combined(forge: Forge, repo: Repo, which: Which) -> Result<Combined> {
    latest(&forge, &repo, &which.sha).await
}

async fn latest(forge: &Forge, repo: &Repo, sha: &str) -> Result<Combined> {
    forge.find(commit(repo, sha).at("status"), &Most { limit: 50 }).await
}

async fn list(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<Status>> {
    forge.list(commit(&repo, &which.sha).at("statuses"), &(), &paging).await
}

fn commit(repo: &Repo, sha: &str) -> Path {
    repo.path().at("commits").below(sha)
}

/// A context's latest status is what counts, so saying the same again adds nothing.
async fn create(forge: Forge, repo: Repo, which: Which, new: New) -> Result<Status> {
    let sha = resolve(&forge, &repo, Some(&which.sha)).await?;
    let latest = latest(&forge, &repo, &sha).await?.statuses.unwrap_or_default();
    match latest.into_iter().find(|there| new.is_like(there)) {
        Some(there) => Ok(there),
        None => forge.post(repo.path().at("statuses").at(sha), &new).await,
    }
}

impl New {
    fn is_like(&self, there: &Status) -> bool {
        let same = |wanted: &Option<String>, is: &Option<String>| {
            wanted.as_deref().unwrap_or_default() == is.as_deref().unwrap_or_default()
        };
        serde_json::to_value(&self.state).is_ok_and(|state| state == there.state.as_str())
            && self.context.as_deref().unwrap_or("default") == there.context
            && same(&self.description, &there.description)
            && same(&self.target_url, &there.target_url)
    }
}
