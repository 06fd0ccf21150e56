//! The real Gitea that other tests build on: users act as themselves, scopes hold, and a workflow's run comes back
//! through the API as the runner told it.

use anyhow::{Context, Result};
use gantry_tests::fixture;
use gantry_tests::forge::Forge;
use gantry_tests::forge::runner::{Outcome, Runner};
use http::{Method, StatusCode};
use serde_json::json;

const WORKFLOW: &[u8] = b"
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - {name: compile, run: make}
      - {name: check, run: make check}
";
/// An archive without files.
const EMPTY_ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

async fn forge(test: &str) -> Result<Option<Forge>> {
    let Some(programs) = fixture(test, "GANTRY_TEST_GITEA") else { return Ok(None) };
    Forge::start(&programs).await.map(Some)
}

#[tokio::test]
async fn users_act_as_themselves_within_their_scopes() -> Result<()> {
    let Some(forge) = forge("forge").await? else { return Ok(()) };
    let (alice, bob) = (forge.user("alice"), forge.user("bob"));
    forge.repository(alice, "demo").await?;
    let issues = "/repos/alice/demo/issues";
    for user in [alice, bob] {
        let issue = forge.post(&user.token, issues, json!({"title": format!("from {}", user.name)})).await?;
        assert_eq!(issue["user"]["login"], user.name.as_str());
    }
    let narrow = forge.token("alice", &["read:repository"]).await?;
    let body = json!({"title": "no"});
    let (status, _, answer) = forge.api(&narrow, Method::POST, issues, Some(body)).await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let message = answer["message"].as_str().context("a message")?;
    assert!(message.contains("write:issue"), "{message}");
    let record = forge.requests(issues, 3).await?;
    let seen: Vec<_> = record.iter().map(|it| (it.user.as_str(), it.status)).collect();
    assert_eq!(seen, [("alice", 201), ("bob", 201), ("alice", 403)]);
    assert!(record[0].headers.contains(&alice.token) && record[2].headers.contains(&narrow), "{record:?}");
    Ok(())
}

#[tokio::test]
async fn a_push_becomes_a_run_with_its_log_and_artifact() -> Result<()> {
    let Some(forge) = forge("forge-actions").await? else { return Ok(()) };
    let alice = forge.user("alice");
    forge.repository(alice, "demo").await?;
    let runner = Runner::register(&forge, alice, "alice/demo").await?;
    let files: [(&str, &[u8]); 2] = [(".gitea/workflows/ci.yaml", WORKFLOW), ("main.c", b"int main;")];
    let sha = forge.push(alice, "alice/demo", "main", &files).await?;
    let mut task = runner.take().await?;
    let lines: Vec<_> = (0..50_000).map(|n| format!("line {n}")).collect();
    task.step("compile", ["cc main.c"], Outcome::Success).await?;
    task.step("check", lines.clone(), Outcome::Failure).await?;
    task.artifact("report", EMPTY_ZIP).await?;
    let base = "/repos/alice/demo/actions";
    let jobs = forge.get(&alice.token, &format!("{base}/jobs")).await?;
    assert_eq!(jobs["jobs"][0]["status"], "in_progress", "{jobs}");
    task.finish().await?;

    let runs = forge.get(&alice.token, &format!("{base}/runs")).await?;
    let run = &runs["workflow_runs"][0];
    assert_eq!((&run["head_sha"], &run["conclusion"]), (&json!(sha), &json!("failure")), "{run}");
    let job = forge.get(&alice.token, &format!("{base}/jobs/{}", jobs["jobs"][0]["id"])).await?;
    assert_eq!((&job["name"], &job["run_id"]), (&json!("build"), &run["id"]), "{job}");
    let steps = job["steps"].as_array().context("steps")?.iter();
    let steps: Vec<_> = steps.map(|step| (&step["name"], &step["conclusion"])).collect();
    // Gitea 1.26 gives every step the conclusion of its job.
    assert_eq!(steps, [(&json!("compile"), &json!("failure")), (&json!("check"), &json!("failure"))]);

    let log = forge.bytes(&alice.token, &format!("{base}/jobs/{}/logs", job["id"])).await?;
    let log: Vec<_> =
        str::from_utf8(&log)?.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    let compile = ["⭐ Run Main compile", "cc main.c", "  ✅  Success - Main compile", "⭐ Run Main check"];
    assert_eq!(log[..4], compile);
    assert!(log[4..50_004].iter().eq(&lines));
    assert_eq!(log[50_004..], ["  ❌  Failure - Main check", "🏁  Job failed"]);

    let artifacts = forge.get(&alice.token, &format!("{base}/runs/{}/artifacts", run["id"])).await?;
    let artifact = &artifacts["artifacts"][0];
    assert_eq!(artifact["name"], "report", "{artifacts}");
    let zip = forge.bytes(&alice.token, &format!("{base}/artifacts/{}/zip", artifact["id"])).await?;
    assert_eq!(zip, EMPTY_ZIP);
    Ok(())
}
