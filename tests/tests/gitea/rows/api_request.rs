//! Requests to the API itself: what they may not do counts as much as what they do.

use anyhow::{Result, ensure};
use gantry_tests::program::Program;
use http::StatusCode;
use serde_json::{Value, json};

use crate::lab::{self, Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("api_request", "GET", [], get),
        row!("api_request", "POST", [], post),
        row!("api_request", "PUT", [], put),
        row!("api_request", "PATCH", [], patch),
        row!("api_request", "DELETE", [], delete),
    ]
}

/// A server that may write.
async fn writer(lab: &Lab, args: &[&str]) -> Result<Program> {
    lab::server(&lab.forge, &[&["--allow-api-writes"], args].concat()).await
}

async fn done(server: &Program, method: &str, path: &str, more: Value) -> Result<Value> {
    let (status, answer) = attempt(server, method, path, more).await?;
    ensure!(status == StatusCode::OK, "{status}: {answer}");
    Ok(answer)
}

async fn attempt(server: &Program, method: &str, path: &str, mut more: Value) -> Result<(StatusCode, Value)> {
    more["method"] = json!(method);
    more["path"] = json!(path);
    lab::call(&server.host, "api_request", &more).await
}

async fn get(lab: &Lab) -> Result<()> {
    let repo = format!("/repos/alice/{}", lab.repo);
    for name in ["one", "two"] {
        lab.post("/labels", json!({"name": name, "color": "#00ff00"})).await?;
    }
    let labels = lab.call(json!({"path": format!("{repo}/labels"), "query": {"limit": 1}})).await?;
    assert_eq!((&labels["json"][0]["name"], &labels["total_count"]), (&json!("one"), &json!(2)), "{labels}");
    let raw = lab.call(json!({"path": format!("/api/v1{repo}/raw/README.md")})).await?;
    assert!(raw["text"]["text"].as_str().is_some_and(|text| text.contains(&lab.repo)), "{raw}");

    for bad in ["/../../user/settings", "/repos/a/b%2f..%2f..%2fc", "//example.com/x", "/user?x=1", ""] {
        assert_eq!(lab.refused_as(json!({"path": bad})).await?["details"]["field"], "path", "{bad}");
    }
    for name in ["sudo", "Sudo", "token", "access_token"] {
        let error = lab.refused_as(json!({"path": "/user", "query": {name: "alice"}})).await?;
        assert_eq!(error["details"]["field"], format!("query.{name}"), "{error}");
    }
    let error = lab.refused_as(json!({"path": "/repos/alice/none"})).await?;
    assert_eq!(error["details"]["status"], 404, "{error}");
    secrets_stay(lab, &repo).await?;
    long_answers_are_cut(lab, &repo).await?;
    stays_within_reach(lab, &repo).await
}

async fn secrets_stay(lab: &Lab, repo: &str) -> Result<()> {
    let hook = json!({
        "type": "slack",
        "config": {"url": "https://127.0.0.1/services/swordfish", "content_type": "json", "channel": "#ci"},
        "authorization_header": "Bearer swordfish",
    });
    lab.post("/hooks", hook).await?;
    let answer = lab.call(json!({"path": format!("{repo}/hooks")})).await?.to_string();
    assert!(answer.contains("***") && !answer.contains("swordfish"), "{answer}");
    Ok(())
}

async fn long_answers_are_cut(lab: &Lab, repo: &str) -> Result<()> {
    let long = "x".repeat(30_000);
    lab.post("/issues", json!({"title": "long", "body": long})).await?;
    let small = lab::server(&lab.forge, &["--max-output-bytes", "20000"]).await?;
    let cut = done(&small, "GET", &format!("{repo}/issues"), json!({})).await?;
    assert!(cut["text"]["truncated"]["bytes"].as_u64() > Some(10_000), "{cut}");
    assert!(cut.to_string().len() < 20_000, "{cut}");
    Ok(())
}

async fn stays_within_reach(lab: &Lab, repo: &str) -> Result<()> {
    let confined = lab::server(&lab.forge, &["--allow-repos", "alice/lab-*"]).await?;
    done(&confined, "GET", repo, json!({})).await?;
    done(&confined, "GET", "/version", json!({})).await?;
    for path in
        ["/repos/alice/other", "/repos/search", "/users/bob", "/teams/1", "/repositories/1", "/notifications"]
    {
        let (_, error) = attempt(&confined, "GET", path, json!({})).await?;
        assert_eq!(error["error"], "FORBIDDEN", "{path}: {error}");
    }
    Ok(())
}

/// None of it is sent by a server that nobody allowed it.
async fn closed(lab: &Lab, path: &str) -> Result<()> {
    for dry_run in [true, false] {
        let arguments = json!({"path": path, "body": {"title": "x"}, "dry_run": dry_run});
        let error = lab.refused_as(arguments).await?;
        assert_eq!(error["error"], "FORBIDDEN", "{error}");
        assert_eq!(error["details"]["setting"], "GANTRY_ALLOW_API_WRITES", "{error}");
    }
    Ok(())
}

async fn post(lab: &Lab) -> Result<()> {
    let issues = format!("/repos/alice/{}/issues", lab.repo);
    closed(lab, &issues).await?;
    let server = writer(lab, &[]).await?;
    let body = json!({"title": "made", "secret": "swordfish"});
    let dry = done(&server, "POST", &issues, json!({"body": body, "query": {"a": [1, 2]}, "dry_run": true}))
        .await?;
    let would = json!({"method": "POST", "path": format!("{issues}?a=1&a=2"), "body": {"title": "made", "secret": "***"}});
    assert_eq!((&dry["would"], lab.get("/issues").await?), (&would, json!([])), "{dry}");
    done(&server, "POST", &issues, json!({"body": {"title": "made"}})).await?;
    assert_eq!(lab.get("/issues").await?[0]["title"], "made");

    let token = format!("/repos/alice/{}/actions/runners/registration-token", lab.repo);
    assert_eq!(done(&server, "POST", &token, json!({})).await?["json"], json!({"token": "***"}));

    let reading = writer(lab, &["--read-only"]).await?;
    let (_, error) = attempt(&reading, "POST", &issues, json!({"body": {"title": "not made"}})).await?;
    assert!(error["error"] == "FORBIDDEN" || error["error"] == "VALIDATION_ERROR", "{error}");
    let confined = writer(lab, &["--allow-repos", "alice/lab-*"]).await?;
    let elsewhere = json!({"body": {"organization": "other"}});
    let (_, error) =
        attempt(&confined, "POST", &format!("/repos/alice/{}/forks", lab.repo), elsewhere).await?;
    assert_eq!(error["error"], "FORBIDDEN", "{error}");
    assert_eq!(lab.get("/issues").await?.as_array().map(Vec::len), Some(1));
    Ok(())
}

async fn put(lab: &Lab) -> Result<()> {
    let topics = format!("/repos/alice/{}/topics", lab.repo);
    closed(lab, &topics).await?;
    let server = writer(lab, &[]).await?;
    done(&server, "PUT", &topics, json!({"body": {"topics": ["rust"]}})).await?;
    assert_eq!(lab.get("/topics").await?["topics"], json!(["rust"]));
    Ok(())
}

async fn patch(lab: &Lab) -> Result<()> {
    let repo = format!("/repos/alice/{}", lab.repo);
    closed(lab, &repo).await?;
    let server = writer(lab, &[]).await?;
    let answer = done(&server, "PATCH", &repo, json!({"body": {"description": "new"}})).await?;
    assert_eq!(
        (&answer["json"]["description"], &lab.get("").await?["description"]),
        (&json!("new"), &json!("new"))
    );
    Ok(())
}

async fn delete(lab: &Lab) -> Result<()> {
    let id = lab.post("/labels", json!({"name": "bug", "color": "#00ff00"})).await?["id"].clone();
    let label = format!("/repos/alice/{}/labels/{id}", lab.repo);
    closed(lab, &label).await?;
    let server = writer(lab, &[]).await?;
    done(&server, "DELETE", &label, json!({})).await?;
    assert_eq!(lab.status(&format!("/labels/{id}")).await?, 404);
    Ok(())
}
