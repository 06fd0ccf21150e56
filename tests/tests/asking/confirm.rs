//! `--confirm-destructive` on docker-locust and a real container: over every door nothing happens before somebody
//! has agreed, and whoever can be asked is asked.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use gantry_tests::docker::Engine;
use gantry_tests::door::{Answer, Door};
use gantry_tests::fixture;
use gantry_tests::program::{Program, Target};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::client::{Client, accept, asked, failure};

const SLEEPER: &str = "trap 'exit 0' TERM; while :; do sleep 0.2; done";
const TOOL: &str = "docker_restart";
const BINARY: &str = "gantry-docker-locust";

/// A server that confirms, and a container whose restarts are counted.
struct Scene {
    server: Program,
    engine: Engine,
    container: gantry_tests::docker::Container,
}

impl Scene {
    async fn new(name: &str) -> Result<Option<Self>> {
        let Some(engine) = Engine::find(name) else { return Ok(None) };
        let container = engine.run(name, &[], &["/bin/sh", "-c", SLEEPER])?;
        let server =
            Program::start(BINARY, &["--confirm-destructive", "--docker-host", &engine.host]).await?;
        Ok(Some(Self { server, engine, container }))
    }

    fn arguments(&self) -> Value {
        json!({"service_name": self.container.name, "timeout": 1})
    }

    fn confirmed(&self) -> Value {
        json!({"service_name": self.container.name, "timeout": 1, "confirm": true})
    }

    fn started(&self) -> Result<String> {
        self.engine.docker(&["inspect", "--format", "{{.State.StartedAt}}", &self.container.name])
    }

    /// Fails unless the container was restarted, or not, since `before`.
    fn check(&self, before: &str, restarted: bool) -> Result<()> {
        let changed = self.started()? != before;
        ensure!(changed == restarted, "restarted: {changed}, which should be {restarted}");
        Ok(())
    }

    fn audit(&self, outcome: &str) -> Result<()> {
        let wanted = |line: &str| {
            serde_json::from_str::<Value>(line).is_ok_and(|line| {
                line["logger"] == "audit" && line["outcome"] == outcome && line["tool"] == TOOL
            })
        };
        ensure!(
            self.server.log().lines().any(wanted),
            "no line {outcome:?} in the audit:\n{}",
            self.server.log()
        );
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_is_asked() -> Result<()> {
    let Some(scene) = Scene::new("confirm-modern").await? else { return Ok(()) };
    let client = Client::new(scene.server.target());
    let before = scene.started()?;
    // The model's own word is not enough where a human can be asked.
    let question = client.call(TOOL, &scene.confirmed()).await?;
    let message = question["result"]["inputRequests"]["confirm"]["params"]["message"].to_string();
    ensure!(message.contains(TOOL) && message.contains(&scene.container.name), "{question}");
    let state = asked(&question, "confirm")?;
    scene.audit("asked back")?;

    let declined =
        client.again(TOOL, &scene.confirmed(), &state, json!({"confirm": {"action": "decline"}})).await?;
    let error = failure(&declined)?;
    ensure!(error["error"] == "FORBIDDEN" && error["details"]["declined"] == "confirm", "{error}");
    scene.audit("declined")?;
    let replayed =
        client.again(TOOL, &scene.confirmed(), &state, accept("confirm", &json!({"confirm": true}))).await?;
    ensure!(replayed["error"]["code"] == -32602, "a declined question was answered again: {replayed}");
    let unasked = json!({"name": TOOL, "arguments": scene.confirmed(), "inputResponses": accept("confirm", &json!({"confirm": true}))});
    asked(&client.send("tools/call", unasked).await?, "confirm").context("an answer without a question")?;
    let state = asked(&client.call(TOOL, &scene.arguments()).await?, "confirm")?;
    let unchecked =
        client.again(TOOL, &scene.arguments(), &state, accept("confirm", &json!({"confirm": false}))).await?;
    ensure!(failure(&unchecked)?["details"]["declined"] == "confirm", "{unchecked}");
    scene.check(&before, false)?;

    let state = asked(&client.call(TOOL, &scene.arguments()).await?, "confirm")?;
    let done =
        client.again(TOOL, &scene.arguments(), &state, accept("confirm", &json!({"confirm": true}))).await?;
    ensure!(done["result"]["isError"] != true && done["result"]["resultType"] == "complete", "{done}");
    scene.check(&before, true)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_that_cannot_be_asked_says_it_itself() -> Result<()> {
    let Some(scene) = Scene::new("confirm-deaf").await? else { return Ok(()) };
    let target = || scene.server.target();
    for door in [Door::Modern(target()), Door::Rest(target()), Door::Grpc(target())] {
        by_argument(&scene, door).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_without_a_user_say_it_themselves() -> Result<()> {
    let Some(scene) = Scene::new("confirm-session").await? else { return Ok(()) };
    let target = scene.server.target();
    let args = ["--confirm-destructive", "--docker-host", &scene.engine.host];
    let stdio = Door::stdio(BINARY, &args).await?;
    for door in [Door::session(&target).await?, Door::sse(&target).await?, stdio] {
        by_argument(&scene, door).await?;
    }
    Ok(())
}

/// Also under the alias, which REST alone lists.
async fn by_argument(scene: &Scene, mut door: Door) -> Result<()> {
    let name = door.name();
    let before = scene.started()?;
    let alias = json!({"service_name": scene.container.name});
    for (tool, arguments) in [(TOOL, scene.arguments()), ("restart_service", alias)] {
        let Answer::Refused(error) = door.call(tool, &arguments).await? else {
            anyhow::bail!("{name}: {tool} was not refused")
        };
        ensure!(
            error["error"] == "VALIDATION_ERROR" && error["details"]["field"] == "confirm",
            "{name}: {error}"
        );
        ensure!(error["message"].as_str().is_some_and(|it| it.contains("confirm: true")), "{name}: {error}");
    }
    scene.check(&before, false).with_context(|| name)?;
    let Answer::Done(done) = door.call(TOOL, &scene.confirmed()).await? else {
        anyhow::bail!("{name}: the confirmed call failed")
    };
    ensure!(done["status"] == "running", "{name}: {done}");
    scene.check(&before, true).with_context(|| name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_behind_a_session_is_asked() -> Result<()> {
    let Some(python) = fixture("ask_mcp1.py", "GANTRY_TEST_PYTHON_MCP1") else { return Ok(()) };
    let Some(scene) = Scene::new("confirm-user").await? else { return Ok(()) };
    for (transport, path) in [("http", "/mcp"), ("sse", "/sse")] {
        for (user, restarts) in [("decline", false), ("accept", true)] {
            let what = format!("{user} over {transport}");
            let before = scene.started()?;
            let report =
                client(&python, transport, &scene.server.target(), path, user, &scene.confirmed()).await?;
            ensure!(report["asked"].as_array().is_some_and(|it| it.len() == 1), "{what}: {report}");
            ensure!((report["result"]["isError"] == true) != restarts, "{what}: {report}");
            scene.check(&before, restarts).with_context(|| what)?;
        }
    }
    let before = scene.started()?;
    let report = client(&python, "http", &scene.server.target(), "/mcp", "deaf", &scene.arguments()).await?;
    ensure!(report["result"]["isError"] == true && report.to_string().contains("confirm: true"), "{report}");
    scene.check(&before, false)
}

async fn client(
    python: &str,
    transport: &str,
    target: &Target,
    path: &str,
    user: &str,
    arguments: &Value,
) -> Result<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/ask_mcp1.py");
    let output = Command::new(python)
        .arg(script)
        .args([transport, &target.url(path), user, TOOL, &arguments.to_string()])
        .output()
        .await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).with_context(|| format!("{user} over {transport}: {errors}"))
}
