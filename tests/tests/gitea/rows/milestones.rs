//! Milestones of a repository.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("milestone_read", "get", ["get_milestone"], get),
        row!("milestone_read", "list", ["list_milestones"], list),
        row!("milestone_write", "create", ["create_milestone"], create),
        row!("milestone_write", "update", [], edit),
        row!("milestone_write", "edit", ["edit_milestone"], edit),
        row!("milestone_write", "delete", ["delete_milestone"], delete),
    ]
}

async fn milestone(lab: &Lab, title: &str) -> Result<Value> {
    lab.post("/milestones", json!({"title": title, "due_on": "2030-01-02T23:59:59Z"})).await
}

async fn get(lab: &Lab) -> Result<()> {
    let id = milestone(lab, "one").await?["id"].clone();
    let titled_as_another = milestone(lab, &id.to_string()).await?;
    assert_eq!(lab.here(json!({"id": "one"})).await?["id"], id);
    let by_title = lab.here(json!({"id": id})).await?;
    assert_eq!(by_title["id"], titled_as_another["id"], "a title beats a number");
    let error = lab.refused(json!({"id": "two"})).await?;
    assert_eq!(error["details"]["field"], "id", "{error}");
    assert!(
        error["details"]["candidates"].as_array().is_some_and(|all| all.contains(&json!("one"))),
        "{error}"
    );
    Ok(())
}

async fn list(lab: &Lab) -> Result<()> {
    let id = milestone(lab, "one").await?["id"].clone();
    milestone(lab, "two").await?;
    let path = format!("/repos/alice/{}/milestones/{id}", lab.repo);
    lab.forge.patch(&lab.alice().token, &path, json!({"state": "closed"})).await?;
    assert_eq!(lab.here(json!({})).await?["total_count"], 2, "also those that are closed");
    assert_eq!(lab.here(json!({"state": "open"})).await?["items"][0]["title"], "two");
    assert_eq!(lab.here(json!({"name": "one"})).await?["items"][0]["id"], id);
    let error = lab.refused(json!({"state": "opened"})).await?;
    assert_eq!(error["details"]["field"], "state", "{error}");
    Ok(())
}

async fn create(lab: &Lab) -> Result<()> {
    let new = json!({"title": "1.0", "description": "first", "due_on": "2030-01-02", "idempotency_key": "k"});
    let made = lab.here(new.clone()).await?;
    let again = lab.here(new).await?;
    assert_eq!(made["id"], again["id"], "a retry makes no second one");
    let there = lab.get("/milestones?state=all").await?;
    assert_eq!(there.as_array().map(Vec::len), Some(1), "{there}");
    assert!(there[0]["description"].as_str().is_some_and(|text| text.starts_with("first")), "{there}");
    assert!(there[0]["due_on"].as_str().is_some_and(|day| day.starts_with("2030-01-02")), "{there}");
    let error = lab.refused(json!({"title": "2.0", "idempotency_key": "k"})).await?;
    assert_eq!(error["details"]["field"], "idempotency_key", "{error}");
    // One with such a title hides all issues from Gitea's own lists.
    for title in ["", "  ", "\t"] {
        assert_eq!(lab.refused(json!({"title": title})).await?["details"]["field"], "title", "{title:?}");
    }
    let error = lab.refused(json!({"title": "2.0", "due_on": "tomorrow"})).await?;
    assert_eq!(error["details"]["field"], "due_on", "{error}");
    Ok(())
}

async fn edit(lab: &Lab) -> Result<()> {
    let id = milestone(lab, "one").await?["id"].clone();
    lab.here(json!({"id": "one", "title": "two", "state": "closed"})).await?;
    let there = lab.get(&format!("/milestones/{id}")).await?;
    assert_eq!((&there["title"], &there["state"]), (&json!("two"), &json!("closed")));
    assert!(
        there["due_on"].as_str().is_some_and(|day| day.starts_with("2030-01-02")),
        "the day stays: {there}"
    );
    lab.here(json!({"id": id, "state": "open", "due_on": "2031-01-02"})).await?;
    let there = lab.get(&format!("/milestones/{id}")).await?;
    assert_eq!(there["state"], "open");
    assert!(there["due_on"].as_str().is_some_and(|day| day.starts_with("2031-01-02")), "{there}");
    Ok(())
}

async fn delete(lab: &Lab) -> Result<()> {
    let id = milestone(lab, "one").await?["id"].clone();
    lab.here(json!({"id": "one"})).await?;
    assert_eq!(lab.status(&format!("/milestones/{id}")).await?, 404);
    let error = lab.refused(json!({"id": "one"})).await?;
    assert_eq!(error["details"]["field"], "id", "{error}");
    Ok(())
}
