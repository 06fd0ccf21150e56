//! Files of a repository: reading them, and changing them in commits.

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("get_file_contents", "", ["get_file_content"], get_file_contents),
        row!("get_dir_contents", "", ["get_dir_content"], get_dir_contents),
        row!("create_or_update_file", "", ["create_file", "update_file"], create_or_update_file),
        row!("delete_file", "", ["delete_file"], delete_file),
    ]
}

async fn push(lab: &Lab, files: &[(&str, &[u8])]) -> Result<String> {
    lab.forge.push(lab.alice(), &format!("alice/{}", lab.repo), "main", files).await
}

/// What Gitea has at a path of a branch: the text, and its sha.
async fn there(lab: &Lab, path: &str, branch: &str) -> Result<(String, Value)> {
    let found = lab.get(&format!("/contents/{path}?ref={branch}")).await?;
    let bytes = BASE64_STANDARD.decode(found["content"].as_str().context("no content")?)?;
    Ok((String::from_utf8(bytes)?, found["sha"].clone()))
}

async fn get_file_contents(lab: &Lab) -> Result<()> {
    let text: String = (1..=30_000).map(|n| format!("line {n} ü\n")).collect();
    let large = "0123456789abcde\n".repeat(700_000); // more than Gitea gives in base64
    let long = "ß".repeat(200_000);
    let files: [(&str, &[u8]); 5] = [
        ("docs/a b.txt", text.as_bytes()),
        ("large.txt", large.as_bytes()),
        ("long.txt", long.as_bytes()),
        ("image.bin", b"\x89PNG\0\x01"),
        ("latin.txt", b"gr\xfcn\n"),
    ];
    let sha = push(lab, &files).await?;
    push(lab, &[("docs/a b.txt", b"new")]).await?;

    assert_eq!(lab.here(json!({"ref": "main", "path": "docs/a b.txt"})).await?["content"], "new");
    let part = json!({"ref": sha, "path": "docs/a b.txt", "start_line": 2, "end_line": 3, "withLines": true});
    let part = lab.here(part).await?;
    assert_eq!((&part["content"], &part["lines"]), (&json!("2\tline 2 ü\n3\tline 3 ü\n"), &json!(30_000)));
    for (path, whole) in [("docs/a b.txt", &text), ("long.txt", &long)] {
        assert_eq!(walk(lab, json!({"ref": sha, "path": path})).await?, *whole, "{path}");
    }
    let far = lab.here(json!({"path": "large.txt", "start_line": 699_999})).await?;
    assert_eq!((&far["content"], far.get("truncated")), (&json!("0123456789abcde\n".repeat(2)), None));

    let binary = lab.here(json!({"path": "image.bin", "as_base64": true})).await?;
    assert_eq!((&binary["binary"], &binary["size"]), (&json!(true), &json!(6)), "{binary}");
    assert_eq!(binary["base64"], BASE64_STANDARD.encode(b"\x89PNG\0\x01"));
    assert_eq!(lab.here(json!({"path": "latin.txt"})).await?["content"], "grün\n");

    assert_eq!(lab.refused(json!({"path": "docs"})).await?["error"], "VALIDATION_ERROR");
    assert_eq!(lab.refused(json!({"path": "nowhere"})).await?["details"]["status"], 404);
    assert_eq!(lab.refused(json!({"path": "../../../user"})).await?["error"], "VALIDATION_ERROR");
    assert_eq!(
        lab.refused(json!({"path": "README.md", "start_line": 0})).await?["error"],
        "VALIDATION_ERROR"
    );
    Ok(())
}

/// Goes on as each answer says, until there is no more.
async fn walk(lab: &Lab, mut arguments: Value) -> Result<String> {
    let mut whole = String::new();
    loop {
        let part = lab.here(arguments.clone()).await?;
        whole.push_str(part["content"].as_str().context("no content")?);
        let Some(next) = part["truncated"]["next"].as_str() else { return Ok(whole) };
        let mut words = next.rsplit(' ');
        let (number, name) = (words.next().context("no number")?, words.next().context("no name")?);
        arguments[name] = json!(number); // as a string, as models do
    }
}

async fn get_dir_contents(lab: &Lab) -> Result<()> {
    push(lab, &[("a/b/c.txt", b"c"), ("a/d.txt", b"dd")]).await?;
    let inside = lab.here(json!({"ref": "main", "path": "a"})).await?;
    let found: Vec<_> = inside["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| json!([it["path"], it["type"], it["size"]]))
        .collect();
    assert_eq!(json!(found), json!([["a/b", "dir", 0], ["a/d.txt", "file", 2]]));
    assert_eq!(lab.here(json!({"path": ""})).await?["total_count"], 2);
    assert_eq!(lab.refused(json!({"path": "README.md"})).await?["details"]["field"], lab.named("path"));
    Ok(())
}

async fn create_or_update_file(lab: &Lab) -> Result<()> {
    let change = |more: Value| {
        let mut change = json!({"message": "change it", "branch_name": "main"});
        change.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        change
    };
    // a new file, and a retry of the same
    let new = change(json!({"path": "docs/ü.md", "content": "one two one\n"}));
    let made = lab.here(new.clone()).await?;
    assert_eq!(made["commit"]["sha"], lab.get("/branches/main").await?["commit"]["id"]);
    let (text, sha) = there(lab, "docs/%C3%BC.md", "main").await?;
    assert_eq!((text.as_str(), &made["files"][0]["sha"]), ("one two one\n", &sha));
    assert_eq!(lab.here(new).await?["unchanged"], true);
    // replacing needs the sha, and the right one
    let error = lab.refused(change(json!({"path": "docs/ü.md", "content": "other"}))).await?;
    assert_eq!(error["details"]["field"], "sha", "{error}");
    assert!(error["message"].as_str().is_some_and(|it| it.contains(sha.as_str().unwrap_or("?"))), "{error}");
    let wrong = "0123456789012345678901234567890123456789";
    for sha in [wrong, ""] {
        let change = change(json!({"path": "docs/ü.md", "content": "x", "sha": sha}));
        assert_eq!(lab.refused(change).await?["error"], "VALIDATION_ERROR", "{sha:?}");
    }
    let error = lab.refused(change(json!({"path": "docs/ü.md", "content": "x", "sha": wrong}))).await?;
    assert_eq!((&error["details"]["field"], &error["details"]["actual"]), (&json!("sha"), &sha), "{error}");
    lab.here(change(json!({"path": "docs/ü.md", "content": "one two one\n\n", "sha": sha}))).await?;
    // edits
    let edit = |old: &str, all: bool| json!({"path": "docs/ü.md", "edits": [{"old_string": old, "new_string": "1", "replace_all": all}]});
    let error = lab.refused(change(edit("one", false))).await?;
    assert!(error["message"].as_str().is_some_and(|it| it.contains("occurs 2 times")), "{error}");
    assert_eq!(lab.refused(change(edit("three", true))).await?["error"], "VALIDATION_ERROR");
    lab.here(change(edit("one", true))).await?;
    assert_eq!(there(lab, "docs/%C3%BC.md", "main").await?.0, "1 two 1\n\n");
    batch(lab).await
}

/// Several files in one commit, on a new branch.
async fn batch(lab: &Lab) -> Result<()> {
    let before = push(lab, &[("gone", b"x"), ("from", b"moved\n"), ("edited", b"a b\n")]).await?;
    let files = json!([
        {"path": "new", "content": "new\n"},
        {"path": "gone", "delete": true},
        {"path": "to", "from_path": "from"},
        {"path": "edited", "edits": [{"old_string": "a", "new_string": "c"}]},
    ]);
    let all = json!({"message": "all", "branch_name": "main", "new_branch_name": "side", "files": files});
    let dry =
        lab.here(json!({"message": "all", "branch_name": "main", "files": files, "dry_run": true})).await?;
    assert_eq!(dry["would"]["method"], "POST", "{dry}");
    let made = lab.here(all.clone()).await?;
    let commit =
        lab.get(&format!("/git/commits/{}", made["commit"]["sha"].as_str().context("no sha")?)).await?;
    assert_eq!((&commit["parents"][0]["sha"], &made["branch"]), (&json!(before), &json!("side")));
    for (path, text) in [("new", "new\n"), ("to", "moved\n"), ("edited", "c b\n")] {
        assert_eq!(there(lab, path, "side").await?.0, text, "{path}");
    }
    for path in ["gone", "from"] {
        assert_eq!(lab.status(&format!("/contents/{path}?ref=side")).await?, 404, "{path}");
        assert_eq!(lab.status(&format!("/contents/{path}?ref=main")).await?, 200, "{path}");
    }
    assert_eq!(lab.refused(all).await?["details"]["status"], 422, "the branch is there");
    let neither = json!({"message": "none", "branch_name": "main", "path": "x"});
    assert_eq!(lab.refused(neither).await?["error"], "VALIDATION_ERROR");
    Ok(())
}

async fn delete_file(lab: &Lab) -> Result<()> {
    push(lab, &[("a/b.txt", b"b")]).await?;
    let (_, sha) = there(lab, "a/b.txt", "main").await?;
    let delete =
        |path: &str, sha: &Value| json!({"path": path, "message": "go", "branch_name": "main", "sha": sha});
    let wrong = json!("0123456789012345678901234567890123456789");
    let error = lab.refused(delete("a/b.txt", &wrong)).await?;
    assert_eq!((&error["details"]["field"], &error["details"]["actual"]), (&json!("sha"), &sha), "{error}");
    let error = lab.refused(delete("a/b.txt", &json!(""))).await?;
    assert_eq!(error["details"]["field"], "sha", "{error}");
    lab.here(delete("a/b.txt", &sha)).await?;
    assert_eq!(lab.status("/contents/a/b.txt?ref=main").await?, 404);
    let error = lab.refused(delete("a/b.txt", &sha)).await?;
    assert_eq!(error["details"]["field"], lab.named("path"), "{error}");
    Ok(())
}
