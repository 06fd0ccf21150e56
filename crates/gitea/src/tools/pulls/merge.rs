//! Merging a pull request, and bringing its branch up to date: done only when a look afterwards says so.

use std::time::Duration;

use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use tokio::time::{Instant, sleep};

use super::Which;
use crate::client::Request;
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::model::name::Repo;
use crate::model::pull::Pull;

/// Gitea looks into whether a branch can be merged, and follows it, beside the requests that ask for it.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(250);

const STYLES: [&str; 6] =
    ["merge", "rebase", "rebase-merge", "squash", "fast-forward-only", "manually-merged"];

/// How to merge.
#[derive(Deserialize, JsonSchema)]
pub(super) struct How {
    /// merge (default), rebase, rebase-merge, squash, fast-forward-only; update_branch: merge or rebase
    merge_style: Option<String>,
    title: Option<String>,
    message: Option<String>,
    delete_branch: Option<bool>,
    force_merge: Option<bool>,
    merge_when_checks_succeed: Option<bool>,
    /// what the head must be
    head_commit_id: Option<String>,
}

/// How to bring a branch up to date.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Update {
    merge_style: Option<String>,
    head_commit_id: Option<String>,
}

/// The same as Gitea takes it.
#[skip_serializing_none]
#[derive(Serialize)]
struct Sent {
    #[serde(rename = "do")]
    style: String,
    merge_title_field: Option<String>,
    merge_message_field: Option<String>,
    delete_branch_after_merge: Option<bool>,
    force_merge: Option<bool>,
    merge_when_checks_succeed: Option<bool>,
    head_commit_id: Option<String>,
}

/// What came of it.
#[derive(Serialize)]
pub(super) struct Merged {
    /// Not merged yet: Gitea does it when the checks have succeeded.
    scheduled: Option<bool>,
    #[serde(flatten)]
    pull: Pull,
}

/// What came of an update.
#[derive(Serialize)]
pub(super) struct Updated {
    /// False where there was nothing to bring in.
    updated: bool,
    #[serde(flatten)]
    pull: Pull,
}

/// Commits between two others.
#[derive(Deserialize)]
struct Compared {
    total_commits: u64,
}

pub(super) async fn merge(forge: Forge, repo: Repo, which: Which, how: How) -> Result<Merged> {
    let pull: Pull = forge.get(which.path(&repo)).await?;
    pull.must_have_head(how.head_commit_id.as_deref())?;
    if let Some(style) = how.merge_style.as_deref().filter(|style| !STYLES.contains(style)) {
        let message = format!("there is no style {}; there are {}", kit::clip(style), STYLES.join(", "));
        return Err(Error::argument("merge_style", message));
    }
    if how.delete_branch == Some(true) {
        forge.may_change_head(&pull)?;
    }
    if pull.merged {
        // By the request that this one repeats, or by somebody.
        if how.delete_branch == Some(true) {
            delete_head(&forge, &pull).await?;
        }
        return Ok(Merged { scheduled: None, pull });
    }
    pull.may_be_merged()?;
    let when_ready = how.merge_when_checks_succeed == Some(true);
    let sent = how.into_sent();
    let status = ask(&forge, &repo, &which, &sent).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let pull: Pull = forge.get(which.path(&repo)).await?;
        let scheduled = !pull.merged && when_ready && status == StatusCode::CREATED;
        if pull.merged || scheduled {
            return Ok(Merged { scheduled: scheduled.then_some(true), pull });
        }
        if Instant::now() > deadline {
            let message = format!("pull request {} is not merged though it said so", pull.number);
            return Err(Error::Unexpected(message));
        }
        sleep(PAUSE).await;
    }
}

/// Deletes the branch of a pull request that is merged, if it is still where it was then.
async fn delete_head(forge: &Forge, pull: &Pull) -> Result<()> {
    let Some((owner, name)) = pull.head.repo.as_deref().and_then(|name| name.split_once('/')) else {
        return Ok(());
    };
    #[derive(Deserialize)]
    struct Branch {
        commit: Commit,
    }
    #[derive(Deserialize)]
    struct Commit {
        id: String,
    }
    let branch = Path::repo(owner, name).at("branches").below(&pull.head.name);
    match forge.look::<Branch>(branch.clone()).await? {
        Some(there) if there.commit.id == pull.head.sha => forge.remove(branch).await,
        Some(_) => {
            let message =
                format!("{} has moved on since the merge; delete it with delete_branch", pull.head.name);
            Err(Error::argument("delete_branch", message))
        }
        None => Ok(()),
    }
}

/// Asks for the merge, again where Gitea had not yet looked into whether it can be done.
async fn ask(forge: &Forge, repo: &Repo, which: &Which, sent: &Sent) -> Result<StatusCode> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let outcome = forge.change(Method::POST, &which.path(repo).at("merge"), sent).await;
        let refusal = match outcome {
            Ok(answered) => return Ok(answered.status),
            Err(error) => error,
        };
        let Error::Refused { status, message } = &refusal else { return Err(refusal) };
        let undecided = *status == StatusCode::METHOD_NOT_ALLOWED && message.contains("try again later");
        if undecided && Instant::now() < deadline {
            forge.call().progress(0.0, None, "gitea is looking into whether it can be merged").await;
            sleep(PAUSE).await;
            let pull: Pull = forge.get(which.path(repo)).await?;
            pull.must_have_head(sent.head_commit_id.as_deref())?;
            continue;
        }
        return Err(explained(which.pull_number, *status, message).unwrap_or(refusal));
    }
}

/// What Gitea's short words mean, and what can be done.
fn explained(number: u64, status: StatusCode, message: &str) -> Option<Error> {
    let what = match status {
        StatusCode::METHOD_NOT_ALLOWED if message.contains("try again later") => {
            "it conflicts with its base, or gitea has not looked into that yet; resolve conflicts in the head branch"
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            "see get_status and get_reviews for what is missing; merge_when_checks_succeed waits for checks, \
             force_merge is for admins"
        }
        StatusCode::CONFLICT => {
            "conflicts, a head that moved on, or a merge that is scheduled already; read it again, resolve, or use \
             update_branch"
        }
        _ => return None,
    };
    let message = format!("pull request {number} is not ready to be merged: {message}; {what}");
    Some(Error::Refused { status, message })
}

pub(super) async fn update_branch(forge: Forge, repo: Repo, which: Which, how: Update) -> Result<Updated> {
    let style = how.merge_style.as_deref().unwrap_or("merge");
    if !matches!(style, "merge" | "rebase") {
        return Err(Error::argument("merge_style", "a branch is updated by merge or rebase"));
    }
    let before: Pull = forge.get(which.path(&repo)).await?;
    before.must_have_head(how.head_commit_id.as_deref())?;
    forge.may_change_head(&before)?;
    let range = format!("{}...{}", before.head.sha, before.base.sha);
    let behind: Compared = forge.get(repo.path().at("compare").at(range)).await?;
    if behind.total_commits == 0 {
        return Ok(Updated { updated: false, pull: before });
    }
    let path = which.path(&repo).at("update");
    let request = Request { method: Method::POST, path: &path, query: format!("style={style}"), body: None };
    forge.write(request, serde_json::Value::Null).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let pull: Pull = forge.get(which.path(&repo)).await?;
        if pull.head.sha != before.head.sha {
            return Ok(Updated { updated: true, pull });
        }
        if Instant::now() > deadline {
            let message = format!("pull request {} still has its old head", pull.number);
            return Err(Error::Unexpected(message));
        }
        sleep(PAUSE).await;
    }
}

impl How {
    fn into_sent(self) -> Sent {
        Sent {
            style: self.merge_style.unwrap_or_else(|| "merge".into()),
            merge_title_field: self.title,
            merge_message_field: self.message,
            delete_branch_after_merge: self.delete_branch,
            force_merge: self.force_merge,
            merge_when_checks_succeed: self.merge_when_checks_succeed,
            head_commit_id: self.head_commit_id,
        }
    }
}

impl Pull {
    /// Refuses to act on commits that the caller has not seen.
    fn must_have_head(&self, expected: Option<&str>) -> Result<()> {
        match expected {
            Some(expected) if !self.head.sha.eq_ignore_ascii_case(expected) => Err(Error::Changed {
                field: "head_commit_id",
                what: format!("the head of pull request {}", self.number),
                is: self.head.sha.clone(),
                expected: kit::clip(expected),
            }),
            _ => Ok(()),
        }
    }

    fn may_be_merged(&self) -> Result<()> {
        let Self { number, .. } = self;
        if self.state != "open" {
            return Err(Error::argument(
                "pull_number",
                format!("pull request {number} is closed; reopen it first"),
            ));
        }
        if self.draft == Some(true) {
            let message = format!("pull request {number} is a draft; update it with draft: false first");
            return Err(Error::argument("pull_number", message));
        }
        Ok(())
    }
}
