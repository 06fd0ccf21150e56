//! Labels of a repository or an organisation.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("label_read", "list_repo_labels", ["list_repo_labels"], list_repo_labels),
        row!("label_read", "get_repo_label", ["get_repo_label"], get_repo_label),
        row!("label_read", "list_org_labels", ["list_org_labels"], list_org_labels),
        row!("label_write", "create_repo_label", ["create_repo_label"], create_repo_label),
        row!("label_write", "edit_repo_label", ["edit_repo_label"], edit_repo_label),
        row!("label_write", "delete_repo_label", ["delete_repo_label"], delete_repo_label),
        row!("label_write", "create_org_label", ["create_org_label"], create_org_label),
        row!("label_write", "edit_org_label", ["edit_org_label"], edit_org_label),
        row!("label_write", "delete_org_label", ["delete_org_label"], delete_org_label),
    ]
}

async fn label(lab: &Lab, name: &str) -> Result<Value> {
    lab.post("/labels", json!({"name": name, "color": "#00ff00"})).await
}

/// An organisation of this run's, and the path of its labels.
async fn org(lab: &Lab) -> Result<(String, String)> {
    let name = format!("org-{}", lab.number);
    lab.forge.post(&lab.alice().token, "/orgs", json!({"username": name})).await?;
    let labels = format!("/orgs/{name}/labels");
    Ok((name, labels))
}

async fn list_repo_labels(lab: &Lab) -> Result<()> {
    for name in ["one", "two", "three"] {
        label(lab, name).await?;
    }
    let first = lab.here(json!({"per_page": 2})).await?;
    assert_eq!(
        (first["items"].as_array().map(Vec::len), &first["has_next"]),
        (Some(2), &json!(true)),
        "{first}"
    );
    assert_eq!(first["total_count"], 3);
    let rest = lab.here(json!({"cursor": first["next_cursor"]})).await?;
    assert_eq!(
        (rest["items"].as_array().map(Vec::len), &rest["has_next"]),
        (Some(1), &json!(false)),
        "{rest}"
    );
    Ok(())
}

async fn get_repo_label(lab: &Lab) -> Result<()> {
    let id = label(lab, "bug").await?["id"].clone();
    assert_eq!(lab.here(json!({"id": id})).await?["name"], "bug");
    Ok(())
}

async fn list_org_labels(lab: &Lab) -> Result<()> {
    let (org, labels) = org(lab).await?;
    lab.forge.post(&lab.alice().token, &labels, json!({"name": "all", "color": "#123456"})).await?;
    assert_eq!(lab.call(json!({"org": org})).await?["items"][0]["name"], "all");
    Ok(())
}

async fn create_repo_label(lab: &Lab) -> Result<()> {
    let new = json!({"name": "bug", "color": "#ff0000", "description": "is wrong"});
    let dry = lab.here(json!({"name": "bug", "color": "#ff0000", "dry_run": true})).await?;
    assert_eq!((&dry["dry_run"], lab.get("/labels").await?), (&json!(true), json!([])), "{dry}");
    let made = lab.here(new.clone()).await?;
    let again = lab.here(new).await?;
    assert_eq!(made["id"], again["id"], "a retry makes no second one");
    let there = lab.get("/labels").await?;
    assert_eq!(there.as_array().map(Vec::len), Some(1));
    assert_eq!((&there[0]["color"], &there[0]["description"]), (&json!("ff0000"), &json!("is wrong")));
    let storm = (0..8).map(|_| lab.here(json!({"name": "storm", "color": "#00ff00"})));
    futures::future::try_join_all(storm).await?;
    let named = lab.get("/labels").await?;
    let named = named.as_array().into_iter().flatten().filter(|label| label["name"] == "storm").count();
    assert_eq!(named, 1, "eight at once make one");
    let error = lab.refused(json!({"name": "bug", "color": "#00ff00"})).await?;
    assert_eq!((&error["error"], &error["details"]["field"]), (&json!("VALIDATION_ERROR"), &json!("name")));
    Ok(())
}

async fn edit_repo_label(lab: &Lab) -> Result<()> {
    let id = label(lab, "bug").await?["id"].clone();
    lab.here(json!({"id": id, "name": "defect"})).await?;
    assert_eq!(lab.get(&format!("/labels/{id}")).await?["name"], "defect");
    Ok(())
}

async fn delete_repo_label(lab: &Lab) -> Result<()> {
    let id = label(lab, "bug").await?["id"].clone();
    lab.here(json!({"id": id})).await?;
    assert_eq!(lab.status(&format!("/labels/{id}")).await?, 404);
    let error = lab.refused(json!({"id": id})).await?;
    assert_eq!(error["details"]["status"], 404, "{error}");
    Ok(())
}

async fn create_org_label(lab: &Lab) -> Result<()> {
    let (org, labels) = org(lab).await?;
    lab.call(json!({"org": org, "name": "bug", "color": "#ff0000"})).await?;
    assert_eq!(lab.forge.get(&lab.alice().token, &labels).await?[0]["name"], "bug");
    Ok(())
}

async fn edit_org_label(lab: &Lab) -> Result<()> {
    let (org, labels) = org(lab).await?;
    let made =
        lab.forge.post(&lab.alice().token, &labels, json!({"name": "bug", "color": "#ff0000"})).await?;
    lab.call(json!({"org": org, "id": made["id"], "color": "#0000ff"})).await?;
    assert_eq!(lab.forge.get(&lab.alice().token, &labels).await?[0]["color"], "0000ff");
    Ok(())
}

async fn delete_org_label(lab: &Lab) -> Result<()> {
    let (org, labels) = org(lab).await?;
    let made =
        lab.forge.post(&lab.alice().token, &labels, json!({"name": "bug", "color": "#ff0000"})).await?;
    lab.call(json!({"org": org, "id": made["id"]})).await?;
    assert_eq!(lab.forge.get(&lab.alice().token, &labels).await?, json!([]));
    Ok(())
}
