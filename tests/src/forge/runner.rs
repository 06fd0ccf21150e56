//! A runner for Gitea's Actions: it speaks the runner's protocol (Connect with JSON, `runner.v1` of
//! code.gitea.io/actions-proto-go) and the upload of artifacts, and runs nothing: a test says what the steps did. The
//! lines it adds of its own are those of Gitea's runner (gitea.com/gitea/act, `pkg/runner`).

use std::iter;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Forge, User};

/// How long a job may take to be queued on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines sent at once: each message rewrites the task's whole index of lines.
const LINES: usize = 20_000;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Success,
    /// It did not.
    Failure,
}

impl Outcome {
    fn mark(self) -> &'static str {
        match self {
            Self::Success => "  ✅  Success",
            Self::Failure => "  ❌  Failure",
        }
    }

    fn wire(self) -> &'static str {
        match self {
            Self::Success => "RESULT_SUCCESS",
            Self::Failure => "RESULT_FAILURE",
        }
    }
}

/// A registered runner with the label `ubuntu-latest`.
#[derive(Debug)]
pub struct Runner<'a> {
    forge: &'a Forge,
    uuid: String,
    token: String,
}

impl<'a> Runner<'a> {
    /// Registers it for a repository (`owner/name`) that `user` owns.
    pub async fn register(forge: &'a Forge, user: &User, repository: &str) -> Result<Self> {
        let path = format!("/repos/{repository}/actions/runners/registration-token");
        let answer = forge.post(&user.token, &path, json!({})).await?;
        let token = answer["token"].as_str().context("no registration token")?;
        let mut runner = Self { forge, uuid: String::new(), token: String::new() };
        let wanted = json!({"name": "runner", "token": token, "version": "v0", "labels": ["ubuntu-latest"]});
        let answer = runner.call("Register", &wanted).await?;
        let given =
            |name: &str| Ok::<_, anyhow::Error>(answer["runner"][name].as_str().context("text")?.to_owned());
        (runner.uuid, runner.token) = (given("uuid")?, given("token")?);
        Ok(runner)
    }

    /// Takes the next job that waits, and waits for one.
    pub async fn take(&self) -> Result<Task<'_>> {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.call("FetchTask", &json!({"tasksVersion": 0})).await?;
            if let Some(id) = answer["task"]["id"].as_str() {
                let context = answer["task"]["context"].clone();
                let started = Timestamp::now();
                return Ok(Task {
                    runner: self,
                    id: id.to_owned(),
                    context,
                    started,
                    lines: 0,
                    steps: vec![],
                });
            }
            ensure!(Instant::now() < end, "no job waits:\n{}", self.forge.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn call(&self, method: &str, message: &Value) -> Result<Value> {
        let url = format!("{}/api/actions/runner.v1.RunnerService/{method}", self.forge.url);
        let request = self.forge.client.post(url).json(message);
        let request = request.header("x-runner-uuid", &self.uuid).header("x-runner-token", &self.token);
        let body = self.forge.send(request).await.with_context(|| method.to_owned())?;
        Ok(serde_json::from_slice(&body)?)
    }
}

/// A job that this runner works on. It is running until it is finished.
#[derive(Debug)]
pub struct Task<'a> {
    runner: &'a Runner<'a>,
    id: String,
    /// What a workflow knows as `github`: `job`, `run_id`, `sha`, `ref`…
    pub context: Value,
    started: Timestamp,
    /// How many lines the log has.
    lines: u64,
    steps: Vec<Value>,
}

impl Task<'_> {
    /// The job's next step, in the workflow's order: its name there, what it prints, and how it ends.
    pub async fn step(
        &mut self,
        name: &str,
        lines: impl IntoIterator<Item = impl Into<String>>,
        outcome: Outcome,
    ) -> Result<()> {
        let (first, started) = (self.lines, Timestamp::now());
        let (head, tail) = (format!("⭐ Run Main {name}"), format!("{} - Main {name}", outcome.mark()));
        let lines = lines.into_iter().map(Into::into);
        let mut lines = iter::once(head).chain(lines).chain(iter::once(tail)).peekable();
        while lines.peek().is_some() {
            self.print(lines.by_ref().take(LINES).collect(), false).await?;
        }
        let step = json!({
            "id": self.steps.len(), "result": outcome.wire(),
            "startedAt": started.to_string(), "stoppedAt": Timestamp::now().to_string(),
            "logIndex": first, "logLength": self.lines - first,
        });
        self.steps.push(step);
        self.report(json!({"id": self.id, "startedAt": self.started.to_string(), "steps": self.steps})).await
    }

    /// Uploads an artifact, which is a ZIP archive, as version 4 of the upload action does.
    pub async fn artifact(&self, name: &str, zip: &[u8]) -> Result<()> {
        let forge = self.runner.forge;
        let run = self.context["run_id"].as_str().context("no run")?;
        let token = self.context["gitea_runtime_token"].as_str().context("no token")?;
        let ask = async |method: &str, message: Value| -> Result<Value> {
            let service = "twirp/github.actions.results.api.v1.ArtifactService";
            let request = forge.client.post(format!("{}/{service}/{method}", forge.url));
            let body = forge.send(request.bearer_auth(token).json(&message)).await?;
            Ok(serde_json::from_slice(&body)?)
        };
        let it =
            json!({"workflow_run_backend_id": run, "workflow_job_run_backend_id": self.id, "name": name});
        let with = |more: Value| {
            let mut all = it.clone();
            all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            all
        };
        let place = ask("CreateArtifact", with(json!({"version": 4}))).await?;
        let url = place["signedUploadUrl"].as_str().context("no place to upload to")?;
        forge.send(forge.client.put(format!("{url}&comp=block")).body(zip.to_vec())).await?;
        ask("FinalizeArtifact", with(json!({"size": zip.len().to_string()}))).await?;
        Ok(())
    }

    /// Ends the job: as failed if a step failed. Steps that were not reported never started.
    pub async fn finish(mut self) -> Result<()> {
        let failed = self.steps.iter().any(|step| step["result"] == Outcome::Failure.wire());
        let (outcome, last) = if failed {
            (Outcome::Failure, "🏁  Job failed")
        } else {
            (Outcome::Success, "🏁  Job succeeded")
        };
        self.print(vec![last.to_owned()], true).await?;
        let state = json!({
            "id": self.id, "result": outcome.wire(), "steps": self.steps,
            "startedAt": self.started.to_string(), "stoppedAt": Timestamp::now().to_string(),
        });
        self.report(state).await
    }

    async fn print(&mut self, lines: Vec<String>, last: bool) -> Result<()> {
        let (count, time) = (lines.len() as u64, Timestamp::now().to_string());
        let rows: Vec<_> = lines.into_iter().map(|line| json!({"time": time, "content": line})).collect();
        let message = json!({"taskId": self.id, "index": self.lines, "rows": rows, "noMore": last});
        let answer = self.runner.call("UpdateLog", &message).await?;
        self.lines += count;
        let known = answer["ackIndex"].as_str().and_then(|index| index.parse().ok());
        ensure!(known == Some(self.lines), "lines were lost: {answer}");
        Ok(())
    }

    async fn report(&self, state: Value) -> Result<()> {
        self.runner.call("UpdateTask", &json!({"state": state})).await?;
        Ok(())
    }
}
