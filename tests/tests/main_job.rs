//! The product's main job on real systems: an agent lists, reads, restarts and re-configures a container, and runs
//! a load test. What it did is read back from the engine and from Locust themselves.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use gantry_tests::docker::Engine;
use gantry_tests::door::{Answer, Door};
use gantry_tests::locust::Locust;
use gantry_tests::program::Fronted;
use gantry_tests::{fixture, wire};
use serde_json::{Value, json};

const GREETER: &str = "echo started with $MODE; trap 'exit 0' TERM; while :; do sleep 0.2; done";
const VISITOR: &str = "
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def look(self):
        self.client.get('/health/live')
";

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_operates_a_container() -> Result<()> {
    let Some(engine) = Engine::find("an agent operates a container") else { return Ok(()) };
    let host = engine.host.clone();
    let mut servers =
        Fronted::start("docker-locust", "gantry-docker-locust", &["--docker-host", &host]).await?;
    let [direct, edge] = servers.targets();
    for (name, mut door) in [("greeter-a", Door::session(&direct).await?), ("greeter-b", Door::Modern(edge))]
    {
        operate(&engine, name, &mut door).await.with_context(|| format!("over {}", door.name()))?;
    }
    servers.check_alive().await
}

async fn operate(engine: &Engine, name: &str, door: &mut Door) -> Result<()> {
    let _container = engine.run(name, &["--env", "MODE=first"], &["/bin/sh", "-c", GREETER])?;
    let started = || engine.docker(&["inspect", "--format", "{{.State.StartedAt}}", name]);

    let list = done(door, "docker_container_list", json!({})).await?;
    let listed = list["containers"].as_array().context("no containers")?;
    ensure!(listed.iter().any(|it| it["name"] == name && it["status"] == "running"), "{list}");

    let logs = done(door, "docker_logs", json!({"service_name": name, "lines": 10})).await?;
    ensure!(logs.to_string().contains("started with first"), "{logs}");

    let before = started()?;
    done(door, "docker_restart", json!({"service_name": name})).await?;
    ensure!(started()? > before, "docker_restart did not restart it");

    done(door, "docker_update_env", json!({"service_name": name, "key": "MODE", "value": "second"})).await?;
    let environment = engine.docker(&["inspect", "--format", "{{.Config.Env}}", name])?;
    ensure!(environment.contains("MODE=second"), "{environment}");
    ensure!(engine.docker(&["logs", name])?.ends_with("started with second"), "it runs with the old value");

    let inspected = done(door, "docker_inspect", json!({"service_name": name})).await?.to_string();
    ensure!(
        inspected.contains("MODE") && !inspected.contains("second"),
        "a value is not masked: {inspected}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_runs_a_load_test_on_locust_2_46() -> Result<()> {
    load_test("GANTRY_TEST_LOCUST_246").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_runs_a_load_test_on_locust_2_47() -> Result<()> {
    load_test("GANTRY_TEST_LOCUST_247").await
}

async fn load_test(variable: &str) -> Result<()> {
    let Some(program) = fixture("an agent runs a load test", variable) else { return Ok(()) };
    let loaded = gantry_tests::program::Program::start("patient", &[]).await?;
    let url = loaded.target().url("");
    let locust = Locust::start(&program, VISITOR, &url).await?;
    let args = ["--locust-url", &format!("http://{}", locust.host)];
    let mut servers = Fronted::start("docker-locust", "gantry-docker-locust", &args).await?;
    let [direct, edge] = servers.targets();
    for mut door in [Door::session(&direct).await?, Door::Modern(edge)] {
        let what = door.name();
        let start = json!({"users": 2, "spawn_rate": 2, "duration": 4, "host": url});
        done(&mut door, "locust_start_test", start).await?;
        until(&locust, "running").await.context(what)?;
        let began = Instant::now();
        let running = done(&mut door, "locust_get_stats", json!({})).await?;
        ensure!(running["state"] == "running" || running["state"] == "spawning", "{what}: {running}");
        let sum = until(&locust, "stopped").await.context(what)?;
        let took = began.elapsed();
        ensure!(took < Duration::from_secs(10), "{what}: a run of 4 s ended after {took:?}");
        ensure!(sum["num_requests"].as_u64() > Some(20) && sum["num_failures"] == 0, "{what}: {sum}");
    }
    servers.check_alive().await
}

/// Waits until Locust itself says it is in this state, and returns its sum over all requests.
async fn until(locust: &Locust, state: &str) -> Result<Value> {
    let end = Instant::now() + Duration::from_secs(20);
    let mut last = Value::Null;
    while Instant::now() < end {
        last = wire::json(&wire::get(&locust.host, "/stats/requests").await?)?;
        if last["state"] == state {
            return Ok(last["stats"].as_array().and_then(|rows| rows.last()).cloned().unwrap_or_default());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("locust is not {state} but {}", last["state"])
}

async fn done(door: &mut Door, tool: &str, arguments: Value) -> Result<Value> {
    match door.call(tool, &arguments).await? {
        Answer::Done(result) => Ok(result),
        other => bail!("{tool} answered {other:?}"),
    }
}
