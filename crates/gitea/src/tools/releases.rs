//! Releases and the files attached to them.

mod assets;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::once::{self, Create, Idempotency, Marked};
use crate::forge::{ALL, Forge};
use crate::model::name::{NewRef, Repo, Title};
use crate::model::release::Release;
use crate::model::{Deleted, brief, given};
use crate::tool::Tool;
use crate::tools::commits;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "create_release",
            "Create release",
            "Creates a release, and its tag at target if there is none. One that exists just so succeeds.",
        )
        .writes("", create)
        .classic("create_release"),
        Tool::new("delete_release", "Delete release", "Deletes a release; its tag stays.")
            .destroys("", delete)
            .classic("delete_release"),
        Tool::new("get_release", "Read release", "A release by its id.")
            .reads("", get)
            .classic("get_release"),
        Tool::new(
            "get_latest_release",
            "Latest release",
            "The latest release that is no draft or pre-release.",
        )
        .reads("", latest)
        .classic("get_latest_release"),
        Tool::new("list_releases", "List releases", "Releases, the newest first.")
            .reads("", list)
            .classic("list_releases"),
        Tool::new(
            "release_read",
            "Read releases",
            "A release by its tag, or the files attached to one (id).",
        )
        .reads("get_by_tag", by_tag)
        .reads("list_assets", assets::list),
        Tool::new(
            "release_write",
            "Change release",
            "Edits a release, attaches a file to it or deletes one.",
        )
        .writes("edit", edit)
        .writes("upload_asset", assets::upload)
        .destroys("delete_asset", assets::delete),
    ]
}

/// What a new release is like; goes out as Gitea has it.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct New {
    tag_name: NewRef,
    /// branch or commit
    #[serde(rename(serialize = "target_commitish"))]
    target: String,
    #[serde(rename(serialize = "name"))]
    title: Title,
    #[serde(rename(serialize = "draft"))]
    is_draft: Option<bool>,
    #[serde(rename(serialize = "prerelease"))]
    is_pre_release: Option<bool>,
    body: Option<String>,
}

/// What is to become of a release.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Edit {
    tag_name: Option<String>,
    #[serde(rename(serialize = "target_commitish"))]
    target: Option<String>,
    #[serde(rename(serialize = "name"))]
    title: Option<String>,
    #[serde(rename(serialize = "draft"))]
    is_draft: Option<bool>,
    #[serde(rename(serialize = "prerelease"))]
    is_pre_release: Option<bool>,
    body: Option<String>,
}

/// Which releases.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Filter {
    #[serde(rename(serialize = "draft"))]
    is_draft: Option<bool>,
    #[serde(rename(serialize = "pre-release"))]
    is_pre_release: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct Which {
    id: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Tagged {
    tag_name: String,
}

impl Which {
    fn path(&self, repo: &Repo) -> Path {
        releases(repo).at(self.id)
    }
}

fn releases(repo: &Repo) -> Path {
    repo.path().at("releases")
}

fn of_tag(repo: &Repo, tag: &str) -> Path {
    releases(repo).at("tags").at(tag)
}

async fn list(forge: Forge, repo: Repo, filter: Filter, paging: Paging) -> Result<Page<Release>> {
    let mut page: Page<Release> = forge.list(releases(&repo), &filter, &paging.usually(20)).await?;
    for body in page.items.iter_mut().filter_map(|release| release.body.as_mut()) {
        brief::in_list(body, "get_release");
    }
    Ok(page)
}

async fn get(forge: Forge, repo: Repo, which: Which) -> Result<Release> {
    whole(&forge, which.path(&repo)).await
}

async fn latest(forge: Forge, repo: Repo) -> Result<Release> {
    whole(&forge, releases(&repo).at("latest")).await
}

async fn by_tag(forge: Forge, repo: Repo, tagged: Tagged) -> Result<Release> {
    whole(&forge, of_tag(&repo, &tagged.tag_name)).await
}

async fn whole(forge: &Forge, path: Path) -> Result<Release> {
    let mut release: Release = forge.get(path).await?;
    if let Some(body) = &mut release.body {
        brief::cut(body, forge.kit().text_limit() / 2, "html_url shows them");
    }
    Ok(release)
}

/// So many of the newest are looked through for a key.
const RECENT: &str = "50";

/// Of a tag that is there, forges believe any target.
async fn create(forge: Forge, repo: Repo, mut new: New, once: Idempotency) -> Result<Release> {
    commits::resolve(&forge, &repo, Some(&new.target)).await?;
    let mark = once.mark(&new)?;
    if let Some(mark) = &mark {
        new.body = Some(mark.below(new.body.as_deref().unwrap_or_default()));
    }
    forge.once(&releases(&repo), mark.as_ref(), &NewRelease { repo: &repo, new }).await
}

/// A release that is being made; its tag is its natural key.
struct NewRelease<'a> {
    repo: &'a Repo,
    new: New,
}

impl Create for NewRelease<'_> {
    type Made = Release;

    async fn recent(&self, forge: &Forge) -> Result<Vec<Release>> {
        forge.find(releases(self.repo), &[("limit", RECENT)]).await
    }

    async fn make(&self, forge: &Forge) -> Result<Release> {
        let different = |there: &Release| {
            let (tag, id) = (&there.tag_name, there.id);
            let message =
                format!("there is a release of {tag} already, with id {id}, that is not like this; edit it");
            Error::argument("tag_name", message)
        };
        let there = of_tag(self.repo, &self.new.tag_name);
        forge.make(releases(self.repo), &self.new, there, |there| self.new.is_like(there), different).await
    }

    async fn take_back(&self, forge: &Forge, made: &Release) -> Result<()> {
        forge.delete(releases(self.repo).at(made.id), &ALL).await
    }
}

impl New {
    fn is_like(&self, there: &Release) -> bool {
        *self.title == *there.title.as_deref().unwrap_or_default()
            && self.target == there.target_commitish.as_deref().unwrap_or_default()
            && self.body.as_deref().unwrap_or_default() == there.body.as_deref().unwrap_or_default()
            && self.is_draft.unwrap_or(false) == there.draft
            && self.is_pre_release.unwrap_or(false) == there.prerelease
    }
}

/// A text that is empty, forges take for none: what was to go and is still there, is told.
async fn edit(forge: Forge, repo: Repo, which: Which, mut edit: Edit) -> Result<Release> {
    given::something(&edit, &["title", "body", "tag_name"])?;
    let path = which.path(&repo);
    if let Some(target) = edit.target.as_deref().filter(|target| !target.is_empty()) {
        commits::resolve(&forge, &repo, Some(target)).await?;
    }
    if let Some(new) = edit.body.take() {
        let was: Release = forge.get(path.clone()).await?;
        edit.body = Some(once::kept(was.text(), new));
    }
    let is: Release = forge.patch(path, &edit).await?;
    given::emptied("tag_name", edit.tag_name.as_deref(), Some(&is.tag_name))?;
    given::emptied("target", edit.target.as_deref(), is.target_commitish.as_deref())?;
    given::emptied("title", edit.title.as_deref(), is.title.as_deref())?;
    given::emptied("body", edit.body.as_deref(), is.body.as_deref())?;
    Ok(is)
}

async fn delete(forge: Forge, repo: Repo, which: Which) -> Result<Deleted> {
    let path = which.path(&repo);
    let there: Release = forge.get(path.clone()).await?;
    forge.delete(path.clone(), &ALL).await?;
    match forge.look::<Release>(path).await? {
        None => Ok(Deleted::of(there.tag_name)),
        Some(_) => Err(Error::Unexpected(format!("the release {} is still there", there.id))),
    }
}
