//! Bad input, for every tool a server lists and through every door: a refusal with the right code that names the
//! field, no panic, and a server that goes on answering.

mod cases;
mod gitea;
mod requests;

use anyhow::{Context, Result, ensure};
use gantry_tests::door::{Answer, Door};
use gantry_tests::program::Fronted;
use gantry_tests::wire;
use serde_json::{Value, json};

use crate::cases::cases;

const NO_ENGINE: &[&str] = &["--docker-host", "unix:///nonexistent/docker.sock"];

#[tokio::test(flavor = "multi_thread")]
async fn everything_refuses_bad_arguments() -> Result<()> {
    bad_arguments("everything", "everything", &[], &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_locust_refuses_bad_arguments() -> Result<()> {
    // Without an engine and a Locust nothing can succeed; it must say so with these codes.
    let failures = &["SERVICE_ERROR", "VALIDATION_ERROR"];
    bad_arguments("docker-locust", "gantry-docker-locust", NO_ENGINE, failures).await
}

/// Calls every tool through every door, directly and through the edge, with every case made from its schema.
/// Where `failures` names codes, well-formed calls must end in one of them.
async fn bad_arguments(slug: &'static str, binary: &str, args: &[&str], failures: &[&str]) -> Result<()> {
    let mut servers = Fronted::start(slug, binary, args).await?;
    let mut wrong = Vec::new();
    for target in servers.targets() {
        let tools = wire::json(&wire::get(&target.host, &target.path("/tools")).await?)?;
        let tools = tools["tools"].as_array().context("no tools")?.clone();
        ensure!(!tools.is_empty(), "{slug} lists no tool");
        for mut door in Door::all(&target, binary, args).await? {
            for tool in &tools {
                let name = tool["name"].as_str().context("a tool without a name")?;
                for case in cases(&tool["inputSchema"]) {
                    let what = format!("{name} over {} at {:?}: {}", door.name(), target.prefix, case.what);
                    let answer = door.call(name, &case.arguments).await.with_context(|| what.clone())?;
                    wrong.extend(case.check(&answer, failures).err().map(|error| format!("{what}: {error}")));
                }
            }
            unknown_tool(&mut door).await.with_context(|| format!("unknown tool over {}", door.name()))?;
            door.check_alive()?;
        }
    }
    ensure!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    servers.check_alive().await
}

async fn unknown_tool(door: &mut Door) -> Result<()> {
    let answer = door.call("no_such_tool", &json!({})).await?;
    let code = match &answer {
        Answer::Refused(error) => &error["error"],
        Answer::Protocol(error) if error["code"] == -32602 => &error["data"]["error"],
        _ => &Value::Null,
    };
    ensure!(code == "NOT_FOUND", "{answer:?}");
    Ok(())
}

/// No client is told that there is no such method when it is its params that cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn params_of_the_wrong_shape_are_told_from_unknown_methods() -> Result<()> {
    let mut servers = Fronted::start("everything", "everything", &[]).await?;
    let [target, _] = servers.targets();
    let unknown = &*"x".repeat(5_000);
    for mut door in
        [Door::Modern(target.clone()), Door::session(&target).await?, Door::stdio("everything", &[]).await?]
    {
        for (method, params, code) in [
            ("tools/call", json!({"name": "echo", "arguments": [1]}), -32602),
            ("prompts/get", json!({"name": "x", "arguments": 7}), -32602),
            ("resources/read", json!({}), -32602),
            ("tasks/get", json!({"taskId": 7}), -32602),
            ("logging/setLevel", json!({}), if matches!(door, Door::Modern(_)) { -32601 } else { -32602 }),
            ("tasks/list", json!({}), -32601),
            (unknown, json!({}), -32601),
        ] {
            let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
            let error = door.rpc(&message).await?["error"].take();
            let what = format!("{} over {}: {}", clip(method), door.name(), clip(&error.to_string()));
            ensure!(error["code"] == code, "{what}");
            ensure!(code != -32602 || error["data"]["error"] == "VALIDATION_ERROR", "{what}");
            ensure!(error["message"].as_str().is_some_and(|text| text.len() < 200), "{what}");
        }
    }
    servers.check_alive().await
}

fn clip(text: &str) -> String {
    text.chars().take(500).collect()
}
