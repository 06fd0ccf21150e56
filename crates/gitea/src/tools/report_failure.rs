//! `report_failure`: one issue for one failure, however often and from wherever it is reported.
//!
//! Nothing is kept but the issues themselves: their text holds hidden marks (`mark`), and a report is rounds of
//! looking and doing what is missing (`rounds`) until nothing is. So a report that another one continues, after a
//! kill or beside it in another replica, needs no more than a new look.

mod candidates;
mod ledger;
mod mark;
mod rounds;
mod text;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};

use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::model::name::Repo;
use crate::tool::Tool;
use mark::Digest;
pub(super) use mark::kept;
use rounds::Report;

/// Gitea cuts longer titles off.
const MAX_TITLE: usize = 255;
/// Enough for any name of a failure; it is kept as a digest.
const MAX_FINGERPRINT: usize = 1000;
/// Enough for any id; people read it in each comment.
const MAX_OCCURRENCE: usize = 200;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "report_failure",
            "Report a failure",
            "One issue per fingerprint: opens it, reopens it or comments on it, and counts. Retry with the same occurrence_id.",
        )
        .writes("", report_failure),
    ]
}

/// What failed.
#[derive(Deserialize, JsonSchema)]
struct Failure {
    title: String,
    body: String,
    /// the same for the same cause
    fingerprint: String,
    occurrence_id: Option<String>,
    /// names, for a new issue
    labels: Option<Vec<String>>,
}

/// What came of a report.
#[derive(Debug, Serialize)]
struct Reported {
    issue: Shown,
    action: Action,
    /// Different occurrences that the issue tells of.
    occurrences: usize,
    /// For a retry.
    occurrence_id: String,
    /// Issues about the same that this report closed.
    duplicates_closed: Vec<u64>,
    /// Labels that Gitea left out: the token's user may not set them.
    labels_left_out: Vec<String>,
}

/// The one issue.
#[derive(Debug, Serialize)]
struct Shown {
    number: u64,
    url: String,
    state: String,
    title: String,
}

/// What was done about this occurrence.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Created,
    Commented,
    Reopened,
    /// It was told already.
    Unchanged,
}

async fn report_failure(forge: Forge, repo: Repo, failure: Failure) -> Result<Reported> {
    let report = failure.about(forge.clone(), repo).await?;
    let what = format!("report of a failure to {}", report.repo);
    let turn = turn(&report.fingerprint).await;
    // A dry run ends as an error that is none: it passes through the chassis as a result.
    let change = async move {
        let _turn = turn;
        match report.settle().await {
            Ok(reported) => Ok(Ok(reported)),
            Err(Error::DryRun(plan)) => Ok(Err(plan)),
            Err(error) => Err(error.into()),
        }
    };
    forge.kit().run_to_end(what, change).await?.map_err(Error::DryRun)
}

/// Reports of one failure wait for each other here, so that they need not close each other's issues. Only those in this
/// process do: that there is one issue in the end does not depend on it.
async fn turn(fingerprint: &Digest) -> MutexGuard<'static, ()> {
    static TURNS: [Mutex<()>; 256] = [const { Mutex::const_new(()) }; 256];
    TURNS[usize::from(fingerprint.first())].lock().await
}

impl Failure {
    /// Checks everything that can be wrong before anything is written.
    async fn about(self, forge: Forge, repo: Repo) -> Result<Report> {
        let occurrence_id = self.occurrence_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        check("title", &self.title, MAX_TITLE)?;
        check("fingerprint", &self.fingerprint, MAX_FINGERPRINT)?;
        check("occurrence_id", &occurrence_id, MAX_OCCURRENCE)?;
        let labels = forge.labels(&repo, "labels", &self.labels.unwrap_or_default()).await?;
        Ok(Report {
            fingerprint: Digest::of(&self.fingerprint),
            occurrence: Digest::of(&occurrence_id),
            forge,
            repo,
            title: self.title,
            body: self.body,
            occurrence_id,
            labels,
        })
    }
}

fn check(field: &str, text: &str, most: usize) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::argument(field, format!("{field} is empty")));
    }
    if text.chars().count() > most {
        return Err(Error::argument(field, format!("{field} has more than {most} characters")));
    }
    Ok(())
}
