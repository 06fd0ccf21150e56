//! Branches.

use anyhow::Result;
use serde_json::json;

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("create_branch", "", ["create_branch"], create_branch),
        row!("delete_branch", "", ["delete_branch"], delete_branch),
        row!("list_branches", "", ["list_branches"], list_branches),
        row!("rename_branch", "", [], rename_branch),
    ]
}

/// A branch with one commit of its own, whose sha this gives.
async fn branch(lab: &Lab, name: &str) -> Result<String> {
    lab.forge.push(lab.alice(), &format!("alice/{}", lab.repo), name, &[("file", name.as_bytes())]).await
}

async fn create_branch(lab: &Lab) -> Result<()> {
    let side = branch(lab, "side").await?;
    let main = lab.get("/branches/main").await?["commit"]["id"].clone();
    lab.here(json!({"branch": "from/main"})).await?;
    lab.here(json!({"branch": "from/side", "old_branch": "side"})).await?;
    lab.here(json!({"branch": "from/sha", "old_branch": side})).await?;
    assert_eq!(lab.get("/branches/from/main").await?["commit"]["id"], main);
    assert_eq!(lab.get("/branches/from/side").await?["commit"]["id"], json!(side));
    assert_eq!(lab.get("/branches/from/sha").await?["commit"]["id"], json!(side));
    let again = lab.here(json!({"branch": "from/side", "old_branch": "side"})).await?;
    assert_eq!(again["commit"]["id"], json!(side));
    let error = lab.refused(json!({"branch": "feat/ä ü"})).await?;
    assert_eq!(error["details"]["field"], "branch", "{error}");
    let error = lab.refused(json!({"branch": "from/side"})).await?;
    assert_eq!(error["details"]["field"], "branch", "{error}");
    let error = lab.refused(json!({"branch": "x", "old_branch": "nowhere"})).await?;
    assert_eq!(error["details"]["status"], 404, "{error}");
    Ok(())
}

async fn delete_branch(lab: &Lab) -> Result<()> {
    let sha = branch(lab, "old/one").await?;
    let main = lab.get("/branches/main").await?["commit"]["id"].clone();
    let error = lab.refused(json!({"branch": "old/one", "expected_sha": main})).await?;
    assert_eq!(
        (&error["details"]["field"], &error["details"]["actual"]),
        (&json!("expected_sha"), &json!(sha))
    );
    lab.here(json!({"branch": "old/one", "expected_sha": sha})).await?;
    assert_eq!(lab.status("/branches/old/one").await?, 404);
    assert_eq!(lab.refused(json!({"branch": "old/one"})).await?["details"]["status"], 404);
    assert_eq!(lab.refused(json!({"branch": "main"})).await?["details"]["status"], 403, "the default branch");
    Ok(())
}

async fn list_branches(lab: &Lab) -> Result<()> {
    branch(lab, "one").await?;
    branch(lab, "two").await?;
    let first = lab.here(json!({"per_page": 2})).await?;
    let rest = lab.here(json!({"cursor": first["next_cursor"]})).await?;
    let mut names: Vec<_> = [&first, &rest]
        .into_iter()
        .flat_map(|page| page["items"].as_array().into_iter().flatten())
        .filter_map(|it| it["name"].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!((names, &first["total_count"]), (vec!["main", "one", "two"], &json!(3)));

    let bare = format!("bare-{}", lab.number);
    lab.forge.post(&lab.alice().token, "/user/repos", json!({"name": bare})).await?;
    let none = lab.call(json!({"owner": "alice", "repo": bare})).await?;
    assert_eq!((&none["items"], &none["has_next"]), (&json!([]), &json!(false)));
    Ok(())
}

async fn rename_branch(lab: &Lab) -> Result<()> {
    let sha = branch(lab, "before").await?;
    lab.here(json!({"branch": "before", "new_name": "after/all"})).await?;
    assert_eq!(lab.get("/branches/after/all").await?["commit"]["id"], json!(sha));
    assert_eq!(
        lab.refused(json!({"branch": "after/all", "new_name": "main"})).await?["details"]["status"],
        422
    );
    Ok(())
}
