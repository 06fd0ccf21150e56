//! What a repository says of itself: description, visibility, topics; and its archive.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::error::{Error, Result};
use crate::forge::{ALL, Forge};
use crate::model::given;
use crate::model::name::{Name, Repo};
use crate::model::repository::Repository;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("repo_read", "Read repository", "A repository's settings and topics.")
            .reads("get", get)
            .reads("list_topics", list_topics),
        Tool::new(
            "repo_write",
            "Change repository",
            "Edits, renames (name) or archives a repository, or changes its topics.",
        )
        .writes("edit", edit)
        .writes("set_topics", set_topics)
        .writes("add_topic", add_topic)
        .writes("delete_topic", delete_topic),
    ]
}

/// What is to become of a repository.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Edit {
    name: Option<Name>,
    description: Option<String>,
    website: Option<String>,
    private: Option<bool>,
    archived: Option<bool>,
    template: Option<bool>,
    default_branch: Option<String>,
    has_issues: Option<bool>,
    has_wiki: Option<bool>,
    has_pull_requests: Option<bool>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct NewTopics {
    topics: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Topic {
    topic: Name,
}

/// A repository's topics.
#[derive(Serialize, Deserialize)]
struct Topics {
    topics: Vec<String>,
}

async fn get(forge: Forge, repo: Repo) -> Result<Repository> {
    forge.get(repo.path()).await
}

/// A branch that there is not, forges do not take for the default one, and say nothing.
async fn edit(forge: Forge, repo: Repo, edit: Edit) -> Result<Repository> {
    given::something(&edit, &["description", "private", "archived"])?;
    if let Some(name) = &edit.name {
        forge.may_touch(&repo.owner, Some(name))?;
    }
    let is: Repository = forge.patch(repo.path(), &edit).await?;
    let default = is.default_branch.as_deref().unwrap_or_default();
    match &edit.default_branch {
        Some(wanted) if wanted != default => {
            let wanted = kit::clip(wanted);
            let message = format!(
                "{default} is still the default branch: is there a branch {wanted}? What else was given is changed"
            );
            Err(Error::argument("default_branch", message))
        }
        _ => Ok(is),
    }
}

async fn list_topics(forge: Forge, repo: Repo) -> Result<Topics> {
    topics(&forge, &repo).await
}

async fn set_topics(forge: Forge, repo: Repo, new: NewTopics) -> Result<Topics> {
    forge.change(http::Method::PUT, &repo.path().at("topics"), &new).await?;
    topics(&forge, &repo).await
}

async fn add_topic(forge: Forge, repo: Repo, new: Topic) -> Result<Topics> {
    forge.change(http::Method::PUT, &repo.path().at("topics").at(new.topic), &ALL).await?;
    topics(&forge, &repo).await
}

async fn delete_topic(forge: Forge, repo: Repo, old: Topic) -> Result<Topics> {
    forge.delete(repo.path().at("topics").at(old.topic), &ALL).await?;
    topics(&forge, &repo).await
}

/// All of them: a repository has 25 at most, which is less than a page.
async fn topics(forge: &Forge, repo: &Repo) -> Result<Topics> {
    forge.get(repo.path().at("topics")).await
}
