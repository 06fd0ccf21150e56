//! Project boards, for which Gitea 1.26 has no API: each method says so, and asks it for nothing.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("project_read", "list", [], list),
        row!("project_read", "get", [], of_project),
        row!("project_read", "list_columns", [], of_project),
        row!("project_read", "list_column_issues", [], of_column),
        row!("project_write", "create", [], titled),
        row!("project_write", "update", [], of_project),
        row!("project_write", "delete", [], of_project),
        row!("project_write", "create_column", [], titled_in_project),
        row!("project_write", "update_column", [], titled_in_column),
        row!("project_write", "delete_column", [], of_column),
        row!("project_write", "add_issue", [], with_issue),
        row!("project_write", "remove_issue", [], with_issue),
    ]
}

/// The version error, whatever the board is of, and not a request that Gitea knows of.
async fn too_old(lab: &Lab, arguments: Value) -> Result<()> {
    for place in
        [json!({}), json!({"owner": null, "repo": null}), json!({"owner": null, "repo": null, "org": "x"})]
    {
        let mut all = arguments.clone();
        all.as_object_mut()
            .into_iter()
            .for_each(|all| all.extend(place.as_object().cloned().unwrap_or_default()));
        let error = lab.refused(all).await?;
        assert_eq!(
            (&error["error"], &error["details"]["needs"]),
            (&json!("VALIDATION_ERROR"), &json!("1.27")),
            "{error}"
        );
    }
    let asked = lab.forge.requests("/projects", 0).await?;
    assert_eq!(asked, vec![], "nothing of it is asked");
    Ok(())
}

async fn list(lab: &Lab) -> Result<()> {
    too_old(lab, json!({})).await
}

async fn of_project(lab: &Lab) -> Result<()> {
    too_old(lab, json!({"project_id": 1})).await
}

async fn of_column(lab: &Lab) -> Result<()> {
    too_old(lab, json!({"project_id": 1, "column_id": 2})).await
}

async fn titled(lab: &Lab) -> Result<()> {
    too_old(lab, json!({"title": "board"})).await
}

async fn titled_in_project(lab: &Lab) -> Result<()> {
    too_old(lab, json!({"project_id": 1, "title": "to do"})).await
}

async fn titled_in_column(lab: &Lab) -> Result<()> {
    too_old(lab, json!({"project_id": 1, "column_id": 2, "title": "done"})).await
}

async fn with_issue(lab: &Lab) -> Result<()> {
    too_old(lab, json!({"project_id": 1, "column_id": 2, "issue_id": 3})).await
}
