//! Project boards of a repository, an organisation or the token's user. Gitea before 1.27 has no API for them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::Result;
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::place::Place;
use crate::model::project::{Card, Column, Project};
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "project_read",
            "Read projects",
            "Project boards of a repository, an org or (neither) mine. Needs Gitea 1.27.",
        )
        .reads("list", list)
        .since(1, 27)
        .reads("get", get)
        .since(1, 27)
        .reads("list_columns", list_columns)
        .since(1, 27)
        .reads("list_column_issues", list_column_issues)
        .since(1, 27),
        Tool::new("project_write", "Change projects", "Changes project boards, columns and what is in them.")
            .writes("create", create)
            .since(1, 27)
            .writes("update", update)
            .since(1, 27)
            .destroys("delete", delete)
            .since(1, 27)
            .writes("create_column", create_column)
            .since(1, 27)
            .writes("update_column", update_column)
            .since(1, 27)
            .destroys("delete_column", delete_column)
            .since(1, 27)
            .writes("add_issue", add_issue)
            .since(1, 27)
            .destroys("remove_issue", remove_issue)
            .since(1, 27),
    ]
}

/// Which of them.
#[derive(Deserialize, Serialize, JsonSchema)]
struct Filter {
    /// open, closed, all (default)
    #[serde(default = "all")]
    state: String,
}

fn all() -> String {
    "all".to_owned()
}

/// Which project.
#[derive(Deserialize, JsonSchema)]
struct Which {
    project_id: u64,
}

/// Which column of it.
#[derive(Deserialize, JsonSchema)]
struct At {
    project_id: u64,
    column_id: u64,
}

/// What is in a column.
#[derive(Deserialize, JsonSchema)]
struct Issue {
    /// internal id, not number
    issue_id: u64,
}

/// A new project.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct New {
    title: String,
    description: Option<String>,
    template_type: Option<String>,
}

/// What is to become of a project.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Edit {
    title: Option<String>,
    description: Option<String>,
    state: Option<String>,
}

/// A column's name.
#[derive(Deserialize, Serialize, JsonSchema)]
struct Titled {
    title: String,
}

async fn list(forge: Forge, place: Place, filter: Filter, paging: Paging) -> Result<Page<Project>> {
    forge.list(projects(&place)?, &filter, &paging).await
}

async fn get(forge: Forge, place: Place, which: Which) -> Result<Project> {
    forge.get(project(&place, which.project_id)?).await
}

async fn list_columns(forge: Forge, place: Place, which: Which, paging: Paging) -> Result<Page<Column>> {
    forge.list(project(&place, which.project_id)?.at("columns"), &ALL, &paging).await
}

async fn list_column_issues(forge: Forge, place: Place, at: At, paging: Paging) -> Result<Page<Card>> {
    forge.list(at.column(&place)?.at("issues"), &ALL, &paging).await
}

async fn create(forge: Forge, place: Place, new: New) -> Result<Project> {
    forge.post(projects(&place)?, &new).await
}

async fn update(forge: Forge, place: Place, which: Which, edit: Edit) -> Result<Project> {
    forge.patch(project(&place, which.project_id)?, &edit).await
}

async fn delete(forge: Forge, place: Place, which: Which) -> Result<Deleted> {
    forge.remove(project(&place, which.project_id)?).await?;
    Ok(Deleted::of(which.project_id))
}

async fn create_column(forge: Forge, place: Place, which: Which, new: Titled) -> Result<Column> {
    forge.post(project(&place, which.project_id)?.at("columns"), &new).await
}

async fn update_column(forge: Forge, place: Place, at: At, edit: Titled) -> Result<Column> {
    forge.patch(at.column(&place)?, &edit).await
}

async fn delete_column(forge: Forge, place: Place, at: At) -> Result<Deleted> {
    forge.delete(at.column(&place)?, &ALL).await?;
    Ok(Deleted::of(at.column_id))
}

async fn add_issue(forge: Forge, place: Place, at: At, issue: Issue) -> Result<Page<Card>> {
    let issues = at.column(&place)?.at("issues");
    forge.change(http::Method::POST, &issues.clone().at(issue.issue_id), &ALL).await?;
    forge.list(issues, &ALL, &Paging::default()).await
}

async fn remove_issue(forge: Forge, place: Place, at: At, issue: Issue) -> Result<Deleted> {
    forge.delete(at.column(&place)?.at("issues").at(issue.issue_id), &ALL).await?;
    Ok(Deleted::of(issue.issue_id))
}

fn projects(place: &Place) -> Result<Path> {
    Ok(place.path()?.unwrap_or_else(|| Path::of("user")).at("projects"))
}

fn project(place: &Place, id: u64) -> Result<Path> {
    Ok(projects(place)?.at(id))
}

impl At {
    fn column(&self, place: &Place) -> Result<Path> {
        Ok(project(place, self.project_id)?.at("columns").at(self.column_id))
    }
}
