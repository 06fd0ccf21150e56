//! Allow-lists: what is outside of them is neither read nor changed, however it is named, and Gitea is not even asked.

use anyhow::{Result, ensure};
use gantry_tests::fixture;
use gantry_tests::forge::Forge;
use gantry_tests::program::Program;
use serde_json::{Map, Value, json};

use super::{call, refused};
use crate::lab;

fn labels(owner: &str, repo: &str) -> Value {
    json!({"method": "list_repo_labels", "owner": owner, "repo": repo})
}

#[tokio::test]
async fn nothing_outside_the_lists_is_touched() -> Result<()> {
    let Some(programs) = fixture("gitea: allow-lists", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Forge::start(&programs).await?;
    for (user, repos) in [("alice", &["open-1", "open-2", "shut"][..]), ("bob", &["open-1", "other"])] {
        for repo in repos {
            forge.repository(forge.user(user), repo).await?;
        }
    }
    for (args, open, shut) in [
        (
            &["--allow-owners", "alice"][..],
            &[("alice", "open-1"), ("Alice", "SHUT")][..],
            &[("bob", "open-1"), ("BOB", "other"), ("alice2", "x")][..],
        ),
        (
            &["--allow-repos", "alice/open-*"],
            &[("alice", "open-1"), ("ALICE", "Open-2")],
            &[("alice", "shut"), ("bob", "open-1"), ("bob", "alice%2Fopen-1"), ("alice", "xopen-1")],
        ),
        (
            &["--allow-repos", "bob/other", "--allow-owners", "al*"],
            &[("alice", "shut"), ("bob", "other")],
            &[("bob", "open-1")],
        ),
    ] {
        let server = lab::server(&forge, args).await?;
        for (owner, repo) in open {
            let (status, answer) = call(&server.host, "label_read", &labels(owner, repo), &[]).await?;
            ensure!(status == 200, "{args:?} {owner}/{repo}: {answer}");
        }
        let asked = forge.requests("/api/v1/repos/", 0).await?.len();
        for (owner, repo) in shut {
            let error =
                refused(call(&server.host, "label_read", &labels(owner, repo), &[]).await?, "FORBIDDEN")?;
            ensure!(error["message"].to_string().contains("--allow-owners"), "{error}");
        }
        everything_keeps_out(&server.host, shut[0]).await?;
        let after = forge.requests("/api/v1/repos/", 0).await?;
        let strayed: Vec<_> = after[asked..].iter().filter(|it| strays(&it.path, shut[0])).collect();
        ensure!(strayed.is_empty(), "{args:?}: {strayed:?}");
    }
    Ok(())
}

/// A fork is another repository, whichever way its branches are named.
#[tokio::test]
async fn forks_outside_the_lists_are_not_touched() -> Result<()> {
    let Some(programs) = fixture("gitea: allow-lists", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Forge::start(&programs).await?;
    let (alice, bob) = (&forge.user("alice").token, &forge.user("bob").token);
    let new = json!({"name": "base", "default_branch": "main", "auto_init": true});
    forge.post(alice, "/user/repos", new).await?;
    forge.post(bob, "/repos/alice/base/forks", json!({})).await?;
    let file = json!({"content": "c2VjcmV0", "message": "m", "branch": "main", "new_branch": "side"});
    forge.post(bob, "/repos/bob/base/contents/secret", file).await?;
    let pull = json!({"title": "from a fork", "head": "bob:side", "base": "main"});
    let number = forge.post(bob, "/repos/alice/base/pulls", pull).await?["number"].clone();

    let server = lab::server(&forge, &["--allow-repos", "alice/base", "--allow-api-writes"]).await?;
    let asked = forge.requests("/api/v1/repos/", 0).await?.len();
    let get = |path: &str| ("api_request", json!({"method": "GET", "path": path}));
    let pull = |method: &str, more: Value| {
        let mut arguments = json!({"method": method, "owner": "alice", "repo": "base"});
        arguments
            .as_object_mut()
            .into_iter()
            .for_each(|it| it.extend(more.as_object().cloned().unwrap_or_default()));
        ("pull_request_write", arguments)
    };
    let mut tries = vec![
        ("compare_refs", json!({"owner": "alice", "repo": "base", "base": "main", "head": "bob:side"})),
        get("/repos/alice/base/compare/main...bob:side"),
        get("/repos/alice/base/compare/main..bob%2Fbase%3Aside"),
        get("/repos/alice/base/compare/bob:side...main"),
        pull("update_branch", json!({"pull_number": number})),
        pull("merge", json!({"pull_number": number, "delete_branch": true})),
    ];
    for head in ["bob:side", "bob/base:side", "BOB:side"] {
        let new = json!({"title": "leak", "head": head, "base": "main"});
        tries.push(pull("create", new.clone()));
        let path = "/repos/alice/base/pulls";
        tries.push(("api_request", json!({"method": "POST", "path": path, "body": new})));
    }
    for (tool, arguments) in tries {
        let (status, answer) = call(&server.host, tool, &arguments, &[]).await?;
        ensure!(answer["error"] == "FORBIDDEN", "{tool} {arguments}: {status} {answer}");
    }
    let seen = forge.requests("/api/v1/repos/", 0).await?;
    let strayed: Vec<_> =
        seen[asked..].iter().filter(|it| it.method != "GET" || it.path.contains("side")).collect();
    ensure!(strayed.is_empty(), "{strayed:?}");
    // The same without its branch is the base repository's affair.
    let merge = json!({"method": "merge", "owner": "alice", "repo": "base", "pull_number": number});
    let (status, answer) = call(&server.host, "pull_request_write", &merge, &[]).await?;
    ensure!(status == 200 && answer["merged"] == true, "{answer}");
    // Whose branch it is may have it deleted though the merge was done before.
    let args = ["--gitea-host", &forge.url, "--gitea-access-token", bob];
    let bobs = Program::start("gantry-gitea", &args).await?;
    forge.get(bob, "/repos/bob/base/branches/side").await?;
    let (tool, again) = pull("merge", json!({"pull_number": number, "delete_branch": true}));
    let (status, answer) = call(&bobs.host, tool, &again, &[]).await?;
    ensure!(status == 200 && answer["merged"] == true, "{answer}");
    ensure!(forge.get(bob, "/repos/bob/base/branches/side").await.is_err(), "the branch is still there");
    Ok(())
}

fn strays(path: &str, (owner, repo): (&str, &str)) -> bool {
    path.to_ascii_lowercase().starts_with(&format!("/api/v1/repos/{owner}/{repo}").to_ascii_lowercase())
}

/// Every method that takes an owner and a repository.
async fn everything_keeps_out(host: &str, (owner, repo): (&str, &str)) -> Result<()> {
    let mut tried = 0;
    for tool in lab::listing(host).await? {
        let name = tool["name"].as_str().unwrap_or_default();
        let schema = &tool["inputSchema"];
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        if !required.contains(&json!("owner")) || !required.contains(&json!("repo")) {
            continue;
        }
        let methods = schema["properties"]["method"]["enum"].as_array().cloned().unwrap_or(vec![Value::Null]);
        for method in methods {
            let mut arguments = complete(schema);
            arguments.insert("owner".into(), owner.into());
            arguments.insert("repo".into(), repo.into());
            if !method.is_null() {
                arguments.insert("method".into(), method.clone());
            }
            let (status, answer) = call(host, name, &Value::Object(arguments), &[]).await?;
            // A method that needs other arguments says so before it looks at any repository.
            let code = answer["error"].as_str().unwrap_or_default();
            let field = answer["details"]["field"].is_string();
            ensure!(
                code == "FORBIDDEN" || code == "VALIDATION_ERROR" && field,
                "{name} {method}: {status} {answer}"
            );
            tried += usize::from(code == "FORBIDDEN");
        }
    }
    ensure!(tried > 0, "no tool was tried");
    Ok(())
}

/// The required arguments, each with a value of its type.
fn complete(schema: &Value) -> Map<String, Value> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let value = |name: &str| match schema["properties"][name]["type"].as_str() {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!("x"),
    };
    required.map(|name| (name.to_owned(), value(name))).collect()
}
