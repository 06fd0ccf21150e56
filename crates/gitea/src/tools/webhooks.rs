//! Webhooks of a repository or an organisation. What proves to a receiver who calls goes in, and never comes out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::given;
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
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
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
    config: BTreeMap<String, String>,
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

/// A forge leaves out events that it does not know, and makes a webhook that never fires: that one goes again.
async fn create(forge: Forge, place: Place, new: New) -> Result<Hook> {
    let New { kind, url, content_type, secret, events, branch_filter, authorization_header, .. } = new;
    let content_type = Some(content_type.unwrap_or_else(|| "json".into()));
    let config =
        [("url", Some(url)), ("content_type", content_type), ("secret", secret), ("channel", new.channel)];
    let body = Body {
        kind: Some(kind.unwrap_or_else(|| "gitea".into())),
        config: given(config),
        events: some(events)?.unwrap_or_else(|| vec!["push".into()]),
        branch_filter,
        authorization_header,
        active: Some(new.active.unwrap_or(true)),
        name: new.name,
    };
    let path = hooks(&place)?;
    let made: Hook = forge.post(path.clone(), &body).await?;
    match made.lacks(&body.events).as_slice() {
        [] => Ok(made),
        unknown => {
            forge.delete(path.at(made.id), &ALL).await?;
            Err(unknown_events(unknown))
        }
    }
}

/// Forges take an edit for the whole of its events, filter and header, so what is to stay is sent along. With an event
/// that the forge does not know, all becomes again what it was.
async fn edit(forge: Forge, place: Place, which: Which, edit: Edit) -> Result<Hook> {
    let path = hooks(&place)?.at(which.id);
    given::something(&edit, &["url", "events", "active"])?;
    let was = Body::from(forge.get::<Raw>(path.clone()).await?);
    let events = some(edit.events)?;
    let config = [("url", edit.url), ("content_type", edit.content_type)];
    let body = Body {
        kind: None,
        config: given(config),
        events: events.clone().unwrap_or_else(|| was.events.clone()),
        branch_filter: edit.branch_filter.or_else(|| was.branch_filter.clone()),
        authorization_header: edit.authorization_header.or_else(|| was.authorization_header.clone()),
        active: edit.active,
        name: edit.name,
    };
    let is: Hook = forge.patch(path.clone(), &body).await?;
    match is.lacks(&events.unwrap_or_default()).as_slice() {
        [] => Ok(is),
        unknown => {
            forge.patch::<Hook>(path, &was).await?;
            Err(unknown_events(unknown))
        }
    }
}

impl From<Raw> for Body {
    /// What makes a webhook what it is now.
    fn from(there: Raw) -> Self {
        Self {
            kind: None,
            config: there.config,
            events: hook::returned(there.events),
            branch_filter: there.branch_filter,
            authorization_header: there.authorization_header,
            active: Some(there.active),
            name: there.name,
        }
    }
}

fn given<const N: usize>(config: [(&str, Option<String>); N]) -> BTreeMap<String, String> {
    config.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Forges take no events for the default.
fn some(events: Option<Vec<String>>) -> Result<Option<Vec<String>>> {
    match events {
        Some(events) if events.is_empty() => {
            Err(Error::argument("events", "events is empty: name one, or set active to false"))
        }
        events => Ok(events),
    }
}

fn unknown_events(names: &[&str]) -> Error {
    let message = format!(
        "the forge knows no event {}, and nothing was changed; there are push, create, delete, issues, issue_comment, \
         pull_request, pull_request_review, release, status, workflow_run and others",
        kit::clip(&names.join(", "))
    );
    Error::argument("events", message)
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
