//! Webhooks, whose secrets go in and never come out.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{Lab, Row, row};

/// What must be in no answer.
const SECRET: &str = "swordfish";

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("webhook_read", "list", [], list),
        row!("webhook_read", "get", [], get),
        row!("webhook_write", "create", [], create),
        row!("webhook_write", "edit", [], edit),
        row!("webhook_write", "delete", [], delete),
        row!("webhook_write", "test", [], test),
    ]
}

fn new(url: &str) -> Value {
    json!({
        "type": "gitea",
        "config": {"url": url, "content_type": "json", "secret": SECRET},
        "events": ["issues_only", "push"],
        "branch_filter": "main",
        "authorization_header": format!("Bearer {SECRET}"),
        "active": true,
    })
}

async fn hook(lab: &Lab) -> Result<Value> {
    lab.post("/hooks", new("http://127.0.0.1:1/hook")).await
}

/// An organisation of alice's.
async fn org(lab: &Lab) -> Result<String> {
    let name = format!("hooked-{}", lab.number);
    lab.forge.post(&lab.alice().token, "/orgs", json!({"username": name})).await?;
    Ok(name)
}

fn without_secret(answer: &Value) {
    assert!(!answer.to_string().contains(SECRET), "{answer}");
}

async fn list(lab: &Lab) -> Result<()> {
    hook(lab).await?;
    let chat = json!({
        "type": "slack",
        "config": {"url": format!("https://127.0.0.1/services/{SECRET}"), "content_type": "json", "channel": "#ci"},
    });
    lab.post("/hooks", chat).await?;
    let listed = lab.here(json!({})).await?;
    without_secret(&listed);
    let items = listed["items"].as_array().context("items")?;
    let shown: Vec<_> = items.iter().map(|hook| hook["url"].as_str().unwrap_or_default()).collect();
    assert_eq!(shown, ["http://127.0.0.1:1/hook", "https://127.0.0.1/***"], "{listed}");
    Ok(())
}

async fn get(lab: &Lab) -> Result<()> {
    let id = hook(lab).await?["id"].clone();
    let got = lab.here(json!({"id": id})).await?;
    without_secret(&got);
    assert_eq!(
        (&got["has_authorization_header"], &got["branch_filter"]),
        (&json!(true), &json!("main")),
        "{got}"
    );
    assert_eq!(got["events"], json!(["issues", "push"]), "{got}");
    Ok(())
}

async fn create(lab: &Lab) -> Result<()> {
    let new = json!({
        "url": "http://127.0.0.1:1/x",
        "secret": SECRET,
        "authorization_header": format!("Bearer {SECRET}"),
        "events": ["release"],
    });
    let mut dry = new.clone();
    dry["dry_run"] = json!(true);
    let dry = lab.here(dry).await?;
    without_secret(&dry);
    assert_eq!(
        (&dry["would"]["body"]["config"]["secret"], lab.get("/hooks").await?),
        (&json!("***"), json!([])),
        "{dry}"
    );
    without_secret(&lab.here(new.clone()).await?);
    let made = &lab.get("/hooks").await?[0];
    assert_eq!(
        (&made["config"]["url"], &made["events"]),
        (&json!("http://127.0.0.1:1/x"), &json!(["release"]))
    );
    assert_eq!(made["authorization_header"], format!("Bearer {SECRET}"));

    let org = org(lab).await?;
    let mut of_org = new;
    of_org["org"] = json!(org);
    lab.call(of_org).await?;
    let there = lab.forge.get(&lab.alice().token, &format!("/orgs/{org}/hooks")).await?;
    assert_eq!(there.as_array().map(Vec::len), Some(1));
    without_secret(&lab.refused(json!({"url": "no address", "secret": SECRET})).await?);
    Ok(())
}

async fn edit(lab: &Lab) -> Result<()> {
    let id = hook(lab).await?["id"].clone();
    let dry = lab.here(json!({"id": id, "active": false, "dry_run": true})).await?;
    without_secret(&dry);
    without_secret(&lab.here(json!({"id": id, "active": false})).await?);
    let there = lab.get(&format!("/hooks/{id}")).await?;
    let mut events: Vec<_> =
        there["events"].as_array().context("events")?.iter().map(Value::to_string).collect();
    events.sort_unstable();
    assert_eq!(
        (&there["active"], &there["branch_filter"]),
        (&json!(false), &json!("main")),
        "the rest stays: {there}"
    );
    assert_eq!(events, [r#""issues""#, r#""push""#], "{there}");
    assert_eq!(there["authorization_header"], format!("Bearer {SECRET}"));
    assert_eq!(lab.refused(json!({"id": id})).await?["details"]["field"], "url", "nothing to change");
    let error = lab.refused(json!({"id": id, "secret": SECRET})).await?;
    assert_eq!(error["details"]["field"], "secret", "forges keep it as it is: {error}");
    Ok(())
}

async fn delete(lab: &Lab) -> Result<()> {
    let id = hook(lab).await?["id"].clone();
    lab.here(json!({"id": id})).await?;
    assert_eq!(lab.status(&format!("/hooks/{id}")).await?, 404);
    lab.refused(json!({"id": id})).await?;
    Ok(())
}

/// The hook's receiver hears of it.
async fn test(lab: &Lab) -> Result<()> {
    let receiver = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hook", receiver.local_addr()?);
    let id = lab.post("/hooks", new(&url)).await?["id"].clone();
    lab.here(json!({"id": id})).await?;
    let accepted = tokio::time::timeout(std::time::Duration::from_secs(60), receiver.accept()).await;
    let (mut stream, _) = accepted.context("nothing arrived")??;
    let mut head = vec![0; 4096];
    let read = stream.read(&mut head).await?;
    let head = String::from_utf8_lossy(&head[..read]).to_ascii_lowercase();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    assert!(head.contains("x-gitea-event: push"), "{head}");
    lab.refused(json!({"id": 999_999})).await?;
    Ok(())
}
