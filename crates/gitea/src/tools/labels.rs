//! Labels of a repository or an organisation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::label::Label;
use crate::model::name::{Org, Repo};
use crate::model::{Deleted, given};
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("label_read", "Read labels", "Labels of a repository or an organization.")
            .reads("list_repo_labels", list_repo_labels)
            .classic("list_repo_labels")
            .reads("get_repo_label", get_repo_label)
            .classic("get_repo_label")
            .reads("list_org_labels", list_org_labels)
            .classic("list_org_labels"),
        Tool::new(
            "label_write",
            "Change labels",
            "Creates (name, color), edits or deletes labels. Creating one that exists just so succeeds.",
        )
        .writes("create_repo_label", create_repo_label)
        .classic("create_repo_label")
        .writes("edit_repo_label", edit_repo_label)
        .classic("edit_repo_label")
        .destroys("delete_repo_label", delete_repo_label)
        .classic("delete_repo_label")
        .writes("create_org_label", create_org_label)
        .classic("create_org_label")
        .writes("edit_org_label", edit_org_label)
        .classic("edit_org_label")
        .destroys("delete_org_label", delete_org_label)
        .classic("delete_org_label"),
    ]
}

/// Which label.
#[derive(Deserialize, JsonSchema)]
struct Which {
    id: u64,
}

/// What a new label is like.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct New {
    name: String,
    /// #rrggbb
    color: String,
    description: Option<String>,
    exclusive: Option<bool>,
    is_archived: Option<bool>,
}

/// What is to become of a label.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Edit {
    name: Option<String>,
    color: Option<String>,
    description: Option<String>,
    exclusive: Option<bool>,
    is_archived: Option<bool>,
}

async fn list_repo_labels(forge: Forge, repo: Repo, paging: Paging) -> Result<Page<Label>> {
    forge.list(repo.path().at("labels"), &ALL, &paging).await
}

async fn list_org_labels(forge: Forge, org: Org, paging: Paging) -> Result<Page<Label>> {
    forge.list(org.path().at("labels"), &ALL, &paging).await
}

async fn get_repo_label(forge: Forge, repo: Repo, which: Which) -> Result<Label> {
    forge.get(repo.path().at("labels").at(which.id)).await
}

async fn create_repo_label(forge: Forge, repo: Repo, new: New) -> Result<Label> {
    create(forge, repo.path().at("labels"), new).await
}

async fn create_org_label(forge: Forge, org: Org, new: New) -> Result<Label> {
    create(forge, org.path().at("labels"), new).await
}

/// A label's name is its natural key, though forges take a second one of the same name: a retry must not make it, and of
/// two creates at once the later one gives way.
async fn create(forge: Forge, path: Path, new: New) -> Result<Label> {
    must_be_a_name(&new.name)?;
    if let Some(label) = first_named(&forge, &path, &new.name).await? {
        return new.settled(label);
    }
    let made: Label = forge.post(path.clone(), &new).await?;
    match first_named(&forge, &path, &new.name).await? {
        Some(first) if first.id < made.id => {
            forge.delete(path.at(made.id), &ALL).await?;
            new.settled(first)
        }
        _ => Ok(made),
    }
}

async fn first_named(forge: &Forge, path: &Path, name: &str) -> Result<Option<Label>> {
    let there: Vec<Label> = forge.whole(path.clone(), &ALL).await?;
    Ok(there.into_iter().filter(|label| label.name == name).min_by_key(|label| label.id))
}

impl New {
    /// The label that is there, if it is like this one.
    fn settled(&self, label: Label) -> Result<Label> {
        if self.is_like(&label) {
            return Ok(label);
        }
        let (name, id) = (&label.name, label.id);
        let message =
            format!("there is a label {name} already, with id {id}, and it is not like this; edit it");
        Err(Error::argument("name", message))
    }

    fn is_like(&self, label: &Label) -> bool {
        let color = |color: &str| color.trim_start_matches('#').to_ascii_lowercase();
        label.color.as_deref().map(color) == Some(color(&self.color))
            && self.description.as_ref().is_none_or(|it| Some(it) == label.description.as_ref())
            && self.exclusive.is_none_or(|it| label.exclusive.unwrap_or(false) == it)
            && self.is_archived.is_none_or(|it| label.is_archived.unwrap_or(false) == it)
    }
}

async fn edit_repo_label(forge: Forge, repo: Repo, which: Which, edit: Edit) -> Result<Label> {
    change(forge, repo.path().at("labels").at(which.id), edit).await
}

async fn edit_org_label(forge: Forge, org: Org, which: Which, edit: Edit) -> Result<Label> {
    change(forge, org.path().at("labels").at(which.id), edit).await
}

async fn change(forge: Forge, path: Path, edit: Edit) -> Result<Label> {
    given::something(&edit, &["name", "color", "description"])?;
    edit.name.as_deref().map_or(Ok(()), must_be_a_name)?;
    forge.patch(path, &edit).await
}

/// Forges take a label without one, which nobody can name then.
fn must_be_a_name(name: &str) -> Result<()> {
    if name.trim().is_empty() { Err(Error::argument("name", "name is empty")) } else { Ok(()) }
}

async fn delete_repo_label(forge: Forge, repo: Repo, which: Which) -> Result<Deleted> {
    delete(forge, repo.path().at("labels").at(which.id), which.id).await
}

async fn delete_org_label(forge: Forge, org: Org, which: Which) -> Result<Deleted> {
    delete(forge, org.path().at("labels").at(which.id), which.id).await
}

/// Forges answer the deletion of what is not there with success.
async fn delete(forge: Forge, path: Path, id: u64) -> Result<Deleted> {
    forge.get::<Label>(path.clone()).await?;
    forge.delete(path, &ALL).await?;
    Ok(Deleted::of(id))
}
