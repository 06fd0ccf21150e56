//! Notifications of the token's user.

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::client;
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::name::{Since, Time};
use crate::model::notification::Thread;
use crate::model::place::MaybeRepo;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("notification_read", "Read notifications", "Notifications, all or of a repository.")
            .reads("list", list)
            .reads("get", get),
        Tool::new(
            "notification_write",
            "Mark notifications",
            "Marks one notification, or all (of a repository, up to last_read_at), as read.",
        )
        .writes("mark_read", mark_read)
        .writes("mark_all_read", mark_all_read),
    ]
}

/// Which of them.
#[derive(Deserialize, JsonSchema)]
struct Filter {
    /// csv of unread, read, pinned; or all
    status: Option<String>,
    /// csv of issue, pull, commit, repository
    subject_type: Option<String>,
    since: Option<Since>,
    before: Option<Time>,
}

/// Which one.
#[derive(Deserialize, JsonSchema)]
struct Which {
    id: u64,
}

/// Up to when.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Until {
    last_read_at: Option<Time>,
}

/// What was marked.
#[derive(Serialize)]
struct Marked {
    marked_read: usize,
    /// Of all repositories.
    unread: u64,
}

async fn list(forge: Forge, repo: MaybeRepo, filter: Filter, paging: Paging) -> Result<Page<Thread>> {
    let page = forge.list(everyone_or(repo.path()?), &filter.query()?, &paging).await?;
    Ok(forge.within_reach(page))
}

async fn get(forge: Forge, which: Which) -> Result<Thread> {
    thread(&forge, which.id).await
}

async fn mark_read(forge: Forge, which: Which) -> Result<Thread> {
    thread(&forge, which.id).await?;
    let path = Path::of("notifications").at("threads").at(which.id);
    forge.change(Method::PATCH, &path, &ALL).await?;
    thread(&forge, which.id).await
}

async fn mark_all_read(forge: Forge, repo: MaybeRepo, until: Until) -> Result<Marked> {
    let repo = repo.path()?;
    if repo.is_none() && forge.is_confined() {
        return Err(Error::argument(
            "owner",
            "this server may not touch all repositories; name one with owner and repo",
        ));
    }
    let answer = forge.change_with(Method::PUT, &everyone_or(repo), &until, &ALL).await?;
    let marked: Vec<Value> = client::read(&answer.bytes)?;
    #[derive(Deserialize)]
    struct Left {
        new: u64,
    }
    let left: Left = forge.get(Path::of("notifications").at("new")).await?;
    Ok(Marked { marked_read: marked.len(), unread: left.new })
}

/// One that the operator lets this server touch.
async fn thread(forge: &Forge, id: u64) -> Result<Thread> {
    let thread: Thread = forge.get(Path::of("notifications").at("threads").at(id)).await?;
    if let Some((owner, name)) = thread.repository.as_deref().and_then(|name| name.split_once('/')) {
        forge.may_touch(owner, Some(name))?;
    }
    Ok(thread)
}

fn everyone_or(repo: Option<Path>) -> Path {
    repo.map_or_else(|| Path::of("notifications"), |repo| repo.at("notifications"))
}

impl Filter {
    /// As forges read it: an own pair for each status and each type.
    fn query(&self) -> Result<Vec<(&'static str, &str)>> {
        let mut query = vec![];
        let status = self.status.as_deref().unwrap_or_default();
        match status {
            "all" => query.push(("all", "true")),
            _ => query.extend(chosen("status", status, &["unread", "read", "pinned"], "status-types")?),
        }
        let types = self.subject_type.as_deref().unwrap_or_default();
        let known = ["issue", "pull", "commit", "repository"];
        query.extend(chosen("subject_type", types, &known, "subject-type")?);
        query.extend(self.since.as_ref().map(|time| ("since", time.as_ref())));
        query.extend(self.before.as_ref().map(|time| ("before", time.as_ref())));
        Ok(query)
    }
}

/// Forges ignore what they do not know, and answer something else than was asked for.
fn chosen<'a>(
    field: &'static str,
    csv: &'a str,
    known: &[&str],
    name: &'static str,
) -> Result<Vec<(&'static str, &'a str)>> {
    let words = csv.split(',').map(str::trim).filter(|word| !word.is_empty());
    let pair = |word: &'a str| match known.contains(&word.to_ascii_lowercase().as_str()) {
        true => Ok((name, word)),
        false => Err(Error::argument(field, format!("{field} must be of {}", known.join(", ")))),
    };
    words.map(pair).collect()
}
