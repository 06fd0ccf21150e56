//! Files attached to a release.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::Which;
use crate::client::{self, Body, Request};
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::name::{Name, Repo};
use crate::model::release::Asset;

#[derive(Deserialize, JsonSchema)]
pub(super) struct New {
    name: Name,
    /// base64
    content: String,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Old {
    asset_id: u64,
}

pub(super) async fn list(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<Asset>> {
    forge.list_whole(which.path(&repo).at("assets"), &ALL, &paging).await
}

/// Gitea would keep a second file of the same name, so a retry must not send it.
pub(super) async fn upload(forge: Forge, repo: Repo, which: Which, new: New) -> Result<Asset> {
    let bytes = BASE64_STANDARD.decode(&new.content);
    let bytes = Bytes::from(bytes.map_err(|_| Error::argument("content", "content is not base64"))?);
    let path = which.path(&repo).at("assets");
    let there: Option<Vec<Asset>> = forge.get(path.clone()).await?;
    if let Some(there) = there.into_iter().flatten().find(|there| *there.name == *new.name) {
        let message = format!(
            "there is a file {} of {} bytes already, with id {}; delete it first",
            there.name, there.size, there.id
        );
        return Err(Error::argument("name", message));
    }
    let shown = json!({"name": new.name, "bytes": bytes.len()});
    let body = Body { content_type: HeaderValue::from_static("application/octet-stream"), bytes };
    let query = serde_urlencoded::to_string([("name", &*new.name)]);
    let query = query.map_err(|error| Error::Unexpected(error.to_string()))?;
    let request = Request { method: Method::POST, path: &path, query, body: Some(body) };
    client::read(&forge.write(request, shown).await?.bytes)
}

pub(super) async fn delete(forge: Forge, repo: Repo, which: Which, old: Old) -> Result<Deleted> {
    let path = which.path(&repo).at("assets").at(old.asset_id);
    let there: Asset = forge.get(path.clone()).await?;
    forge.delete(path, &ALL).await?;
    Ok(Deleted::of(there.name))
}
