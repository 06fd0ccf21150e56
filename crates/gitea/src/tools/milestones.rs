//! Milestones of a repository.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::once::{self, Create, Idempotency};
use crate::forge::{ALL, Forge};
use crate::model::milestone::Milestone;
use crate::model::name::{Repo, Time, Title};
use crate::model::{Deleted, given};
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "milestone_read",
            "Read milestones",
            "Milestones of a repository; list takes state and part of a name.",
        )
        .reads("get", get)
        .classic("get_milestone")
        .reads("list", list)
        .classic("list_milestones"),
        Tool::new(
            "milestone_write",
            "Change milestones",
            "Creates (title), edits or deletes milestones; update and edit are the same.",
        )
        .writes("create", create)
        .classic("create_milestone")
        .writes("update", edit)
        .writes("edit", edit)
        .classic("edit_milestone")
        .destroys("delete", delete)
        .classic("delete_milestone"),
    ]
}

/// Which milestone.
#[derive(Deserialize, JsonSchema)]
struct Which {
    /// id or title
    id: String,
}

/// Which milestones.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Filter {
    /// open, closed, all (default)
    state: Option<States>,
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum States {
    Open,
    Closed,
    #[default]
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum State {
    Open,
    Closed,
}

/// A new milestone.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct New {
    title: Title,
    description: Option<String>,
    due_on: Option<Time>,
    state: Option<State>,
}

/// What is to become of one.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Edit {
    title: Option<Title>,
    description: Option<String>,
    due_on: Option<Time>,
    state: Option<State>,
}

fn all(repo: &Repo) -> Path {
    repo.path().at("milestones")
}

impl Which {
    /// Where it is, by its number: a forge takes a number for one even where a title is meant.
    async fn find(&self, forge: &Forge, repo: &Repo) -> Result<(Path, Milestone)> {
        let id = forge.milestone_id(repo, "id", &self.id).await?;
        let path = all(repo).at(id);
        Ok((path.clone(), forge.get(path).await?))
    }
}

async fn get(forge: Forge, repo: Repo, which: Which) -> Result<Milestone> {
    Ok(which.find(&forge, &repo).await?.1)
}

async fn list(forge: Forge, repo: Repo, mut filter: Filter, paging: Paging) -> Result<Page<Milestone>> {
    filter.state = Some(filter.state.unwrap_or_default());
    forge.list(all(&repo), &filter, &paging).await
}

async fn create(forge: Forge, repo: Repo, mut new: New, once: Idempotency) -> Result<Milestone> {
    let mark = once.mark(&new)?;
    if let Some(mark) = &mark {
        new.description = Some(mark.below(new.description.as_deref().unwrap_or_default()));
    }
    let path = all(&repo);
    forge.once(&path, mark.as_ref(), &NewMilestone { path: &path, new }).await
}

struct NewMilestone<'a> {
    path: &'a Path,
    new: New,
}

impl Create for NewMilestone<'_> {
    type Made = Milestone;

    /// All of them: they are listed by the day they are due.
    async fn recent(&self, forge: &Forge) -> Result<Vec<Milestone>> {
        forge.whole(self.path.clone(), &[("state", "all")]).await
    }

    async fn make(&self, forge: &Forge) -> Result<Milestone> {
        forge.post(self.path.clone(), &self.new).await
    }

    async fn take_back(&self, forge: &Forge, made: &Milestone) -> Result<()> {
        forge.delete(self.path.clone().at(made.id), &ALL).await
    }
}

/// What is not given stays. The forge takes the day from a milestone that is sent without one, so it is sent again.
async fn edit(forge: Forge, repo: Repo, which: Which, mut edit: Edit) -> Result<Milestone> {
    given::something(&edit, &["title", "description", "state"])?;
    let (path, was) = which.find(&forge, &repo).await?;
    if edit.due_on.is_none() {
        edit.due_on = was.due_on.and_then(|day| Time::try_from(day).ok());
    }
    let text = was.description.unwrap_or_default();
    edit.description = edit.description.map(|new| once::kept(&text, new));
    let is: Milestone = forge.patch(path, &edit).await?;
    match edit.state {
        Some(state) if Some(state.word()) != is.state.as_deref() => {
            Err(Error::Unexpected(format!("the milestone is not {} all the same", state.word())))
        }
        _ => Ok(is),
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

async fn delete(forge: Forge, repo: Repo, which: Which) -> Result<Deleted> {
    let (path, milestone) = which.find(&forge, &repo).await?;
    forge.delete(path, &ALL).await?;
    Ok(Deleted::of(milestone.title))
}
