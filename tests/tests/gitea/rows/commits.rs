//! Commits: their list, one of them, what is between two, and their statuses.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::{self, Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("list_commits", "", ["list_repo_commits"], list_commits),
        row!("get_commit", "", [], get_commit),
        row!("compare_refs", "", [], compare_refs),
        row!("commit_status_read", "combined", [], combined),
        row!("commit_status_read", "list", [], list_statuses),
        row!("commit_status_write", "create", [], create_status),
    ]
}

async fn push(lab: &Lab, branch: &str, path: &str, text: &str) -> Result<String> {
    let repo = format!("alice/{}", lab.repo);
    lab.forge.push(lab.alice(), &repo, branch, &[(path, text.as_bytes())]).await
}

fn shas(page: &Value) -> Vec<&str> {
    page["items"].as_array().into_iter().flatten().filter_map(|it| it["sha"].as_str()).collect()
}

async fn list_commits(lab: &Lab) -> Result<()> {
    let first = push(lab, "main", "a", "1\n").await?;
    let second = push(lab, "main", "b", "2\n").await?;
    let side = push(lab, "side", "a", "3\n").await?;
    assert_eq!(shas(&lab.here(json!({})).await?)[..2], [second.as_str(), first.as_str()]);
    let on_side = lab.here(json!({"sha": "side", "path": "a", "per_page": 1})).await?;
    assert_eq!((shas(&on_side), &on_side["has_next"]), (vec![side.as_str(), first.as_str()], &json!(false)));
    let page = lab.here(json!({"per_page": 2})).await?;
    let next = lab.here(json!({"cursor": page["next_cursor"]})).await?;
    assert_eq!((shas(&page).len(), shas(&next).len(), &page["total_count"]), (2, 1, &json!(3)), "{next}");
    assert_eq!(lab.refused(json!({"sha": "nowhere"})).await?["details"]["status"], 404);
    Ok(())
}

async fn get_commit(lab: &Lab) -> Result<()> {
    let sha = push(lab, "main", "dir/a", "1\n2\n").await?;
    let got = lab.here(json!({"sha": sha})).await?;
    let there = lab.get(&format!("/git/commits/{sha}")).await?;
    assert_eq!(
        (&got["message"], &got["parents"][0]),
        (&there["commit"]["message"], &there["parents"][0]["sha"])
    );
    assert_eq!(got["files"], json!([{"filename": "dir/a", "status": "added"}]), "{got}");
    assert_eq!((&got["stats"]["additions"], &got["author_login"]), (&json!(2), &json!("alice")), "{got}");
    assert_eq!(lab.refused(json!({"sha": "0123456"})).await?["details"]["status"], 404);
    Ok(())
}

async fn compare_refs(lab: &Lab) -> Result<()> {
    push(lab, "a/side", "came", "1\n").await?;
    let head = push(lab, "a/side", "README.md", "2\n").await?;
    push(lab, "main", "other", "3\n").await?;
    let both = lab.here(json!({"base": "main", "head": "a/side"})).await?;
    assert_eq!((&both["ahead_by"], &both["behind_by"]), (&json!(2), &json!(1)), "{both}");
    assert_eq!(shas(&both)[0], head);
    let files =
        json!([{"filename": "README.md", "status": "modified"}, {"filename": "came", "status": "added"}]);
    assert_eq!(both["files"], files, "{both}");
    let none = lab.here(json!({"base": "a/side", "head": "a/side"})).await?;
    assert_eq!((&none["ahead_by"], &none["items"]), (&json!(0), &json!([])));
    assert_eq!(lab.refused(json!({"base": "main", "head": "nowhere"})).await?["details"]["status"], 404);

    let own = format!("alice/{}", lab.repo);
    let confined = lab::server(&lab.forge, &["--allow-repos", &own]).await?;
    let foreign = json!({"owner": "alice", "repo": lab.repo, "base": "main", "head": "bob:main"});
    assert_eq!(lab::call(&confined.host, "compare_refs", &foreign).await?.1["error"], "FORBIDDEN");
    Ok(())
}

async fn status(lab: &Lab, sha: &str, state: &str, context: &str) -> Result<Value> {
    lab.post(&format!("/statuses/{sha}"), json!({"state": state, "context": context})).await
}

async fn combined(lab: &Lab) -> Result<()> {
    let sha = push(lab, "main", "a", "1").await?;
    status(lab, &sha, "failure", "build").await?;
    status(lab, &sha, "success", "build").await?;
    status(lab, &sha, "pending", "test").await?;
    let all = lab.here(json!({"sha": "main"})).await?;
    assert_eq!(
        (&all["state"], &all["total_count"], &all["sha"]),
        (&json!("pending"), &json!(2), &json!(sha))
    );
    let build = all["statuses"].as_array().into_iter().flatten().find(|it| it["context"] == "build");
    assert_eq!(build.map(|it| &it["state"]), Some(&json!("success")), "{all}");
    Ok(())
}

async fn list_statuses(lab: &Lab) -> Result<()> {
    let sha = push(lab, "main", "a", "1").await?;
    status(lab, &sha, "failure", "build").await?;
    status(lab, &sha, "success", "build").await?;
    let all = lab.here(json!({"sha": sha})).await?;
    assert_eq!((all["items"].as_array().map(Vec::len), &all["total_count"]), (Some(2), &json!(2)), "{all}");
    Ok(())
}

async fn create_status(lab: &Lab) -> Result<()> {
    let sha = push(lab, "main", "a", "1").await?;
    let new = json!({"sha": "main", "state": "success", "context": "build", "description": "done",
                     "target_url": "https://example.com/1"});
    let made = lab.here(new.clone()).await?;
    assert_eq!(lab.here(new).await?["id"], made["id"], "a retry adds nothing");
    let there = lab.get(&format!("/statuses/{sha}")).await?;
    assert_eq!(there.as_array().map(Vec::len), Some(1));
    assert_eq!((&there[0]["status"], &there[0]["description"]), (&json!("success"), &json!("done")));
    lab.here(json!({"sha": sha, "state": "failure", "context": "build"})).await?;
    assert_eq!(lab.get(&format!("/commits/{sha}/status")).await?["state"], "failure");
    assert_eq!(lab.refused(json!({"sha": sha, "state": "great"})).await?["error"], "VALIDATION_ERROR");
    assert_eq!(lab.refused(json!({"sha": "nowhere", "state": "error"})).await?["details"]["status"], 404);
    Ok(())
}
