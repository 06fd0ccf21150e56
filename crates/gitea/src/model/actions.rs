//! Workflows, their runs, jobs and artifacts.

use serde::{Deserialize, Serialize};

/// A workflow; `id` is its file's name.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Workflow {
    id: String,
    name: Option<String>,
    path: Option<String>,
    state: Option<String>,
}

/// A run. `id` is what tools take as `run_id`; `run_number` is the number that Gitea's pages show.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: u64,
    pub(crate) run_number: Option<u64>,
    run_attempt: Option<u64>,
    #[serde(rename(deserialize = "display_title"))]
    title: Option<String>,
    /// `FILE@REF`
    #[serde(rename(deserialize = "path"))]
    workflow: Option<String>,
    event: Option<String>,
    status: Option<String>,
    conclusion: Option<String>,
    head_branch: Option<String>,
    head_sha: Option<String>,
    #[serde(default, with = "crate::model::user::login")]
    actor: Option<String>,
    started_at: Option<String>,
    completed_at: Option<String>,
    html_url: Option<String>,
}

/// A job of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) run_id: Option<u64>,
    pub(crate) run_attempt: Option<u64>,
    pub(crate) name: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) conclusion: Option<String>,
    head_branch: Option<String>,
    head_sha: Option<String>,
    runner_name: Option<String>,
    started_at: Option<String>,
    pub(crate) completed_at: Option<String>,
    html_url: Option<String>,
    #[serde(default)]
    steps: Option<Vec<Step>>,
}

/// A step of a job. What Gitea calls its conclusion is the job's; how a step ended is in the log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    number: Option<u64>,
    name: Option<String>,
    status: Option<String>,
    started_at: Option<String>,
    completed_at: Option<String>,
}

impl Job {
    /// Its log grows no more.
    pub(crate) fn is_over(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }
}

/// What a job left behind, a ZIP archive.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Artifact {
    pub(crate) id: u64,
    name: Option<String>,
    size_in_bytes: Option<u64>,
    expired: Option<bool>,
    created_at: Option<String>,
    expires_at: Option<String>,
    #[serde(default, rename(deserialize = "workflow_run", serialize = "run_id"), with = "run_id")]
    run: Option<u64>,
}

/// Of the run, where only its id matters.
mod run_id {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    struct Numbered {
        id: u64,
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
        Ok(Option::<Numbered>::deserialize(from)?.map(|run| run.id))
    }

    pub(super) fn serialize<S: Serializer>(id: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
        id.serialize(to)
    }
}
