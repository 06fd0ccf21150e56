//! grpcurl, which knows nothing but what reflection tells it, on every way to a server: it lists, describes and calls,
//! is refused in our words, and a call that it leaves ends in the server.

mod grpcurl;

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use gantry_tests::certificate::Certificate;
use gantry_tests::fixture;
use gantry_tests::program::{PATIENCE, Program};
use grpcurl::{CALL, Grpcurl, SERVICE};
use serde_json::{Value, json};

const HEALTH: &str = "grpc.health.v1.Health";
/// Statuses, by their numbers.
const INVALID_ARGUMENT: u64 = 3;
const NOT_FOUND: u64 = 5;
const PERMISSION_DENIED: u64 = 7;
const RESOURCE_EXHAUSTED: u64 = 8;
const UNAVAILABLE: u64 = 14;
const UNAUTHENTICATED: u64 = 16;

#[tokio::test]
async fn it_finds_and_calls_tools_directly_and_through_the_edge() -> Result<()> {
    let Some(program) = fixture("grpcurl without TLS", "GANTRY_TEST_GRPCURL") else { return Ok(()) };
    let mut server = Program::start("everything", &[]).await?;
    let mut edge = Program::edge(&[("everything", &server)]).await?;
    let through = Grpcurl::to(&program, &edge.host, &["-plaintext"]);
    for way in [
        Grpcurl::to(&program, &server.host, &["-plaintext"]),
        through.with(&["-H", "gantry-slug: everything"]),
        through.with(&["-authority", "everything.localhost"]),
    ] {
        finds_and_calls(&way).await.with_context(|| format!("{way:?}"))?;
    }
    let lost = ["-reflect-header", "gantry-slug: everything", "-rpc-header", "gantry-slug: elsewhere"];
    let refused = through.with(&lost).refusal(CALL, &json!({"name": "echo"})).await?;
    ensure!(refused.is(NOT_FOUND, "NOT_FOUND"), "a server that is not there: {refused:?}");
    server.check_alive().await?;
    edge.check_alive().await
}

#[tokio::test]
async fn it_finds_and_calls_tools_with_tls() -> Result<()> {
    let Some(program) = fixture("grpcurl with TLS", "GANTRY_TEST_GRPCURL") else { return Ok(()) };
    let certificate = Certificate::new(&["localhost", "127.0.0.1", "everything.localhost"])?;
    let serve = certificate.served();
    let mut server = Program::start("everything", &serve).await?;
    let believes = [&serve[..], &["--ca-file", &certificate.authority]].concat();
    let mut edge = Program::edge_with(&[("everything", &server)], &believes).await?;
    let through = Grpcurl::to(&program, &edge.host, &["-cacert", &certificate.authority]);
    for way in [
        Grpcurl::to(&program, &server.host, &["-cacert", &certificate.authority]),
        through.with(&["-H", "gantry-slug: everything"]),
        through.with(&["-authority", "everything.localhost"]),
    ] {
        finds_and_calls(&way).await.with_context(|| format!("{way:?}"))?;
    }
    server.check_alive().await?;
    edge.check_alive().await
}

async fn finds_and_calls(way: &Grpcurl) -> Result<()> {
    let services: BTreeSet<String> = way.says(&[], &["list"]).await?.lines().map(str::to_owned).collect();
    ensure!(services.contains(SERVICE) && services.contains(HEALTH), "{services:?}");
    let described = way.says(&[], &["describe", SERVICE]).await?;
    ensure!(described.contains("rpc CallTool") && described.contains("// Calls a tool"), "{described}");

    let list = way.call(&format!("{SERVICE}/ListTools"), &json!({})).await?;
    let tools = list[0]["tools"].as_array().context("no tools")?;
    let echo = tools.iter().find(|tool| tool["name"] == "echo").context("no echo")?;
    let schema: Value = serde_json::from_str(echo["inputSchemaJson"].as_str().context("no schema")?)?;
    ensure!(schema["properties"]["text"]["type"] == "string" && echo["annotations"]["readOnlyHint"] == true);

    for arguments in [
        json!({"name": "echo", "arguments": {"text": "zażółć"}}),
        json!({"name": "echo", "arguments_json": json!({"text": "zażółć"}).to_string()}),
    ] {
        let said = way.call(CALL, &arguments).await?;
        ensure!(said.len() == 1 && said[0]["result"]["structured"]["text"] == "zażółć", "{said:?}");
    }
    let told = way.call(CALL, &json!({"name": "test_tool_with_progress"})).await?;
    let steps: Vec<&Value> = told.iter().map(|message| &message["progress"]["message"]).collect();
    ensure!(steps == [&json!("begun"), &json!("half-way"), &json!("done"), &Value::Null], "{told:?}");
    ensure!(told[3]["result"]["content"][0]["text"]["text"].is_string(), "{told:?}");
    let mixed = way.call(CALL, &json!({"name": "test_multiple_content_types"})).await?;
    let kinds = ["text", "image", "resource"];
    let content = mixed[0]["result"]["content"].as_array().context("no content")?;
    ensure!(
        content.iter().zip(kinds).all(|(it, kind)| it[kind].is_object()) && content.len() == 3,
        "{mixed:?}"
    );

    let bad = way.refusal(CALL, &json!({"name": "echo", "arguments": {"txt": 1}})).await?;
    ensure!(
        bad.is(INVALID_ARGUMENT, "VALIDATION_ERROR") && bad.error["details"]["field"] == "txt",
        "{bad:?}"
    );
    let unknown = way.refusal(CALL, &json!({"name": "nothing"})).await?;
    ensure!(unknown.is(NOT_FOUND, "NOT_FOUND"), "{unknown:?}");
    let failed = way.refusal(CALL, &json!({"name": "test_error_handling"})).await?;
    ensure!(failed.is(UNAVAILABLE, "SERVICE_ERROR"), "{failed:?}");

    for service in ["", SERVICE] {
        let health = way.call(&format!("{HEALTH}/Check"), &json!({"service": service})).await?;
        ensure!(health == [json!({"status": "SERVING"})], "{health:?}");
    }
    Ok(())
}

#[tokio::test]
async fn keys_roles_and_limits_hold() -> Result<()> {
    let Some(program) = fixture("grpcurl with keys", "GANTRY_TEST_GRPCURL") else { return Ok(()) };
    let keys = ["--api-keys", "ci:read:reader,ops:write:writer", "--rate-limit", "note=2/h"];
    let server = Program::start("everything", &keys).await?;
    let edge = Program::edge(&[("everything", &server)]).await?;
    let way = Grpcurl::to(&program, &edge.host, &["-plaintext", "-H", "gantry-slug: everything"]);
    let note = json!({"name": "note", "arguments": {"text": "x"}});

    let stranger = way.with(&["-reflect-header", "x-api-key: reader"]);
    let refused = stranger.refusal(CALL, &note).await?;
    ensure!(refused.is(UNAUTHENTICATED, "AUTHENTICATION_ERROR"), "{refused:?}");
    ensure!(way.says(&[], &["list"]).await.is_err(), "reflection without a key");
    let proto = Grpcurl::to(&program, &server.host, &["-plaintext", "-reflect-header", "x-api-key: reader"]);
    let health = proto.call(&format!("{HEALTH}/Check"), &json!({})).await?;
    ensure!(health == [json!({"status": "SERVING"})], "health without a key: {health:?}");

    let reader = way.with(&["-H", "authorization: Bearer reader"]);
    let list = reader.call(&format!("{SERVICE}/ListTools"), &json!({})).await?;
    let listed = list[0]["tools"].as_array().context("no tools")?;
    ensure!(
        listed.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true),
        "a reader sees {listed:?}"
    );
    let refused = reader.refusal(CALL, &note).await?;
    ensure!(refused.is(PERMISSION_DENIED, "FORBIDDEN"), "{refused:?}");

    let writer = way.with(&["-H", "authorization: Bearer writer"]);
    for _ in 0..2 {
        writer.call(CALL, &note).await?;
    }
    let limited = writer.refusal(CALL, &note).await?;
    ensure!(limited.is(RESOURCE_EXHAUSTED, "RATE_LIMITED"), "{limited:?}");
    ensure!(limited.error["details"]["retry_after"].as_f64() > Some(0.0), "{limited:?}");
    let log = server.log();
    let audited =
        log.lines().filter(|line| line.contains("\"tool called\"") && line.contains("note")).count();
    ensure!(audited == 4, "{audited} audit lines of one refusal, two calls and a limit:\n{log}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_its_client_leaves_ends_in_the_tool() -> Result<()> {
    let Some(program) = fixture("grpcurl that is ended", "GANTRY_TEST_GRPCURL") else { return Ok(()) };
    let certificate = Certificate::new(&["localhost", "127.0.0.1"])?;
    let server = Program::start("patient", &[]).await?;
    let plain = Program::edge(&[("patient", &server)]).await?;
    let secure = Program::edge_with(&[("patient", &server)], &certificate.served()).await?;
    let slug = ["-H", "gantry-slug: patient"];
    for way in [
        Grpcurl::to(&program, &server.host, &["-plaintext"]),
        Grpcurl::to(&program, &plain.host, &["-plaintext"]).with(&slug),
        Grpcurl::to(&program, &secure.host, &["-cacert", &certificate.authority]).with(&slug),
    ] {
        let wait = json!({"name": "wait", "arguments": {"seconds": 600}}).to_string();
        // One is killed, the other lets its own deadline pass.
        let mut killed = way.command(&["-d", &wait], &[CALL]).spawn()?;
        let mut late = way.command(&["-max-time", "5", "-d", &wait], &[CALL]).spawn()?;
        server.in_flight("wait", 2).await.with_context(|| format!("{way:?}: before"))?;
        killed.kill().await?;
        server.in_flight("wait", 1).await.with_context(|| format!("{way:?}: killed"))?;
        let ended = tokio::time::timeout(PATIENCE, late.wait()).await.context("it does not give up")??;
        ensure!(!ended.success(), "{way:?}: a call of ten minutes succeeded");
        server.in_flight("wait", 0).await.with_context(|| format!("{way:?}: late"))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_real_server_says_what_it_lacks() -> Result<()> {
    let Some(program) = fixture("grpcurl on docker-locust", "GANTRY_TEST_GRPCURL") else { return Ok(()) };
    let server =
        Program::start("gantry-docker-locust", &["--docker-host", "unix:///nowhere/docker.sock"]).await?;
    let way = Grpcurl::to(&program, &server.host, &["-plaintext"]);
    let list = way.call(&format!("{SERVICE}/ListTools"), &json!({"page_size": 100})).await?;
    let names: Vec<&str> = list[0]["tools"]
        .as_array()
        .context("no tools")?
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    ensure!(names.contains(&"docker_container_list") && names.contains(&"locust_get_stats"), "{names:?}");
    let refused = way.refusal(CALL, &json!({"name": "docker_container_list"})).await?;
    ensure!(refused.is(UNAVAILABLE, "SERVICE_ERROR"), "{refused:?}");
    Ok(())
}
