//! Repositories: finding, making, forking and changing them, and what is in their trees.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::{self, Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("search_repos", "", ["search_repos"], search_repos),
        row!("create_repo", "", ["create_repo"], create_repo),
        row!("fork_repo", "", ["fork_repo"], fork_repo),
        row!("list_my_repos", "", ["list_my_repos"], list_my_repos),
        row!("list_org_repos", "", [], list_org_repos),
        row!("get_repository_tree", "", [], get_repository_tree),
        row!("repo_read", "get", [], get),
        row!("repo_read", "list_topics", [], list_topics),
        row!("repo_write", "edit", [], edit),
        row!("repo_write", "set_topics", [], set_topics),
        row!("repo_write", "add_topic", [], add_topic),
        row!("repo_write", "delete_topic", [], delete_topic),
    ]
}

/// The names in a page of repositories.
fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().into_iter().flatten().filter_map(|it| it["full_name"].as_str()).collect()
}

async fn search_repos(lab: &Lab) -> Result<()> {
    let own = format!("alice/{}", lab.repo);
    let found = lab.call(json!({"query": lab.repo, "per_page": 50})).await?;
    assert!(names(&found).contains(&own.as_str()), "{found}");
    assert!(found["total_count"].as_u64() >= Some(1), "{found}");
    lab.forge
        .patch(&lab.alice().token, &format!("/repos/{own}"), json!({"description": "quite a rare-word"}))
        .await?;
    let all = lab.call(json!({"query": "rare-word", "keywordInDescription": "true", "per_page": 50})).await?;
    assert!(names(&all).contains(&own.as_str()), "{all}");
    assert_eq!(names(&lab.call(json!({"query": "rare-word"})).await?), Vec::<&str>::new());

    let confined = lab::server(&lab.forge, &["--allow-repos", &own]).await?;
    let query = json!({"query": "lab", "per_page": 50});
    let (_, few) = lab::call(&confined.host, "search_repos", &query).await?;
    let (_, mine) = lab::call(&confined.host, "list_my_repos", &json!({"all": true})).await?;
    for page in [few, mine] {
        assert!(names(&page).iter().all(|name| *name == own) && page.get("total_count").is_none(), "{page}");
    }
    Ok(())
}

async fn create_repo(lab: &Lab) -> Result<()> {
    let name = format!("made-{}", lab.number);
    let new = json!({"name": name, "description": "made", "private": true, "auto_init": true});
    let made = lab.call(new.clone()).await?;
    let there = lab.forge.get(&lab.alice().token, &format!("/repos/alice/{name}")).await?;
    assert_eq!(
        (&there["id"], &there["private"], &there["description"]),
        (&made["id"], &json!(true), &json!("made"))
    );
    assert_eq!(lab.call(new).await?["id"], made["id"], "a retry makes no second one");
    let error = lab.refused_as(json!({"name": name, "description": "other", "private": true})).await?;
    assert_eq!(error["details"]["field"], "name", "{error}");

    let org = format!("makers-{}", lab.number);
    lab.forge.post(&lab.alice().token, "/orgs", json!({"username": org})).await?;
    lab.call(json!({"name": name, "organization": org})).await?;
    let there = lab.forge.get(&lab.alice().token, &format!("/repos/{org}/{name}")).await?;
    assert_eq!(there["private"], false);
    let error = lab.refused_as(json!({"name": "a/b"})).await?;
    assert_eq!(error["error"], "VALIDATION_ERROR", "{error}");
    Ok(())
}

async fn fork_repo(lab: &Lab) -> Result<()> {
    let (bob, source) = (lab.forge.user("bob"), format!("source-{}", lab.number));
    let new = json!({"name": source, "default_branch": "main", "auto_init": true});
    lab.forge.post(&bob.token, "/user/repos", new).await?;
    let forked = lab.call(json!({"user": "bob", "repo": source})).await?;
    let there = lab.forge.get(&lab.alice().token, &format!("/repos/alice/{source}")).await?;
    assert_eq!(
        (&there["id"], &there["parent"]["full_name"]),
        (&forked["id"], &json!(format!("bob/{source}")))
    );
    let again = lab.call(json!({"user": "bob", "repo": source})).await?;
    assert_eq!(again["id"], forked["id"], "a retry makes no second one");
    Ok(())
}

async fn list_my_repos(lab: &Lab) -> Result<()> {
    let mine = lab.call(json!({"all": true})).await?;
    assert!(names(&mine).contains(&format!("alice/{}", lab.repo).as_str()), "{mine}");
    Ok(())
}

async fn list_org_repos(lab: &Lab) -> Result<()> {
    let org = format!("owners-{}", lab.number);
    lab.forge.post(&lab.alice().token, "/orgs", json!({"username": org})).await?;
    for name in ["one", "two"] {
        lab.forge.post(&lab.alice().token, &format!("/orgs/{org}/repos"), json!({"name": name})).await?;
    }
    let all = lab.call(json!({"org": org})).await?;
    assert_eq!((names(&all).len(), &all["total_count"]), (2, &json!(2)), "{all}");
    Ok(())
}

async fn get_repository_tree(lab: &Lab) -> Result<()> {
    let repo = format!("alice/{}", lab.repo);
    let files: [(&str, &[u8]); 3] = [("a/b/c.txt", b"c"), ("a/d.txt", b"d"), ("e.txt", b"e")];
    lab.forge.push(lab.alice(), &repo, "main", &files).await?;
    let top = lab.here(json!({"tree_sha": "main"})).await?;
    assert_eq!((&top["total_count"], &top["has_next"]), (&json!(3), &json!(false)), "{top}");
    let (mut paths, mut next) = (vec![], json!({"tree_sha": "main", "recursive": true, "per_page": 4}));
    loop {
        let page = lab.here(next.clone()).await?;
        paths.extend(page["items"].as_array().into_iter().flatten().map(|it| it["path"].clone()));
        assert_eq!(page["total_count"], 6, "{page}");
        if page["has_next"] == false {
            break;
        }
        next["cursor"] = page["next_cursor"].clone();
    }
    assert_eq!(json!(paths), json!(["README.md", "a", "a/b", "a/b/c.txt", "a/d.txt", "e.txt"]));
    assert_eq!(lab.refused(json!({"tree_sha": "nowhere"})).await?["error"], "VALIDATION_ERROR");
    Ok(())
}

async fn get(lab: &Lab) -> Result<()> {
    let got = lab.here(json!({})).await?;
    assert_eq!((&got["id"], &got["default_branch"]), (&lab.get("").await?["id"], &json!("main")), "{got}");
    Ok(())
}

async fn list_topics(lab: &Lab) -> Result<()> {
    lab.forge.put(&lab.alice().token, &topics(lab), json!({"topics": ["one", "two"]})).await?;
    assert_eq!(lab.here(json!({})).await?["topics"], json!(["one", "two"]));
    Ok(())
}

fn topics(lab: &Lab) -> String {
    format!("/repos/alice/{}/topics", lab.repo)
}

async fn edit(lab: &Lab) -> Result<()> {
    lab.here(json!({"description": "changed", "has_wiki": false, "archived": true})).await?;
    let there = lab.get("").await?;
    assert_eq!(
        (&there["description"], &there["has_wiki"], &there["archived"]),
        (&json!("changed"), &json!(false), &json!(true))
    );
    lab.here(json!({"archived": false})).await?;
    assert_eq!(lab.get("").await?["archived"], false);
    Ok(())
}

async fn set_topics(lab: &Lab) -> Result<()> {
    lab.here(json!({"topics": ["one", "two"]})).await?;
    lab.here(json!({"topics": ["three"]})).await?;
    assert_eq!(lab.get("/topics").await?["topics"], json!(["three"]));
    assert_eq!(lab.refused(json!({"topics": ["no topic!"]})).await?["details"]["status"], 422);
    Ok(())
}

async fn add_topic(lab: &Lab) -> Result<()> {
    for topic in ["one", "two", "two"] {
        lab.here(json!({"topic": topic})).await?;
    }
    assert_eq!(lab.get("/topics").await?["topics"], json!(["one", "two"]));
    Ok(())
}

async fn delete_topic(lab: &Lab) -> Result<()> {
    lab.forge.put(&lab.alice().token, &topics(lab), json!({"topics": ["one", "two"]})).await?;
    lab.here(json!({"topic": "one"})).await?;
    assert_eq!(lab.get("/topics").await?["topics"], json!(["two"]));
    Ok(())
}
