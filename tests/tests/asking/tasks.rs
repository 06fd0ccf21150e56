//! Calls that go on as tasks: their owner's alone, bounded in number and age, cancelled unless half through a
//! change, and told to nobody who does not know tasks.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use gantry_tests::docker::Engine;
use gantry_tests::door::{Answer, Door};
use gantry_tests::program::Program;
use serde_json::{Value, json};

use crate::client::{Client, failure};

const KEYS: &str = "ops:write:ops-key,eve:write:eve-key";
const PATIENCE: Duration = Duration::from_secs(30);

fn knowing(client: &Client) -> Client {
    let can = json!({"elicitation": {"form": {}}, "extensions": {"io.modelcontextprotocol/tasks": {}}});
    Client { can, ..client.clone() }
}

fn ops(server: &Program) -> Client {
    Client { key: Some("ops-key"), ..knowing(&Client::new(server.target())) }
}

async fn begin(client: &Client, tool: &str, arguments: Value) -> Result<String> {
    let answer = client.call(tool, &arguments).await?;
    ensure!(answer["result"]["resultType"] == "task", "no task: {answer}");
    Ok(answer["result"]["taskId"].as_str().context("a task without an id")?.to_owned())
}

async fn get(client: &Client, task: &str) -> Result<Value> {
    client.send("tasks/get", json!({"taskId": task})).await
}

/// Waits until a task has one of these states.
async fn until(client: &Client, task: &str, states: &[&str]) -> Result<Value> {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut answer = get(client, task).await?;
        if states.iter().any(|state| answer["result"]["status"] == *state) {
            return Ok(answer["result"].take());
        }
        if Instant::now() > end {
            bail!("never one of {states:?}: {answer}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ended(client: &Client, task: &str) -> Result<Value> {
    until(client, task, &["completed", "failed", "cancelled"]).await
}

fn unknown(answer: &Value) -> Result<()> {
    ensure!(answer["error"]["code"] == -32602, "it is known: {answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_its_owners_alone() -> Result<()> {
    let server = Program::start("everything", &["--api-keys", KEYS]).await?;
    let (ops, eve) = (ops(&server), Client { key: Some("eve-key"), ..ops(&server) });
    let task = begin(&ops, "confirm_delete", json!({"filename": "x"})).await?;
    ensure!(task.len() > 32 && task.contains('-'), "an id that could be guessed: {task}");
    let asked = until(&ops, &task, &["input_required"]).await?;
    let question =
        asked["inputRequests"].as_object().and_then(|it| it.keys().next()).context("no question")?;
    let answers = json!({question: {"action": "accept", "content": {"confirm": true}}});

    let stranger = get(&eve, &task).await?;
    unknown(&stranger)?;
    unknown(&eve.send("tasks/update", json!({"taskId": task, "inputResponses": answers})).await?)?;
    unknown(&eve.send("tasks/cancel", json!({"taskId": task})).await?)?;
    // Nothing tells a task of somebody else from none.
    let made_up = format!("{}{}", &task[..task.len() - 4], "0000");
    let none = get(&eve, &made_up).await?.to_string().replace(&made_up, &task);
    let stranger = stranger.to_string();
    ensure!(none == stranger, "{none} is not {stranger}");

    until(&ops, &task, &["input_required"]).await?;
    ops.send("tasks/update", json!({"taskId": task, "inputResponses": answers})).await?;
    let end = ended(&ops, &task).await?;
    ensure!(end["result"]["content"][0]["text"] == "x would be deleted.", "{end}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn their_number_and_their_age_are_bounded() -> Result<()> {
    let limits =
        ["--max-tasks", "4", "--max-tasks-per-caller", "3", "--task-ttl", "2s", "--task-deadline", "4s"];
    let server = Program::start("everything", &[&["--api-keys", KEYS][..], &limits].concat()).await?;
    let (ops, eve) = (ops(&server), Client { key: Some("eve-key"), ..ops(&server) });
    let slow = json!({"seconds": 600});
    let mut tasks = vec![];
    for _ in 0..3 {
        tasks.push(begin(&ops, "slow_compute", slow.clone()).await?);
    }
    let full = failure(&ops.call("slow_compute", &slow).await?)?;
    ensure!(full["error"] == "RATE_LIMITED" && full["message"].to_string().contains("per-caller"), "{full}");
    let quick = begin(&eve, "slow_compute", json!({"seconds": 0})).await?;
    let full = failure(&eve.call("slow_compute", &slow).await?)?;
    ensure!(full["error"] == "RATE_LIMITED" && full["details"]["retry_after"].is_u64(), "{full}");

    // A finished one is there for its time, and then it is not.
    let end = ended(&eve, &quick).await?;
    let finished = Instant::now();
    ensure!(end["ttlMs"].as_u64().is_some_and(|it| it >= 2000), "{end}");
    while get(&eve, &quick).await?["result"]["status"] == "completed" {
        ensure!(finished.elapsed() < PATIENCE, "it is kept for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(finished.elapsed() > Duration::from_millis(1500), "gone after {:?}", finished.elapsed());
    unknown(&get(&eve, &quick).await?)?;

    let end = ended(&ops, &tasks[0]).await?;
    ensure!(end["result"].to_string().contains("TIMEOUT_ERROR"), "it outlived its deadline: {end}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_stops_what_is_no_change() -> Result<()> {
    let server = Program::start("everything", &["--api-keys", KEYS]).await?;
    let ops = ops(&server);
    let slow = begin(&ops, "slow_compute", json!({"seconds": 600})).await?;
    let change = begin(&ops, "slow_change", json!({"seconds": 2, "label": "it"})).await?;
    let asking = begin(&ops, "confirm_delete", json!({"filename": "x"})).await?;
    until(&ops, &asking, &["input_required"]).await?;
    let end = Instant::now() + PATIENCE;
    while get(&ops, &slow).await?["result"]["statusMessage"] != "1 of 600 seconds" {
        ensure!(Instant::now() < end, "no progress is told");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for task in [&slow, &change, &asking] {
        ops.send("tasks/cancel", json!({"taskId": task})).await?;
    }
    ensure!(ended(&ops, &slow).await?["status"] == "cancelled", "not cancelled");
    ensure!(ended(&ops, &asking).await?["status"] == "cancelled", "it still asks");
    let change = ended(&ops, &change).await?;
    ensure!(change["result"]["content"][0]["text"] == "it was changed.", "it stopped half-way: {change}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_know_tasks_waits_or_is_told() -> Result<()> {
    let server = Program::start("everything", &[]).await?;
    let plain = Client::new(server.target());
    let done = plain.call("slow_compute", &json!({"seconds": 1, "label": "it"})).await?;
    ensure!(done["result"]["content"][0]["text"] == "it was computed in 1 seconds.", "{done}");
    let refused = plain.call("failing_job", &json!({})).await?;
    let extensions = &refused["error"]["data"]["requiredCapabilities"]["extensions"];
    ensure!(
        refused["error"]["code"] == -32021 && extensions["io.modelcontextprotocol/tasks"].is_object(),
        "{refused}"
    );
    for mut door in [Door::session(&server.target()).await?, Door::Rest(server.target())] {
        let Answer::Done(done) = door.call("slow_compute", &json!({"seconds": 0, "label": "it"})).await?
        else {
            bail!("{} did not wait", door.name())
        };
        ensure!(done.to_string().contains("it was computed"), "{}: {done}", door.name());
        let refused = door.call("failing_job", &json!({})).await?;
        ensure!(!matches!(refused, Answer::Done(_)), "{}: {refused:?}", door.name());
    }
    Ok(())
}

/// A change of a container, confirmed by its user in the call and carried out in a task.
#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_changed_by_a_task() -> Result<()> {
    let Some(engine) = Engine::find("a container is changed by a task") else { return Ok(()) };
    let name = "task-greeter";
    let sleeper = "trap 'exit 0' TERM; while :; do sleep 0.2; done";
    let _container = engine.run(name, &["--env", "MODE=first"], &["/bin/sh", "-c", sleeper])?;
    let args = ["--confirm-destructive", "--docker-host", &engine.host];
    let server = Program::start("gantry-docker-locust", &args).await?;
    let client = knowing(&Client::new(server.target()));
    let arguments = json!({"service_name": name, "key": "MODE", "value": "second"});
    let question = client.call("docker_update_env", &arguments).await?;
    ensure!(!question.to_string().contains("second"), "the question shows a secret: {question}");
    let state = crate::client::asked(&question, "confirm")?;
    let agreed = crate::client::accept("confirm", &json!({"confirm": true}));
    let answer = client.again("docker_update_env", &arguments, &state, agreed).await?;
    let task = answer["result"]["taskId"].as_str().with_context(|| format!("no task: {answer}"))?;
    let end = ended(&client, task).await?;
    ensure!(end["result"]["structuredContent"]["changed"] == true, "{end}");
    let environment = engine.docker(&["inspect", "--format", "{{.Config.Env}}", name])?;
    ensure!(environment.contains("MODE=second"), "{environment}");
    Ok(())
}
