//! Searches.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::lab::{self, Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("search_users", "", ["search_users"], search_users),
        row!("search_org_teams", "", ["search_org_teams"], search_org_teams),
        row!("search_issues", "", [], search_issues),
    ]
}

async fn search_users(lab: &Lab) -> Result<()> {
    let found = lab.call(json!({"query": "bo"})).await?;
    assert_eq!((&found["items"][0]["login"], &found["has_next"]), (&json!("bob"), &json!(false)), "{found}");
    Ok(())
}

async fn search_org_teams(lab: &Lab) -> Result<()> {
    let org = format!("searched-{}", lab.number);
    lab.forge.post(&lab.alice().token, "/orgs", json!({"username": org})).await?;
    let team =
        json!({"name": "crew", "description": "of the night", "units": ["repo.code"], "permission": "read"});
    let team = lab.forge.post(&lab.alice().token, &format!("/orgs/{org}/teams"), team).await?;
    let member = format!("/teams/{}/members/alice", team["id"]); // nobody else's search finds it
    lab.forge.put(&lab.alice().token, &member, json!({})).await?;
    let found = lab.call(json!({"org": org, "query": "cre"})).await?;
    assert_eq!(names(&found, "name"), ["crew"], "{found}");
    let described = json!({"org": org, "query": "night"});
    assert_eq!(names(&lab.call(described).await?, "name"), ["crew"]);
    let undescribed = json!({"org": org, "query": "night", "includeDescription": false});
    assert_eq!(names(&lab.call(undescribed).await?, "name"), Vec::<&str>::new());
    Ok(())
}

async fn search_issues(lab: &Lab) -> Result<()> {
    let word = format!("zebra{}", lab.number);
    for title in ["in the house", "in the garden"] {
        lab.post("/issues", json!({"title": format!("{word} {title}")})).await?;
    }
    let number = lab.get("/issues").await?[0]["number"].clone();
    let path = format!("/repos/alice/{}/issues/{number}", lab.repo);
    lab.forge.patch(&lab.alice().token, &path, json!({"state": "closed"})).await?;

    let open = lab.call(json!({"query": word, "state": "open"})).await?;
    assert_eq!(names(&open, "title"), [format!("{word} in the house")], "{open}");
    assert_eq!(open["items"][0]["repository"], format!("alice/{}", lab.repo), "{open}");
    assert_eq!(lab.call(json!({"query": word, "state": "all"})).await?["total_count"], 2);
    assert_eq!(lab.call(json!({"query": word, "type": "pulls"})).await?["items"], json!([]));
    assert_eq!(lab.call(json!({"query": word, "owner": "bob", "state": "all"})).await?["items"], json!([]));

    let confined = lab::server(&lab.forge, &["--allow-repos", "alice/other"]).await?;
    let (_, none) =
        lab::call(&confined.host, "search_issues", &json!({"query": word, "state": "all"})).await?;
    assert_eq!((&none["items"], &none["total_count"]), (&json!([]), &Value::Null), "{none}");
    Ok(())
}

fn names<'a>(found: &'a Value, field: &str) -> Vec<&'a str> {
    let items = found["items"].as_array().context("items");
    items.into_iter().flatten().filter_map(|item| item[field].as_str()).collect()
}
