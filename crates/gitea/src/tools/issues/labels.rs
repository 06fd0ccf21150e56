//! The labels on an issue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Which;
use crate::error::{Error, Result};
use crate::forge::{ALL, Forge};
use crate::model::label::Label;
use crate::model::name::Repo;

/// Which labels.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Names {
    /// names or ids
    labels: Vec<String>,
}

/// Which label.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OneLabel {
    /// name or id
    label_id: String,
}

/// What is on the issue then.
#[derive(Serialize)]
pub(super) struct On {
    labels: Vec<Label>,
}

pub(super) async fn add(forge: Forge, repo: Repo, which: Which, names: Names) -> Result<On> {
    let ids = forge.label_ids(&repo, "labels", &names.labels).await?;
    let path = which.path(&repo).at("labels");
    Ok(On { labels: forge.post(path, &json!({"labels": ids})).await? })
}

pub(super) async fn replace(forge: Forge, repo: Repo, which: Which, names: Names) -> Result<On> {
    let ids = forge.label_ids(&repo, "labels", &names.labels).await?;
    let path = which.path(&repo).at("labels");
    Ok(On { labels: forge.put(path, &json!({"labels": ids})).await? })
}

pub(super) async fn remove(forge: Forge, repo: Repo, which: Which, label: OneLabel) -> Result<On> {
    let path = which.path(&repo).at("labels");
    let there: Vec<Label> = forge.get(path.clone()).await?;
    let named = there.iter().find(|it| it.name == label.label_id);
    let found = named.or_else(|| there.iter().find(|it| it.id.to_string() == label.label_id));
    let Some(found) = found else {
        let candidates = there.iter().map(|it| it.name.clone()).collect();
        let (field, name) = ("label_id".to_owned(), kit::clip(&label.label_id));
        return Err(Error::Unknown { field, what: "label on this issue", name, candidates });
    };
    forge.delete(path.clone().at(found.id), &ALL).await?;
    Ok(On { labels: forge.get(path).await? })
}

pub(super) async fn clear(forge: Forge, repo: Repo, which: Which) -> Result<On> {
    let path = which.path(&repo).at("labels");
    forge.delete(path.clone(), &ALL).await?;
    Ok(On { labels: forge.get(path).await? })
}
