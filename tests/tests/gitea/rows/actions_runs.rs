//! Workflows, runs, jobs, logs and artifacts. Runs are Gitea's own and go through the runner's protocol; what is
//! simulated is the work of the steps: a test says what they print and how they end.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use gantry_tests::forge::runner::{Outcome, Runner};
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("actions_run_read", "list_workflows", ["list_repo_action_workflows"], list_workflows),
        row!("actions_run_read", "get_workflow", ["get_repo_action_workflow"], get_workflow),
        row!("actions_run_read", "list_runs", ["list_repo_action_runs"], list_runs),
        row!("actions_run_read", "get_run", ["get_repo_action_run"], get_run),
        row!("actions_run_read", "list_jobs", ["list_repo_action_jobs"], list_jobs),
        row!("actions_run_read", "list_run_jobs", ["list_repo_action_run_jobs"], list_run_jobs),
        row!("actions_run_read", "get_job", [], get_job),
        row!(
            "actions_run_read",
            "get_job_log_preview",
            ["get_repo_action_job_log_preview"],
            get_job_log_preview
        ),
        row!("actions_run_read", "download_job_log", ["download_repo_action_job_log"], download_job_log),
        row!("actions_run_read", "list_artifacts", [], list_artifacts),
        row!("actions_run_read", "list_run_artifacts", [], list_run_artifacts),
        row!("actions_run_read", "get_artifact", [], get_artifact),
        row!("actions_run_read", "download_artifact", [], download_artifact),
        row!("actions_run_write", "dispatch_workflow", ["dispatch_repo_action_workflow"], dispatch_workflow),
        row!("actions_run_write", "cancel_run", ["cancel_repo_action_run"], cancel_run),
        row!("actions_run_write", "rerun_run", ["rerun_repo_action_run"], rerun_run),
    ]
}

const WORKFLOW: &[u8] = b"
name: Build
on:
  push:
  workflow_dispatch:
    inputs:
      level: {default: low}
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - {name: compile, run: make}
      - {name: check, run: make check}
";
/// An archive without files.
const EMPTY_ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// By `sha256sum`.
const EMPTY_ZIP_SHA256: &str = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85";

/// Pushes the workflow, and waits for its first run, which Gitea makes after it has answered.
async fn push(lab: &Lab) -> Result<()> {
    let repository = format!("alice/{}", lab.repo);
    lab.forge.push(lab.alice(), &repository, "main", &[(".gitea/workflows/ci.yaml", WORKFLOW)]).await?;
    for _ in 0..3000 {
        if lab.get("/actions/jobs").await?["total_count"] == 1 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("a push made no run")
}

/// Works off the run that waits.
async fn work(lab: &Lab) -> Result<()> {
    let runner = Runner::register(&lab.forge, lab.alice(), &format!("alice/{}", lab.repo)).await?;
    let mut task = runner.take().await?;
    task.step("compile", said(&["cc main.c", "warning: x"]), Outcome::Success).await?;
    task.step("check", said(&["test one ok", "test two FAILED"]), Outcome::Failure).await?;
    task.artifact("report", EMPTY_ZIP).await?;
    task.finish().await
}

fn said(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// A run that is over; as Gitea answers it.
async fn done(lab: &Lab) -> Result<Value> {
    push(lab).await?;
    work(lab).await?;
    run(lab).await
}

async fn run(lab: &Lab) -> Result<Value> {
    Ok(lab.get("/actions/runs").await?["workflow_runs"][0].take())
}

async fn job(lab: &Lab) -> Result<Value> {
    Ok(lab.get("/actions/jobs").await?["jobs"][0].take())
}

async fn list_workflows(lab: &Lab) -> Result<()> {
    push(lab).await?;
    let list = lab.here(json!({})).await?;
    assert_eq!((&list["items"][0]["id"], &list["items"][0]["state"]), (&json!("ci.yaml"), &json!("active")));
    Ok(())
}

async fn get_workflow(lab: &Lab) -> Result<()> {
    push(lab).await?;
    assert_eq!(lab.here(json!({"workflow_id": "ci.yaml"})).await?["path"], ".gitea/workflows/ci.yaml");
    lab.refused(json!({"workflow_id": "none.yaml"})).await?;
    Ok(())
}

async fn list_runs(lab: &Lab) -> Result<()> {
    let run = done(lab).await?;
    let list = lab.here(json!({"status": "failure"})).await?;
    let first = &list["items"][0];
    assert_eq!(
        (&first["id"], &first["run_number"], &list["total_count"]),
        (&run["id"], &json!(1), &json!(1))
    );
    assert_eq!(lab.here(json!({"status": "success"})).await?["items"], json!([]));
    Ok(())
}

async fn get_run(lab: &Lab) -> Result<()> {
    let run = done(lab).await?;
    let answer = lab.here(json!({"run_id": run["id"]})).await?;
    assert_eq!((&answer["conclusion"], &answer["actor"]), (&json!("failure"), &json!("alice")));
    assert_eq!((&answer["run_number"], &answer["head_sha"]), (&json!(1), &run["head_sha"]));
    let error = lab.refused(json!({"run_id": 999_999})).await?;
    assert_eq!(error["details"]["field"], "run_id", "{error}");
    assert!(error["message"].as_str().is_some_and(|it| it.contains("number on a run's page")), "{error}");
    Ok(())
}

async fn list_jobs(lab: &Lab) -> Result<()> {
    let run = done(lab).await?;
    let list = lab.here(json!({})).await?;
    assert_eq!((&list["items"][0]["name"], &list["items"][0]["run_id"]), (&json!("build"), &run["id"]));
    Ok(())
}

async fn list_run_jobs(lab: &Lab) -> Result<()> {
    let run = done(lab).await?;
    let list = lab.here(json!({"run_id": run["id"]})).await?;
    assert_eq!((&list["items"][0]["id"], &list["total_count"]), (&job(lab).await?["id"], &json!(1)));
    lab.refused(json!({"run_id": 999_999})).await?;
    Ok(())
}

async fn get_job(lab: &Lab) -> Result<()> {
    let run = done(lab).await?;
    let answer = lab.here(json!({"job_id": job(lab).await?["id"]})).await?;
    assert_eq!((&answer["conclusion"], &answer["run_id"]), (&json!("failure"), &run["id"]));
    assert_eq!(answer["steps"][1]["name"], "check", "{answer}");
    Ok(())
}

async fn get_job_log_preview(lab: &Lab) -> Result<()> {
    push(lab).await?;
    let job = job(lab).await?["id"].clone();
    let error = lab.refused(json!({"job_id": job})).await?;
    assert!(error["message"].as_str().is_some_and(|it| it.contains("has not started")), "{error}");
    work(lab).await?;
    let failed = lab.here(json!({"job_id": job, "step": "failed"})).await?;
    let text = failed["text"].as_str().context("text")?;
    assert!(text.contains("test two FAILED") && !text.contains("cc main.c"), "{failed}");
    let outcomes = [&failed["steps"][0]["outcome"], &failed["steps"][1]["outcome"]];
    assert_eq!(outcomes, [&json!("success"), &json!("failure")]);
    let found = lab.here(json!({"job_id": job, "grep": "^warning"})).await?;
    assert!(found["text"].as_str().is_some_and(|it| it.ends_with(" warning: x\n")), "{found}");
    for (bad, field) in [
        (json!({"job_id": 999_999}), "job_id"),
        (json!({"job_id": job, "grep": "("}), "grep"),
        (json!({"job_id": job, "grep": "x{1000}{1000}"}), "grep"),
        (json!({"job_id": job, "step": "none"}), "step"),
        (json!({"job_id": job, "cursor": "1.2"}), "cursor"),
        (json!({"job_id": job, "max_bytes": 1}), "max_bytes"),
    ] {
        let error = lab.refused(bad).await?;
        assert_eq!(error["details"]["field"], field, "{error}");
    }
    Ok(())
}

async fn download_job_log(lab: &Lab) -> Result<()> {
    done(lab).await?;
    let job = job(lab).await?["id"].clone();
    let path = format!("/repos/alice/{}/actions/jobs/{job}/logs", lab.repo);
    let log = lab.forge.bytes(&lab.alice().token, &path).await?;
    let to = format!("logs/{}.log", lab.number);
    let answer = lab.here(json!({"job_id": job, "output_path": to})).await?;
    assert_eq!(answer["bytes"], log.len());
    assert_eq!(std::fs::read(lab.downloads.join(answer["path"].as_str().context("path")?))?, log, "{answer}");
    for bad in [to.as_str(), "../out", "/tmp/out"] {
        let error = lab.refused(json!({"job_id": job, "output_path": bad})).await?;
        assert_eq!(error["details"]["field"], "output_path", "{error}");
    }
    Ok(())
}

async fn list_artifacts(lab: &Lab) -> Result<()> {
    let run = done(lab).await?;
    let list = lab.here(json!({"artifact_name": "report"})).await?;
    assert_eq!((&list["items"][0]["name"], &list["items"][0]["run_id"]), (&json!("report"), &run["id"]));
    assert_eq!(lab.here(json!({"artifact_name": "none"})).await?["items"], json!([]));
    Ok(())
}

async fn list_run_artifacts(lab: &Lab) -> Result<()> {
    let run = done(lab).await?;
    assert_eq!(lab.here(json!({"run_id": run["id"]})).await?["items"][0]["name"], "report");
    lab.refused(json!({"run_id": 999_999})).await?;
    Ok(())
}

/// The id of the run's one artifact.
async fn artifact(lab: &Lab) -> Result<Value> {
    done(lab).await?;
    Ok(lab.get("/actions/artifacts").await?["artifacts"][0]["id"].take())
}

async fn get_artifact(lab: &Lab) -> Result<()> {
    let id = artifact(lab).await?;
    assert_eq!(lab.here(json!({"artifact_id": id})).await?["name"], "report");
    Ok(())
}

async fn download_artifact(lab: &Lab) -> Result<()> {
    let id = artifact(lab).await?;
    let answer = lab.here(json!({"artifact_id": id})).await?;
    assert_eq!((&answer["bytes"], &answer["sha256"]), (&json!(EMPTY_ZIP.len()), &json!(EMPTY_ZIP_SHA256)));
    assert_eq!(std::fs::read(lab.downloads.join(answer["path"].as_str().context("path")?))?, EMPTY_ZIP);
    Ok(())
}

async fn dispatch_workflow(lab: &Lab) -> Result<()> {
    push(lab).await?;
    let new = json!({"workflow_id": "ci.yaml", "ref": "main", "inputs": {"level": 3}});
    let mut dry = new.clone();
    dry["dry_run"] = true.into();
    assert_eq!(lab.here(dry).await?["dry_run"], true);
    assert_eq!(lab.get("/actions/runs").await?["total_count"], 1);
    let answer = lab.here(new).await?;
    let run = lab.get(&format!("/actions/runs/{}", answer["run"]["id"])).await?;
    assert_eq!((&run["event"], &run["run_number"]), (&json!("workflow_dispatch"), &json!(2)), "{answer}");
    lab.refused(json!({"workflow_id": "none.yaml", "ref": "main"})).await?;
    Ok(())
}

async fn cancel_run(lab: &Lab) -> Result<()> {
    push(lab).await?;
    let error = lab.refused(json!({"run_id": run(lab).await?["id"]})).await?;
    assert_eq!(error["details"]["needs"], "1.27", "{error}");
    Ok(())
}

async fn rerun_run(lab: &Lab) -> Result<()> {
    push(lab).await?;
    let id = run(lab).await?["id"].clone();
    lab.refused(json!({"run_id": id})).await?;
    work(lab).await?;
    assert_eq!(lab.here(json!({"run_id": id})).await?["status"], "queued");
    assert_eq!(run(lab).await?["status"], "queued");
    Ok(())
}
