//! A client that cancels, or closes its request where that means the same, ends the call in the server: directly
//! and through the edge. The server's own gauge of calls in flight is the witness.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use gantry_tests::fixture;
use gantry_tests::program::{Fronted, PATIENCE};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

#[tokio::test]
async fn python_generation_1_over_streamable_http() -> Result<()> {
    python("GANTRY_TEST_PYTHON_MCP1", "cancel_mcp1.py", "http", "/mcp").await
}

#[tokio::test]
async fn python_generation_1_over_sse() -> Result<()> {
    python("GANTRY_TEST_PYTHON_MCP1", "cancel_mcp1.py", "sse", "/sse").await
}

#[tokio::test]
async fn python_generation_2_with_a_handshake() -> Result<()> {
    python("GANTRY_TEST_PYTHON_MCP2", "cancel_mcp2.py", "legacy", "/mcp").await
}

#[tokio::test]
async fn python_generation_2_without_a_handshake() -> Result<()> {
    python("GANTRY_TEST_PYTHON_MCP2", "cancel_mcp2.py", "2026-07-28", "/mcp").await
}

#[tokio::test]
async fn typescript() -> Result<()> {
    let Some(modules) = fixture("cancel_sdk.mjs", "GANTRY_TEST_NODE_MODULES") else { return Ok(()) };
    cancels("/mcp", |url| {
        let mut command = Command::new(Path::new(&modules).join(".bin/node"));
        command.arg(script("cancel_sdk.mjs")).arg(url).env("NODE_MODULES", &modules);
        command
    })
    .await
}

#[tokio::test]
async fn curl_that_is_ended() -> Result<()> {
    let Some(curl) = fixture("curl that is ended", "GANTRY_TEST_CURL") else { return Ok(()) };
    cancels("/tools/wait", |url| {
        // The shell ends curl when it reads its first line, and itself at the second.
        let mut command = Command::new("bash");
        let body = r#"{"seconds": 60}"#;
        command.args(["-c", r#""$@" & read -r; kill $!; read -r"#, "bash", &curl, "-sS", url]);
        command.args(["-H", "content-type: application/json", "-d", body]);
        command
    })
    .await
}

async fn python(variable: &str, driver: &str, mode: &str, path: &str) -> Result<()> {
    let Some(python) = fixture(&format!("{driver} {mode}"), variable) else { return Ok(()) };
    cancels(path, |url| {
        let mut command = Command::new(&python);
        command.arg(script(driver)).args([mode, url]);
        command
    })
    .await
}

async fn cancels(path: &str, driver: impl Fn(&str) -> Command) -> Result<()> {
    let mut servers = Fronted::start("patient", "patient", &[]).await?;
    for target in servers.targets() {
        let url = target.url(path);
        let mut client =
            driver(&url).stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true).spawn()?;
        let mut input = client.stdin.take().context("stdin")?;
        servers.server.in_flight("wait", 1).await.with_context(|| format!("{url}: before the cancel"))?;
        input.write_all(b"\n").await?;
        servers.server.in_flight("wait", 0).await.with_context(|| format!("{url}: after the cancel"))?;
        input.write_all(b"\n").await?;
        let ended = tokio::time::timeout(PATIENCE, client.wait()).await;
        anyhow::ensure!(ended.context("the client does not leave")??.success(), "{url}: the client failed");
    }
    servers.check_alive().await
}

fn script(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}
