//! A job's log of 50 MB: every answer within its budget, the server's memory bounded, and nothing lost on the way. The
//! run is Gitea's own; what is simulated is the work of its steps.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gantry_tests::fixture;
use gantry_tests::forge::Forge;
use gantry_tests::forge::runner::{Outcome, Runner};
use gantry_tests::program::Program;
use http::StatusCode;
use serde_json::{Value, json};

use crate::lab;

/// The most memory the server may take, in kB.
const MEMORY: u64 = 64 << 10;
/// What an answer may take beside its text.
const FRAME: usize = 2_000;
/// Of one answer while the whole is walked.
const PIECE: usize = 200_000;
const WORKFLOW: &[u8] = b"
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - {name: compile, run: make}
      - {name: check, run: make check}
";

/// So many lines, each another, of 100 letters.
fn lines(count: usize, word: &str) -> impl Iterator<Item = String> {
    (0..count).map(move |number| {
        format!("{word} {number:07} \"{:<78}\"", (number as u64).wrapping_mul(2_654_435_761) % 1_000_003)
    })
}

struct Reader<'a> {
    server: &'a Program,
    job: Value,
}

impl Reader<'_> {
    async fn get(&self, more: Value) -> Result<Value> {
        let mut arguments =
            json!({"method": "get_job_log_preview", "owner": "alice", "repo": "demo", "job_id": self.job});
        let more = more.as_object().cloned().context("an object")?;
        arguments.as_object_mut().context("an object")?.extend(more);
        let (status, answer) = lab::call(&self.server.host, "actions_run_read", &arguments).await?;
        ensure!(status == StatusCode::OK, "{status}: {answer}");
        Ok(answer)
    }

    /// The lines of an answer, without their times.
    async fn said(&self, more: Value, limit: usize) -> Result<(Vec<String>, Value)> {
        let answer = self.get(more).await?;
        ensure!(answer.to_string().len() <= limit + FRAME, "{} bytes", answer.to_string().len());
        let text = answer["text"].as_str().context("text")?;
        let lines = text.lines().filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect();
        Ok((lines, answer))
    }
}

async fn run(forge: &Forge, check: &[String]) -> Result<Value> {
    let alice = forge.user("alice");
    forge.repository(alice, "demo").await?;
    let runner = Runner::register(forge, alice, "alice/demo").await?;
    forge.push(alice, "alice/demo", "main", &[(".gitea/workflows/ci.yaml", WORKFLOW)]).await?;
    let mut task = runner.take().await?;
    task.step("compile", lines(200_000, "compiled"), Outcome::Success).await?;
    task.step("check", check.iter().cloned(), Outcome::Failure).await?;
    task.finish().await?;
    let jobs = forge.get(&alice.token, "/repos/alice/demo/actions/jobs").await?;
    Ok(jobs["jobs"][0]["id"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_50_mb_is_read_in_pieces() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Forge::start(&programs).await?;
    let check: Vec<_> = lines(220_000, "checked").collect();
    let job = run(&forge, &check).await?;
    let path = format!("/repos/alice/demo/actions/jobs/{job}/logs");
    let log = forge.bytes(&forge.user("alice").token, &path).await?;
    ensure!(log.len() >= 50 << 20, "{} bytes", log.len());
    let downloads = tempfile::tempdir()?;
    let folder = downloads.path().to_str().context("a folder's name")?;
    let server = lab::server(&forge, &["--download-dir", folder]).await?;
    let idle = server.peak_rss_kb()?;
    let reader = Reader { server: &server, job: job.clone() };

    // Its end.
    let (tail, answer) = reader.said(json!({}), 64 << 10).await?;
    assert_eq!(tail.last().map(String::as_str), Some("🏁  Job failed"));
    assert_eq!((tail.len(), &answer["bytes"]), (200, &json!(log.len())));
    assert!(tail[..198] == check[check.len() - 198..], "{}", tail[0]);
    assert_eq!(answer["truncated"]["lines"], json!(420_005 - 200), "{}", answer["truncated"]);

    // The step that failed, and what matches in it.
    let (failed, answer) = reader.said(json!({"step": "failed", "tail_lines": 50}), 64 << 10).await?;
    assert_eq!((failed.len(), &answer["lines"]), (50, &json!(220_002)));
    assert!(failed[49] == "  ❌  Failure - Main check" && failed[..49] == check[check.len() - 49..]);
    let grep = r"^(compiled|checked) 00001\d\d ";
    let (found, answer) = reader.said(json!({"grep": grep}), 64 << 10).await?;
    let both: Vec<_> = lines(200, "compiled").skip(100).chain(lines(200, "checked").skip(100)).collect();
    assert!(found == both && answer["truncated"].is_null(), "{} found", found.len());
    let (found, _) = reader.said(json!({"grep": grep, "step": "failed"}), 64 << 10).await?;
    assert!(found == both[100..], "{} found", found.len());
    let (few, answer) = reader.said(json!({"grep": "checked", "max_bytes": 1000}), 1000).await?;
    assert!(!few.is_empty() && check.ends_with(&few) && answer["truncated"]["lines"].is_u64());

    // All of it, byte for byte.
    let (mut whole, mut steps, mut cursor) = (Vec::with_capacity(log.len()), 0, json!("start"));
    while !cursor.is_null() {
        let answer = reader.get(json!({"cursor": cursor, "max_bytes": PIECE})).await?;
        ensure!(answer.to_string().len() <= PIECE + FRAME, "{} bytes", answer.to_string().len());
        ensure!(answer["offset"] == json!(whole.len()), "a piece from elsewhere");
        match answer["base64"].as_str() {
            Some(bytes) => whole.extend(BASE64_STANDARD.decode(bytes)?),
            None => whole.extend_from_slice(answer["text"].as_str().context("text")?.as_bytes()),
        }
        steps += 1;
        cursor = answer["next_cursor"].clone();
    }
    assert!(whole == log, "{} bytes of {} came back, or others", whole.len(), log.len());

    // And on the disk.
    let arguments = json!({"method": "download_job_log", "owner": "alice", "repo": "demo", "job_id": job,
                           "output_path": "a/b.log"});
    let (status, answer) = lab::call(&server.host, "actions_run_read", &arguments).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(std::fs::read(downloads.path().join("a/b.log"))? == log);
    let peak = server.peak_rss_kb()?;
    println!("{} bytes in {steps} pieces; at most {peak} kB, {idle} kB before", log.len());
    assert!(peak < MEMORY, "{peak} kB");
    Ok(())
}
