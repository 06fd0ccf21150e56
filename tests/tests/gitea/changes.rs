//! Changes of files that a forge takes for done although they did nothing, or something else than was asked for.

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gantry_tests::fixture;
use gantry_tests::forge::Forge;
use gantry_tests::program::Program;
use http::StatusCode;
use serde_json::{Value, json};

use crate::lab;

/// Alice's repository `changed`, and a server that acts as her.
struct Repo {
    forge: Forge,
    server: Program,
}

impl Repo {
    async fn with(programs: &str, files: &[(&str, &[u8])]) -> Result<Self> {
        let forge = Forge::start(programs).await?;
        let new = json!({"name": "changed", "default_branch": "main", "auto_init": true});
        forge.post(&forge.user("alice").token, "/user/repos", new).await?;
        forge.push(forge.user("alice"), "alice/changed", "main", files).await?;
        let server = lab::server(&forge, &[]).await?;
        Ok(Self { forge, server })
    }

    async fn call(&self, tool: &str, arguments: Value) -> Result<(StatusCode, Value)> {
        let mut all = json!({"owner": "alice", "repo": "changed"});
        if tool != "get_file_contents" {
            all["message"] = json!("change it");
            all["branch_name"] = json!("main");
        }
        for (name, value) in arguments.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        lab::call(&self.server.host, tool, &all).await
    }

    async fn done(&self, tool: &str, arguments: Value) -> Result<Value> {
        let (status, answer) = self.call(tool, arguments).await?;
        anyhow::ensure!(status == StatusCode::OK, "{status}: {answer}");
        Ok(answer)
    }

    /// The argument that is refused, and why; nothing may come of it.
    async fn refused(&self, tool: &str, arguments: Value) -> Result<(String, String)> {
        let before = self.head().await?;
        let (status, error) = self.call(tool, arguments).await?;
        anyhow::ensure!(status == StatusCode::BAD_REQUEST, "{status}: {error}");
        anyhow::ensure!(self.head().await? == before, "a commit was made all the same: {error}");
        let text =
            |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("no text: {error}"));
        Ok((text(&error["details"]["field"])?, text(&error["message"])?))
    }

    async fn ask(&self, path: &str) -> Result<(StatusCode, Value)> {
        let alice = &self.forge.user("alice").token;
        let path = format!("/repos/alice/changed{path}");
        let (status, _, answer) = self.forge.api(alice, http::Method::GET, &path, None).await?;
        Ok((status, answer))
    }

    async fn head(&self) -> Result<Value> {
        Ok(self.ask("/branches/main").await?.1["commit"]["id"].clone())
    }

    /// The text of a file, and its sha; `None` where there is none.
    async fn file(&self, path: &str) -> Result<Option<(String, Value)>> {
        let (status, found) = self.ask(&format!("/contents/{path}")).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let bytes = BASE64_STANDARD.decode(found["content"].as_str().context("no content")?)?;
        Ok(Some((String::from_utf8(bytes)?, found["sha"].clone())))
    }

    async fn text(&self, path: &str) -> Result<Option<String>> {
        Ok(self.file(path).await?.map(|(text, _)| text))
    }
}

#[tokio::test]
async fn a_path_with_slashes_too_many_is_the_one_without() -> Result<()> {
    let Some(programs) = fixture("gitea: changes", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let names = ["a.txt", "b.txt", "c/d.txt", "e.txt", "from.txt"];
    let repo = Repo::with(&programs, &names.map(|name| (name, b"x\n".as_slice()))).await?;
    for (path, is) in [("/a.txt", "a.txt"), ("b.txt/", "b.txt"), ("c//d.txt", "c/d.txt")] {
        let (_, sha) = repo.file(is).await?.context("no file")?;
        repo.done("delete_file", json!({"path": path, "sha": sha})).await?;
        assert_eq!(repo.text(is).await?, None, "{path}");
    }
    let write = |files: Value| json!({"files": files});
    let (tool, files) = ("create_or_update_file", json!([{"path": "/e.txt", "delete": true}]));
    repo.done(tool, write(files)).await?;
    assert_eq!(repo.text("e.txt").await?, None);
    repo.done(tool, write(json!([{"path": "//to.txt", "from_path": "/from.txt"}]))).await?;
    assert_eq!((repo.text("from.txt").await?, repo.text("to.txt").await?), (None, Some("x\n".into())));
    repo.done(tool, json!({"path": "/new//deep.txt", "content": "new\n"})).await?;
    assert_eq!(repo.text("new/deep.txt").await?.as_deref(), Some("new\n"));

    let (field, _) = repo.refused(tool, json!({"path": "/", "content": "x"})).await?;
    assert_eq!(field, "path");
    let sha = repo.ask("/git/trees/main").await?.1["tree"]
        .as_array()
        .into_iter()
        .flatten()
        .find_map(|it| (it["path"] == "new").then(|| it["sha"].clone()));
    let (field, message) = repo.refused("delete_file", json!({"path": "new", "sha": sha})).await?;
    assert_eq!((field.as_str(), message.contains("new is a folder")), ("path", true), "{message}");
    let files = json!([{"path": "to.txt", "content": "y\n"}, {"path": "new", "delete": true}]);
    let (field, message) = repo.refused(tool, write(files)).await?;
    assert_eq!((field.as_str(), message.contains("new is a folder")), ("files[1].path", true), "{message}");
    assert!(repo.text("new/deep.txt").await?.is_some());
    Ok(())
}

#[tokio::test]
async fn one_file_is_changed_once_in_a_commit() -> Result<()> {
    let Some(programs) = fixture("gitea: changes", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let repo = Repo::with(&programs, &[("a.txt", b"one two\n"), ("b.txt", b"b\n")]).await?;
    let edit = |old: &str| json!({"path": "a.txt", "edits": [{"old_string": old, "new_string": "x"}]});
    for (files, wrong) in [
        (json!([edit("one"), edit("two")]), "files[1].path"),
        (json!([{"path": "n", "content": "1"}, {"path": "/n", "content": "2"}]), "files[1].path"),
        (json!([{"path": "c.txt", "from_path": "a.txt"}, edit("one")]), "files[1].path"),
        (json!([edit("one"), {"path": "c.txt", "from_path": "a.txt"}]), "files[1].from_path"),
        (json!([{"path": "b.txt", "from_path": "b.txt", "content": "blind"}]), "files[0].from_path"),
    ] {
        let (field, message) = repo.refused("create_or_update_file", json!({"files": files})).await?;
        assert_eq!(field, wrong, "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn a_change_of_nothing_is_told() -> Result<()> {
    let Some(programs) = fixture("gitea: changes", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let repo = Repo::with(&programs, &[("a.txt", b"one\n"), ("b.txt", b"b\n")]).await?;
    let tool = "create_or_update_file";
    let (field, message) = repo.refused(tool, json!({"path": "a.txt", "edits": []})).await?;
    assert_eq!((field.as_str(), message.contains("empty")), ("edits", true), "{message}");
    let same = json!([{"old_string": "one", "new_string": "one"}]);
    let (field, message) = repo.refused(tool, json!({"files": [{"path": "a.txt", "edits": same}]})).await?;
    assert_eq!((field.as_str(), message.contains("already")), ("files[0].edits", true), "{message}");

    let edits = json!([{"old_string": "one", "new_string": "two"}]);
    for (mut change, wrong) in [
        (json!({"path": "gone.txt"}), "path"),
        (json!({"path": "to.txt", "from_path": "gone.txt"}), "from_path"),
    ] {
        change["edits"] = edits.clone();
        let (field, message) = repo.refused(tool, json!({"files": [change]})).await?;
        assert_eq!(field, format!("files[0].{wrong}"), "{message}");
        assert!(message.ends_with("no gone.txt on main"), "{message}");
    }
    let (_, sha) = repo.file("a.txt").await?.context("no a.txt")?;
    let head = repo.head().await?;
    let same = repo.done(tool, json!({"path": "a.txt", "content": "one\n", "sha": sha})).await?;
    assert_eq!((&same["unchanged"], repo.head().await?), (&json!(true), head.clone()), "{same}");
    let side = json!({"path": "a.txt", "content": "one\n", "sha": sha, "new_branch_name": "side"});
    repo.done(tool, side).await?;
    assert_eq!(repo.ask("/branches/side").await?.0, StatusCode::OK);
    let files =
        json!([{"path": "a.txt", "content": "one\n", "sha": sha}, {"path": "n.txt", "content": "n\n"}]);
    let written = repo.done(tool, json!({"files": files})).await?;
    assert_eq!(written["files"].as_array().map(Vec::len), Some(2), "{written}");
    assert_ne!(repo.head().await?, head);

    let files = json!([{"path": "to.txt", "from_path": "gone.txt"}]);
    let (field, message) = repo.refused(tool, json!({"files": files})).await?;
    assert_eq!((field.as_str(), message.contains("no gone.txt")), ("files[0].from_path", true), "{message}");
    let files = json!([{"path": "b.txt", "delete": true}, {"path": "to.txt", "from_path": "no/gone.txt"}]);
    let (field, message) = repo.refused(tool, json!({"files": files})).await?;
    assert_eq!((field.as_str(), message.contains("no/gone.txt")), ("files[1].from_path", true), "{message}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_replaced_without_its_sha() -> Result<()> {
    let Some(programs) = fixture("gitea: changes", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let repo = Repo::with(&programs, &[("a.txt", b"a\n"), ("b.txt", b"b\n")]).await?;
    let tool = "create_or_update_file";
    let (_, sha) = repo.file("b.txt").await?.context("no b.txt")?;
    for branch in [json!(null), json!("side")] {
        let files = json!([{"path": "new.txt", "content": "n\n"}, {"path": "b.txt", "content": "other\n"}]);
        let all = json!({"files": files, "new_branch_name": branch});
        let (field, message) = repo.refused(tool, all).await?;
        assert_eq!(field, "files[1].sha");
        assert!(message.contains(sha.as_str().context("no sha")?), "{message}");
    }
    // what is so already does not stop the rest
    let files = json!([{"path": "new.txt", "content": "n\n"}, {"path": "b.txt", "content": "b\n"}]);
    let written = repo.done(tool, json!({"files": files})).await?;
    assert_eq!(written["files"].as_array().map(Vec::len), Some(2), "{written}");
    assert_eq!(repo.text("new.txt").await?.as_deref(), Some("n\n"));
    let again = repo.done(tool, json!({"files": files})).await?;
    assert_eq!((&again["unchanged"], again.get("commit")), (&json!(true), None), "{again}");
    let files = json!([{"path": "b.txt", "content": "other\n", "sha": sha}]);
    repo.done(tool, json!({"files": files})).await?;
    assert_eq!(repo.text("b.txt").await?.as_deref(), Some("other\n"));
    Ok(())
}

#[tokio::test]
async fn a_file_without_text_to_show_says_so() -> Result<()> {
    let Some(programs) = fixture("gitea: changes", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let repo = Repo::with(&programs, &[("empty.txt", b""), ("short.txt", b"1\n2\n")]).await?;
    let read = "get_file_contents";
    let empty = repo.done(read, json!({"path": "empty.txt"})).await?;
    assert_eq!((&empty["lines"], &empty["note"]), (&json!(0), &json!("the file is empty")), "{empty}");
    let beyond = repo.done(read, json!({"path": "short.txt", "start_line": 9})).await?;
    assert_eq!(beyond["lines"], 2, "{beyond}");
    assert!(beyond["note"].as_str().is_some_and(|note| note.contains("2 lines")), "{beyond}");
    let whole = repo.done(read, json!({"path": "short.txt"})).await?;
    assert_eq!((&whole["content"], whole.get("note")), (&json!("1\n2\n"), None), "{whole}");
    Ok(())
}
