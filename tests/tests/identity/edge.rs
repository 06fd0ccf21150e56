//! The edge's word for a caller, and everything that only looks like it.

use std::time::Duration;

use anyhow::{Result, ensure};
use gantry_tests::program::Program;
use gantry_tests::recorder::Recorder;
use kit::auth::{Principal, Role, Voucher};
use serde_json::json;

use crate::{get, mcp, refused, rest, url_of};

const HEADER: &str = "x-gantry-principal";

#[tokio::test]
async fn a_forged_principal_is_refused() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let file = |name: &str, key: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, key).map(|()| path)
    };
    let trusted = file("trusted", "a key that edge and server share, 32 bytes and more")?;
    let edge = Voucher::read("--edge-key-file", trusted.clone())?;
    let forger =
        Voucher::read("--edge-key-file", file("forged", "a key that somebody made up, 32 bytes and more")?)?;
    let upstream = Recorder::start(200).await?;
    let upstream_url = url_of(&upstream);
    let trust = trusted.display().to_string();
    let args = ["--trust-edge-key-file", &trust, "--upstream-url", &upstream_url];
    let server = Program::start("everything", &args).await?;
    let caller = Principal::new("ops", Role::Read);
    let text = |value: &http::HeaderValue| value.to_str().map(str::to_owned);
    let word = text(&edge.sign(&caller, "everything"))?;

    let output = mcp(&server.host, "upstream_get", &json!({"path": "x"}), &[(HEADER, &word)]).await?;
    ensure!(output["status"] == 200, "{output}");
    let writes = rest(&server.host, "note", &json!({"text": "x"}), &[(HEADER, &word)]).await?;
    refused(&writes, 403, "FORBIDDEN", &word)?;

    let (payload, mac) = word.split_once('.').unwrap_or_default();
    let admin = text(&forger.sign(&Principal::new("ops", Role::Admin), "everything"))?;
    let (stolen, _) = admin.split_once('.').unwrap_or_default();
    for forged in [
        admin.clone(),
        text(&edge.sign(&caller, "other"))?,
        format!("{stolen}.{mac}"),
        format!("{payload}."),
        format!("{payload}.{payload}"),
        payload.to_owned(),
        "ops".to_owned(),
        String::new(),
    ] {
        let answer = rest(&server.host, "echo", &json!({"text": "x"}), &[(HEADER, &forged)]).await?;
        refused(&answer, 401, "AUTHENTICATION_ERROR", &forged)?;
    }
    let twice = get(&server.host, "/tools", &[(HEADER, &word), (HEADER, &word)]).await?;
    refused(&twice, 401, "AUTHENTICATION_ERROR", &word)?;
    refused(&get(&server.host, "/tools", &[]).await?, 401, "AUTHENTICATION_ERROR", "")?;
    let careless = Program::start("everything", &[]).await?;
    refused(&get(&careless.host, "/tools", &[(HEADER, &word)]).await?, 401, "AUTHENTICATION_ERROR", &word)?;

    // Whoever overheard it cannot use it for long.
    tokio::time::sleep(Duration::from_secs(46)).await;
    let replayed = get(&server.host, "/tools", &[(HEADER, &word)]).await?;
    refused(&replayed, 401, "AUTHENTICATION_ERROR", &word)?;
    ensure!(String::from_utf8_lossy(replayed.body()).contains("expired"), "{replayed:?}");
    ensure!(upstream.seen().len() == 1 && upstream.leaked(&[HEADER, &word, payload]).is_empty());
    ensure!(!server.log().contains(payload), "{}", server.log());
    Ok(())
}
