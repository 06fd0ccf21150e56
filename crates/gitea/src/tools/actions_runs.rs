//! Workflows of Actions, their runs, jobs, logs and artifacts.

mod artifacts;
mod change;
mod log;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::actions::{Job, Run, Workflow};
use crate::model::name::{Name, Repo};
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "actions_run_read",
            "Read Actions runs",
            "Workflows, runs, jobs, logs, artifacts. run_id is a run's id, not the number on its page. step: failed is \
             what failed.",
        )
        .reads("list_workflows", list_workflows)
        .classic("list_repo_action_workflows")
        .reads("get_workflow", get_workflow)
        .classic("get_repo_action_workflow")
        .reads("list_runs", list_runs)
        .classic("list_repo_action_runs")
        .reads("get_run", get_run)
        .classic("get_repo_action_run")
        .reads("list_jobs", list_jobs)
        .classic("list_repo_action_jobs")
        .reads("list_run_jobs", list_run_jobs)
        .classic("list_repo_action_run_jobs")
        .reads("get_job", get_job)
        .since(1, 26)
        .reads("get_job_log_preview", log::get_job_log_preview)
        .classic("get_repo_action_job_log_preview")
        .reads("download_job_log", log::download_job_log)
        .classic("download_repo_action_job_log")
        .reads("list_artifacts", artifacts::list_artifacts)
        .since(1, 25)
        .reads("list_run_artifacts", artifacts::list_run_artifacts)
        .since(1, 25)
        .reads("get_artifact", artifacts::get_artifact)
        .since(1, 25)
        .reads("download_artifact", artifacts::download_artifact)
        .since(1, 25),
        Tool::new("actions_run_write", "Run Actions", "Starts a workflow (workflow_id, ref), cancels or reruns a run.")
            .writes("dispatch_workflow", change::dispatch_workflow)
            .since(1, 24)
            .classic("dispatch_repo_action_workflow")
            .writes("cancel_run", change::cancel_run)
            .since(1, 27)
            .classic("cancel_repo_action_run")
            .writes("rerun_run", change::rerun_run)
            .classic("rerun_repo_action_run"),
    ]
}

/// Where a repository's Actions are.
fn actions(repo: &Repo) -> Path {
    repo.path().at("actions")
}

/// Which workflow.
#[derive(Deserialize, JsonSchema)]
struct WhichWorkflow {
    /// file name, as ci.yaml
    workflow_id: Name,
}

/// Which run.
#[derive(Deserialize, JsonSchema)]
struct WhichRun {
    run_id: u64,
}

impl WhichRun {
    fn path(&self, repo: &Repo) -> Path {
        actions(repo).at("runs").at(self.run_id)
    }

    /// The run.
    ///
    /// # Errors
    /// For a number that is that of a page instead, with the id meant.
    async fn get(&self, forge: &Forge, repo: &Repo) -> Result<Run> {
        match forge.look(self.path(repo)).await? {
            Some(run) => Ok(run),
            None => Err(self.mistaken(forge, repo).await),
        }
    }

    async fn mistaken(&self, forge: &Forge, repo: &Repo) -> Error {
        let Self { run_id } = self;
        let latest: Result<Page<Run>> =
            forge.list_in(actions(repo).at("runs"), "workflow_runs", &ALL, &Paging::default()).await;
        let meant = latest.ok().and_then(|page| {
            page.items.into_iter().find(|run| run.run_number == Some(*run_id)).map(|run| run.id)
        });
        let hint = match meant {
            Some(id) => format!("the run with number {run_id} has the id {id}"),
            None => "the number on a run's page is not its id; list_runs answers both".to_owned(),
        };
        Error::argument("run_id", format!("there is no run with the id {run_id}; {hint}"))
    }
}

/// Which job.
#[derive(Deserialize, JsonSchema)]
struct WhichJob {
    job_id: u64,
}

impl WhichJob {
    fn path(&self, repo: &Repo) -> Path {
        actions(repo).at("jobs").at(self.job_id)
    }
}

/// Those of a state only.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Filter {
    /// success, failure, in_progress…
    status: Option<String>,
}

/// Which run, and which of its jobs.
#[derive(Deserialize, JsonSchema)]
struct JobsOf {
    run_id: u64,
    status: Option<String>,
}

async fn list_workflows(forge: Forge, repo: Repo, paging: Paging) -> Result<Page<Workflow>> {
    #[derive(Deserialize)]
    struct All {
        workflows: Option<Vec<Workflow>>,
    }
    let all: All = forge.get(actions(&repo).at("workflows")).await?;
    forge.cut(all.workflows.unwrap_or_default(), &paging)
}

async fn get_workflow(forge: Forge, repo: Repo, which: WhichWorkflow) -> Result<Workflow> {
    forge.get(actions(&repo).at("workflows").at(which.workflow_id)).await
}

async fn list_runs(forge: Forge, repo: Repo, filter: Filter, paging: Paging) -> Result<Page<Run>> {
    forge.list_in(actions(&repo).at("runs"), "workflow_runs", &filter, &paging).await
}

async fn get_run(forge: Forge, repo: Repo, which: WhichRun) -> Result<Run> {
    which.get(&forge, &repo).await
}

async fn list_jobs(forge: Forge, repo: Repo, filter: Filter, paging: Paging) -> Result<Page<Job>> {
    forge.list_in(actions(&repo).at("jobs"), "jobs", &filter, &paging).await
}

async fn list_run_jobs(forge: Forge, repo: Repo, of: JobsOf, paging: Paging) -> Result<Page<Job>> {
    let JobsOf { run_id, status } = of;
    let which = WhichRun { run_id };
    which.get(&forge, &repo).await?;
    forge.list_in(which.path(&repo).at("jobs"), "jobs", &Filter { status }, &paging).await
}

async fn get_job(forge: Forge, repo: Repo, which: WhichJob) -> Result<Job> {
    forge.get(which.path(&repo)).await
}
