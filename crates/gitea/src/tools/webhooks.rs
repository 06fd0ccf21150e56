//! Webhooks of a repository or an organisation. What proves to a receiver who calls goes in, and never comes out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::Result;
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::hook::{self, Hook, Raw};
use crate::model::name::Repo;
use crate::model::place::Place;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "webhook_read",
            "Read webhooks",
            "Webhooks of a repository or an org; secrets are not shown.",
        )
        .reads("list", list)
        .reads("get", get),
        Tool::new(
            "webhook_write",
            "Change webhooks",
            "Webhooks of a repository or an org; test sends one push event.",
        )
        .writes("create", create)
        .writes("edit", edit)
        .destroys("delete", delete)
        .writes("test", test),
    ]
}

/// Which one.
#[derive(Deserialize, JsonSchema)]
struct Which {
    id: u64,
}

/// A new webhook.
#[derive(Deserialize, JsonSchema)]
struct New {
    /// gitea (default), slack, discord…
    #[serde(rename = "type")]
    kind: Option<String>,
    #[schemars(extend("format" = "password"))]
    url: String,
    /// json (default), form
    content_type: Option<String>,
    #[schemars(extend("format" = "password"))]
    secret: Option<String>,
    /// default push
    events: Option<Vec<String>>,
    branch_filter: Option<String>,
    #[schemars(extend("format" = "password"))]
    authorization_header: Option<String>,
    /// default true
    active: Option<bool>,
    name: Option<String>,
    /// channel of slack
    channel: Option<String>,
}

/// What is to become of a webhook. Forges keep its secret.
#[derive(Deserialize, JsonSchema)]
struct Edit {
    #[schemars(extend("format" = "password"))]
    url: Option<String>,
    content_type: Option<String>,
    events: Option<Vec<String>>,
    branch_filter: Option<String>,
    #[schemars(extend("format" = "password"))]
    authorization_header: Option<String>,
    active: Option<bool>,
    name: Option<String>,
}

/// Of which branch, tag or commit a test tells.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Subject {
    #[serde(rename = "ref")]
    reference: Option<String>,
}

/// A webhook as forges take it.
#[skip_serializing_none]
#[derive(Serialize)]
struct Body {
    #[serde(rename = "type")]
    kind: Option<String>,
    config: BTreeMap<&'static str, String>,
    events: Vec<String>,
    branch_filter: Option<String>,
    authorization_header: Option<String>,
    active: Option<bool>,
    name: Option<String>,
}

/// That it was sent; whether it arrived, the forge does not tell.
#[derive(Serialize)]
struct Sent {
    queued: u64,
}

async fn list(forge: Forge, place: Place, paging: Paging) -> Result<Page<Hook>> {
    forge.list(hooks(&place)?, &ALL, &paging).await
}

async fn get(forge: Forge, place: Place, which: Which) -> Result<Hook> {
    forge.get(hooks(&place)?.at(which.id)).await
}

async fn create(forge: Forge, place: Place, new: New) -> Result<Hook> {
    let New { kind, url, content_type, secret, events, branch_filter, authorization_header, .. } = new;
    let content_type = Some(content_type.unwrap_or_else(|| "json".into()));
    let config =
        [("url", Some(url)), ("content_type", content_type), ("secret", secret), ("channel", new.channel)];
    let body = Body {
        kind: Some(kind.unwrap_or_else(|| "gitea".into())),
        config: config.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        events: events.unwrap_or_else(|| vec!["push".into()]),
        branch_filter,
        authorization_header,
        active: Some(new.active.unwrap_or(true)),
        name: new.name,
    };
    forge.post(hooks(&place)?, &body).await
}

/// Forges take an edit for the whole of its events, filter and header, so what is to stay is sent along.
async fn edit(forge: Forge, place: Place, which: Which, edit: Edit) -> Result<Hook> {
    let path = hooks(&place)?.at(which.id);
    let there: Raw = forge.get(path.clone()).await?;
    let config = [("url", edit.url), ("content_type", edit.content_type)];
    let body = Body {
        kind: None,
        config: config.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        events: edit.events.unwrap_or_else(|| hook::returned(there.events)),
        branch_filter: edit.branch_filter.or(there.branch_filter),
        authorization_header: edit.authorization_header.or(there.authorization_header),
        active: edit.active,
        name: edit.name,
    };
    forge.patch(path, &body).await
}

async fn delete(forge: Forge, place: Place, which: Which) -> Result<Deleted> {
    forge.remove(hooks(&place)?.at(which.id)).await?;
    Ok(Deleted::of(which.id))
}

async fn test(forge: Forge, repo: Repo, which: Which, subject: Subject) -> Result<Sent> {
    let path = repo.path().at("hooks").at(which.id);
    forge.get::<Raw>(path.clone()).await?;
    forge.change_with(http::Method::POST, &path.at("tests"), &subject, &ALL).await?;
    Ok(Sent { queued: which.id })
}

fn hooks(place: &Place) -> Result<Path> {
    Ok(place.must()?.at("hooks"))
}
