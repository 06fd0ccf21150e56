//! What a user without write access may not set is left out by Gitea without a word: it is told, also to who asks again
//! with the same key.

use anyhow::{Result, ensure};
use gantry_tests::fixture;
use gantry_tests::forge::Forge;
use gantry_tests::program::Program;
use serde_json::{Value, json};

use crate::lab;

/// Calls a tool on alice's repository `base`.
async fn call(host: &str, tool: &str, mut arguments: Value) -> Result<Value> {
    arguments["owner"] = "alice".into();
    arguments["repo"] = "base".into();
    Ok(lab::call(host, tool, &arguments).await?.1)
}

#[tokio::test]
async fn what_did_not_take_is_told() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Forge::start(&programs).await?;
    let (alice, bob) = (&forge.user("alice").token, &forge.user("bob").token);
    let new = json!({"name": "base", "default_branch": "main", "auto_init": true});
    forge.post(alice, "/user/repos", new).await?;
    forge.post(alice, "/repos/alice/base/labels", json!({"name": "bug", "color": "#ff0000"})).await?;
    forge.post(alice, "/repos/alice/base/milestones", json!({"title": "v1"})).await?;
    forge.post(bob, "/repos/alice/base/forks", json!({})).await?;
    let file = json!({"content": "eA==", "message": "m", "branch": "main", "new_branch": "side"});
    forge.post(bob, "/repos/bob/base/contents/new", file).await?;
    let args = ["--gitea-host", &forge.url, "--gitea-access-token", bob];
    let server = Program::start("gantry-gitea", &args).await?;

    let key = json!({"method": "create", "title": "t", "labels": ["bug"], "milestone": "v1", "idempotency_key": "k"});
    for time in ["first", "second"] {
        let error = call(&server.host, "issue_write", key.clone()).await?;
        ensure!(error["details"]["fields"] == json!(["labels", "milestone"]), "the {time} time: {error}");
    }
    let issues = forge.get(alice, "/repos/alice/base/issues?state=all").await?;
    ensure!(issues.as_array().is_some_and(|issues| issues.len() == 1), "{issues}");

    let new = json!({"method": "create", "title": "p", "head": "bob:side", "base": "main"});
    let number = &call(&server.host, "pull_request_write", new).await?["number"];
    for (change, field) in [
        (json!({"labels": ["bug"]}), "labels"),
        (json!({"milestone": "v1"}), "milestone"),
        (json!({"assignees": ["alice"]}), "assignees"),
    ] {
        let mut edit = change.clone();
        edit["method"] = "update".into();
        edit["pull_number"] = number.clone();
        let error = call(&server.host, "pull_request_write", edit).await?;
        ensure!(error["details"]["fields"] == json!([field]), "{change}: {error}");
    }
    for (nothing, field) in [(json!({}), "title"), (json!({"title": " "}), "title")] {
        let mut edit = nothing;
        edit["method"] = "update".into();
        edit["pull_number"] = number.clone();
        let error = call(&server.host, "pull_request_write", edit).await?;
        ensure!(error["details"]["field"] == field, "{error}");
    }
    Ok(())
}

/// An edit that took the hidden mark away would make the next repeat of a create a second object.
#[tokio::test]
async fn an_edit_keeps_the_key_of_a_create() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Forge::start(&programs).await?;
    let new = json!({"name": "base", "default_branch": "main", "auto_init": true});
    forge.post(&forge.user("alice").token, "/user/repos", new).await?;
    let file = json!({"content": "eA==", "message": "m", "branch": "main", "new_branch": "side"});
    forge.post(&forge.user("alice").token, "/repos/alice/base/contents/new", file).await?;
    let server = lab::server(&forge, &[]).await?;
    for (create, new, edit, change, id, argument) in [
        (
            "milestone_write",
            json!({"method": "create", "title": "m"}),
            "milestone_write",
            json!({"method": "edit", "description": "anew"}),
            "id",
            "id",
        ),
        (
            "create_release",
            json!({"tag_name": "v1", "target": "main", "title": "r"}),
            "release_write",
            json!({"method": "edit", "body": "anew"}),
            "id",
            "id",
        ),
        (
            "pull_request_write",
            json!({"method": "create", "title": "p", "head": "side", "base": "main"}),
            "pull_request_write",
            json!({"method": "update", "body": "anew"}),
            "number",
            "pull_number",
        ),
    ] {
        let mut new = new;
        new["idempotency_key"] = "k".into();
        let made = call(&server.host, create, new.clone()).await?;
        let mut change = change;
        change[argument] = made[id].clone();
        let edited = call(&server.host, edit, change).await?;
        ensure!(edited[id] == made[id] && edited.to_string().contains("anew"), "{edit}: {edited}");
        let again = call(&server.host, create, new).await?;
        ensure!(again[id] == made[id] && again.to_string().contains("anew"), "{create}: {again}");
    }
    Ok(())
}
