//! Repositories that are not where, or not as, a caller believes: what is written to one that was renamed is not lost
//! and goes nowhere else, and one that was archived says so.

use anyhow::Result;
use gantry_tests::fixture;
use gantry_tests::forge::Forge;
use http::StatusCode;
use serde_json::{Value, json};

use crate::lab;

/// A repository of alice's with a README.md.
async fn repository(forge: &Forge, name: &str) -> Result<()> {
    let new = json!({"name": name, "default_branch": "main", "auto_init": true});
    forge.post(&forge.user("alice").token, "/user/repos", new).await.map(|_| ())
}

async fn edit(forge: &Forge, name: &str, change: Value) -> Result<()> {
    forge.patch(&forge.user("alice").token, &format!("/repos/alice/{name}"), change).await.map(|_| ())
}

/// Calls a tool on alice's repository `before`.
async fn call(host: &str, tool: &str, arguments: Value) -> Result<(StatusCode, Value)> {
    let mut all = json!({"owner": "alice", "repo": "before"});
    for (name, value) in arguments.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    lab::call(host, tool, &all).await
}

fn file(path: &str) -> Value {
    json!({"path": path, "content": "kept\n", "message": "keep it", "branch_name": "main"})
}

#[tokio::test]
async fn a_write_to_a_renamed_repository_is_not_lost() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Forge::start(&programs).await?;
    repository(&forge, "before").await?;
    edit(&forge, "before", json!({"name": "after"})).await?;
    let server = lab::server(&forge, &[]).await?;
    let host = &server.host;
    let there =
        async |path: &str| forge.get(&forge.user("alice").token, &format!("/repos/alice/after{path}")).await;

    let writes = [
        ("create_or_update_file", file("kept")), // POST
        ("issue_write", json!({"method": "create", "title": "kept", "body": "all of it"})),
        ("repo_write", json!({"method": "edit", "description": "kept"})), // PATCH
        ("repo_write", json!({"method": "set_topics", "topics": ["kept"]})), // PUT
        ("create_branch", json!({"branch": "kept"})),
        ("create_branch", json!({"branch": "gone"})),
        ("delete_branch", json!({"branch": "gone"})), // DELETE
    ];
    for (tool, arguments) in writes {
        let (status, answer) = call(host, tool, arguments).await?;
        assert_eq!(status, StatusCode::OK, "{tool}: {answer}");
    }
    assert_eq!(there("/contents/kept").await?["size"], 5);
    let issue = there("/issues/1").await?;
    assert_eq!((&issue["title"], &issue["body"]), (&json!("kept"), &json!("all of it")));
    assert_eq!(there("").await?["description"], "kept");
    assert_eq!(there("/topics").await?["topics"], json!(["kept"]));
    let branches = there("/branches").await?;
    let mut names: Vec<_> =
        branches.as_array().into_iter().flatten().filter_map(|it| it["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["kept", "main"]);
    Ok(())
}

#[tokio::test]
async fn a_renamed_repository_is_followed_no_further_than_the_operator_allows() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Forge::start(&programs).await?;
    repository(&forge, "before").await?;
    edit(&forge, "before", json!({"name": "after"})).await?;

    let only_before = lab::server(&forge, &["--allow-repos", "alice/before"]).await?;
    for (tool, arguments) in [
        ("create_or_update_file", file("stray")),
        ("get_file_contents", json!({"path": "README.md"})),
        ("issue_write", json!({"method": "create", "title": "stray"})),
    ] {
        let (status, error) = call(&only_before.host, tool, arguments).await?;
        assert_eq!(
            (status, &error["error"]),
            (StatusCode::FORBIDDEN, &json!("FORBIDDEN")),
            "{tool}: {error}"
        );
    }
    let alice = &forge.user("alice").token;
    assert_eq!(forge.get(alice, "/repos/alice/after/commits").await?.as_array().map(Vec::len), Some(1));
    assert_eq!(forge.get(alice, "/repos/alice/after/issues").await?, json!([]));

    let both = lab::server(&forge, &["--allow-repos", "alice/before,alice/after"]).await?;
    let (status, answer) = call(&both.host, "create_or_update_file", file("kept")).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(forge.get(alice, "/repos/alice/after/contents/kept").await?["size"], 5);
    Ok(())
}

#[tokio::test]
async fn an_archived_repository_says_so() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Forge::start(&programs).await?;
    repository(&forge, "before").await?;
    edit(&forge, "before", json!({"archived": true})).await?;
    let server = lab::server(&forge, &[]).await?;
    for (tool, arguments) in [
        ("create_or_update_file", file("x")),
        ("create_branch", json!({"branch": "x"})),
        ("create_tag", json!({"tag_name": "x"})),
        ("issue_write", json!({"method": "create", "title": "x"})),
    ] {
        let (_, error) = call(&server.host, tool, arguments).await?;
        assert_eq!(error["details"]["status"], 423, "{tool}: {error}");
        assert!(error["message"].as_str().is_some_and(|it| it.contains("archived")), "{tool}: {error}");
    }
    let (status, answer) = call(&server.host, "get_file_contents", json!({"path": "README.md"})).await?;
    assert_eq!(status, StatusCode::OK, "it can still be read: {answer}");
    Ok(())
}
