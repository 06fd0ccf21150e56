//! Clients that nobody here wrote, against the example server, directly and through the edge: each lists, calls,
//! hears of progress, and gets a refusal whole.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gantry_tests::fixture;
use gantry_tests::program::{Fronted, Target};
use serde_json::{Value, json};
use tokio::process::Command;

const TEXT: &str = "zażółć";

#[tokio::test]
async fn python_generation_1_over_streamable_http() -> Result<()> {
    python("GANTRY_TEST_PYTHON_MCP1", "mcp1.py", "http", "/mcp", "2025-11-25").await
}

#[tokio::test]
async fn python_generation_1_over_sse() -> Result<()> {
    python("GANTRY_TEST_PYTHON_MCP1", "mcp1.py", "sse", "/sse", "").await
}

#[tokio::test]
async fn python_generation_2_with_a_handshake() -> Result<()> {
    python("GANTRY_TEST_PYTHON_MCP2", "mcp2.py", "legacy", "/mcp", "2025-11-25").await
}

#[tokio::test]
async fn python_generation_2_choosing_itself() -> Result<()> {
    python("GANTRY_TEST_PYTHON_MCP2", "mcp2.py", "auto", "/mcp", "2026-07-28").await
}

#[tokio::test]
async fn python_generation_2_without_a_handshake() -> Result<()> {
    python("GANTRY_TEST_PYTHON_MCP2", "mcp2.py", "2026-07-28", "/mcp", "2026-07-28").await
}

#[tokio::test]
async fn fastmcp_with_a_handshake() -> Result<()> {
    python("GANTRY_TEST_PYTHON_MCP2", "fastmcp_client.py", "legacy", "/mcp", "2025-11-25").await
}

#[tokio::test]
async fn fastmcp_choosing_itself() -> Result<()> {
    python("GANTRY_TEST_PYTHON_MCP2", "fastmcp_client.py", "auto", "/mcp", "2026-07-28").await
}

#[tokio::test]
async fn typescript_over_streamable_http() -> Result<()> {
    typescript("http", "/mcp").await
}

#[tokio::test]
async fn typescript_over_sse() -> Result<()> {
    typescript("sse", "/sse").await
}

#[tokio::test]
async fn inspector() -> Result<()> {
    let Some(modules) = fixture("inspector", "GANTRY_TEST_NODE_MODULES") else { return Ok(()) };
    let modules = Path::new(&modules);
    let servers = Fronted::start("everything", "everything", &[]).await?;
    let doors: [(&str, &[&str]); 3] = [
        ("/mcp", &["--protocol-era", "legacy"]),
        ("/mcp", &["--protocol-era", "modern"]),
        ("/sse", &["--transport", "sse"]),
    ];
    for target in servers.targets() {
        for (path, how) in doors {
            let url = target.url(path);
            let inspect = |arguments: &[&str]| {
                let mut command = Command::new(modules.join(".bin/node"));
                command.arg(modules.join(".bin/mcp-inspector")).args(["--cli", &url]).args(how);
                command.args(["--format", "json", "--quiet"]).args(arguments);
                run(command)
            };
            let list = inspect(&["--method", "tools/list", "--strict"]).await?;
            ensure!(list.status.success(), "{url} {how:?}: {list:?}");
            let list = line(&list)?;
            let tools = list["result"]["tools"].as_array().context("tools")?;
            ensure!(tools.iter().any(|tool| tool["name"] == "echo"), "no echo in {list}");

            let call = ["--method", "tools/call", "--tool-name", "echo"];
            let echo = inspect(&[&call[..], &["--tool-arg", &format!("text={TEXT}")]].concat()).await?;
            ensure!(echo.status.success(), "{url} {how:?}: {echo:?}");
            check_echo(&line(&echo)?["result"])?;
            check_refusal(&line(&inspect(&call).await?)?["result"])?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn curl_on_rest() -> Result<()> {
    let Some(curl) = fixture("curl on REST", "GANTRY_TEST_CURL") else { return Ok(()) };
    let servers = Fronted::start("everything", "everything", &[]).await?;
    for target in servers.targets() {
        let fetch = |path: &str, options: &[&str]| {
            let mut command = Command::new(&curl);
            command.args(["-sS", "-w", "\n%{http_code}", &target.url(path)]).args(options);
            async {
                let output = run(command).await?;
                let text = String::from_utf8(output.stdout)?;
                let (body, status) = text.rsplit_once('\n').context("no status")?;
                let body: Value = serde_json::from_str(body).with_context(|| format!("not JSON: {body}"))?;
                anyhow::Ok((status.parse::<u16>()?, body))
            }
        };
        let (status, list) = fetch("/tools", &[]).await?;
        let names: Vec<_> =
            list["tools"].as_array().context("tools")?.iter().map(|tool| &tool["name"]).collect();
        ensure!(status == 200 && names.contains(&&json!("echo")), "{status} {list}");

        let (status, openapi) = fetch("/openapi.json", &[]).await?;
        ensure!(
            status == 200 && openapi["openapi"].as_str().is_some_and(|v| v.starts_with("3.1")),
            "{openapi}"
        );
        ensure!(openapi["paths"]["/tools/echo"]["post"].is_object(), "no echo in {openapi}");

        let post = |body: &'static str| ["-H", "content-type: application/json", "-d", body];
        let (status, echo) = fetch("/tools/echo", &post(r#"{"text": "zażółć"}"#)).await?;
        ensure!(status == 200 && echo == json!({"text": TEXT}), "{status} {echo}");

        let (status, refused) = fetch("/tools/echo", &post("{}")).await?;
        ensure!(status == 400 && refused["error"] == "VALIDATION_ERROR", "{status} {refused}");
        ensure!(refused["details"]["field"] == "text", "{refused}");
        let (status, unknown) = fetch("/tools/no_such_tool", &post("{}")).await?;
        ensure!(status == 404 && unknown["error"] == "NOT_FOUND", "{status} {unknown}");
        let (status, rebound) = fetch("/tools", &["-H", "host: evil.example"]).await?;
        ensure!(status == 403 && rebound["error"] == "FORBIDDEN", "{status} {rebound}");
    }
    Ok(())
}

#[tokio::test]
async fn curl_on_sse() -> Result<()> {
    let Some(curl) = fixture("curl on SSE", "GANTRY_TEST_CURL") else { return Ok(()) };
    let servers = Fronted::start("everything", "everything", &[]).await?;
    for target in servers.targets() {
        let mut command = Command::new("bash");
        command.arg(script("sse.sh")).args([&target.url("/sse"), TEXT]).env("CURL", &curl);
        let output = run(command).await?;
        ensure!(output.status.success(), "{target:?}: {output:?}");
        check_echo(&line(&output)?["result"])?;
    }
    Ok(())
}

async fn python(variable: &str, driver: &str, mode: &str, path: &str, revision: &str) -> Result<()> {
    let Some(python) = fixture(&format!("{driver} {mode}"), variable) else { return Ok(()) };
    each_target(path, revision, |url| {
        let mut command = Command::new(&python);
        command.arg(script(driver)).args([mode, url]);
        command
    })
    .await
}

async fn typescript(transport: &str, path: &str) -> Result<()> {
    let Some(modules) = fixture(&format!("sdk.mjs {transport}"), "GANTRY_TEST_NODE_MODULES") else {
        return Ok(());
    };
    each_target(path, "", |url| {
        let mut command = Command::new(Path::new(&modules).join(".bin/node"));
        command.arg(script("sdk.mjs")).args([transport, url]).env("NODE_MODULES", &modules);
        command
    })
    .await
}

/// Runs a driver directly and through the edge, and checks the line it reports.
async fn each_target(path: &str, revision: &str, driver: impl Fn(&str) -> Command) -> Result<()> {
    let mut servers = Fronted::start("everything", "everything", &[]).await?;
    for target in servers.targets() {
        report(&target, path, revision, &driver).await.with_context(|| target.url(path))?;
    }
    servers.check_alive().await
}

async fn report(target: &Target, path: &str, revision: &str, driver: impl Fn(&str) -> Command) -> Result<()> {
    let output = run(driver(&target.url(path))).await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = line(&output)?;
    ensure!(revision.is_empty() || report["protocol"] == revision, "spoke {}", report["protocol"]);
    ensure!(report["tools"].as_array().is_some_and(|tools| tools.contains(&json!("echo"))), "{report}");
    check_echo(&report["echo"])?;
    check_refusal(&report["refused"])?;
    if let Some(raised) = report.get("raised") {
        ensure!(raised["error"] == "VALIDATION_ERROR", "the client raised {raised}");
    }
    let progress: Vec<f64> = serde_json::from_value(report["progress"].clone())?;
    // The TypeScript SDK forgets a call's progress handler before it has run what came in one packet with the result.
    let wanted: &[f64] = &[0.0, 50.0, 100.0];
    let wanted = if report["drops_progress"] == true { &wanted[..progress.len().min(3)] } else { wanted };
    ensure!(progress == wanted, "progress came as {progress:?}");
    Ok(())
}

fn check_echo(result: &Value) -> Result<()> {
    ensure!(
        result["isError"] != true && result["structuredContent"] == json!({"text": TEXT}),
        "echo: {result}"
    );
    Ok(())
}

/// The caller must see our whole error object, and nothing that its client could hold against our output schema.
fn check_refusal(result: &Value) -> Result<()> {
    ensure!(result["isError"] == true && result.get("structuredContent").is_none(), "refusal: {result}");
    let error: Value = serde_json::from_str(result["content"][0]["text"].as_str().context("no text")?)?;
    ensure!(error["error"] == "VALIDATION_ERROR" && error["details"]["field"] == "text", "refusal: {error}");
    Ok(())
}

fn script(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

/// Runs a client in an empty home and without the settings of whoever runs the tests.
async fn run(mut command: Command) -> Result<Output> {
    let home = tempfile::TempDir::new()?;
    let path = std::env::join_paths(["/usr/local/bin", "/usr/bin", "/bin"])?;
    command.env("PATH", path).env("HOME", home.path()).stdin(Stdio::null()).kill_on_drop(true);
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    let output = tokio::time::timeout(Duration::from_secs(60), command.output()).await;
    Ok(output.with_context(|| format!("{command:?} does not end"))??)
}

/// The last line that a client printed, as JSON.
fn line(output: &Output) -> Result<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().with_context(|| format!("printed nothing: {output:?}"))?;
    serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))
}
