//! Repositories: finding, making, forking and changing them, and what is in their trees.

mod settings;

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::name::{Name, Org, Repo};
use crate::model::repository::{Repository, TreeEntry};
use crate::model::user::User;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    let mut tools = vec![
        Tool::new(
            "search_repos",
            "Search repositories",
            "Searches repositories by name, topic or description.",
        )
        .reads("", search)
        .classic("search_repos"),
        Tool::new(
            "create_repo",
            "Create repository",
            "Creates a repository of yours or of an organization. One that exists just so succeeds.",
        )
        .writes("", create)
        .classic("create_repo"),
        Tool::new("fork_repo", "Fork repository", "Forks user/repo to you or an organization.")
            .writes("", fork)
            .classic("fork_repo"),
        Tool::new("list_my_repos", "My repositories", "Repositories that the token's user owns or works on.")
            .reads("", list_mine)
            .classic("list_my_repos"),
        Tool::new("list_org_repos", "Organization's repositories", "Repositories of an organization.")
            .reads("", list_of_org),
        Tool::new("get_repository_tree", "Read tree", "Files and folders at a branch, tag or commit, paged.")
            .reads("", tree),
    ];
    tools.extend(settings::tools());
    tools
}

/// What repositories to look for; goes out as Gitea's query.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Search {
    #[serde(rename(serialize = "q"))]
    query: String,
    #[serde(rename(deserialize = "keywordIsTopic", serialize = "topic"))]
    keyword_is_topic: Option<bool>,
    #[serde(rename(deserialize = "keywordInDescription", serialize = "includeDesc"))]
    keyword_in_description: Option<bool>,
    #[serde(rename(deserialize = "ownerID", serialize = "uid"))]
    owner_id: Option<u64>,
    #[serde(rename(deserialize = "isPrivate", serialize = "is_private"))]
    is_private: Option<bool>,
    #[serde(rename(deserialize = "isArchived", serialize = "archived"))]
    is_archived: Option<bool>,
    /// alpha, created, updated, size, id…
    sort: Option<String>,
    /// asc or desc
    order: Option<String>,
}

/// What a new repository is like.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct New {
    name: Name,
    description: Option<String>,
    private: Option<bool>,
    issue_labels: Option<String>,
    auto_init: Option<bool>,
    template: Option<bool>,
    gitignores: Option<String>,
    license: Option<String>,
    readme: Option<String>,
    default_branch: Option<String>,
    trust_model: Option<String>,
    object_format_name: Option<String>,
    #[serde(skip_serializing)]
    organization: Option<Name>,
}

/// What to fork.
#[derive(Deserialize, JsonSchema)]
struct Source {
    user: Name,
    repo: Name,
}

/// Where the fork goes.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Target {
    organization: Option<Name>,
    name: Option<Name>,
}

/// Which tree.
#[derive(Deserialize, JsonSchema)]
struct Tree {
    /// sha, branch or tag
    tree_sha: String,
    recursive: Option<bool>,
}

/// The most entries of a tree that Gitea gives at once (`DEFAULT_GIT_TREES_PER_PAGE`).
const MOST_ENTRIES: u32 = 1000;

async fn search(forge: Forge, search: Search, paging: Paging) -> Result<Page<Repository>> {
    let found = forge.list_in(Path::of("repos").at("search"), "data", &search, &paging).await?;
    Ok(forge.within_reach(found))
}

async fn list_mine(forge: Forge, paging: Paging) -> Result<Page<Repository>> {
    let mine = forge.list(Path::of("user").at("repos"), &ALL, &paging).await?;
    Ok(forge.within_reach(mine))
}

async fn list_of_org(forge: Forge, org: Org, paging: Paging) -> Result<Page<Repository>> {
    forge.list(org.path().at("repos"), &ALL, &paging.usually(100)).await
}

async fn create(forge: Forge, new: New) -> Result<Repository> {
    let (owner, path) = match &new.organization {
        Some(org) => (org.to_string(), Path::org(org).at("repos")),
        None => (own_name(&forge).await?, Path::of("user").at("repos")),
    };
    forge.may_touch(&owner, Some(&new.name))?;
    let different = |found: &Repository| {
        let there = &found.full_name;
        Error::argument("name", format!("there is a repository {there} already, and it is not like this"))
    };
    let there = Path::repo(&owner, &new.name);
    forge.make(path, &new, there, |found| new.is_like(found), different).await
}

impl New {
    fn is_like(&self, found: &Repository) -> bool {
        let same = |wanted: &Option<String>, is: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| *wanted == *is.as_deref().unwrap_or_default())
        };
        same(&self.description, &found.description)
            && same(&self.default_branch, &found.default_branch)
            && self.private.unwrap_or(false) == found.private
            && self.template.unwrap_or(false) == found.template.unwrap_or(false)
            && !found.fork
    }
}

async fn fork(forge: Forge, source: Source, target: Target) -> Result<Repository> {
    let from = Path::repo(&source.user, &source.repo);
    let name = target.name.as_ref().unwrap_or(&source.repo);
    if let Some(org) = &target.organization {
        forge.may_touch(org, Some(name))?;
    } else if forge.is_confined() {
        forge.may_touch(&own_name(&forge).await?, Some(name))?;
    }
    let refusal = match forge.post::<Repository>(from.at("forks"), &target).await {
        Ok(made) => return forge.get(Path::of("repos").below(&made.full_name)).await,
        Err(error) if error.status() == Some(StatusCode::CONFLICT) => error,
        Err(error) => return Err(error),
    };
    let owner = match &target.organization {
        Some(org) => org.to_string(),
        None => own_name(&forge).await?,
    };
    let there: Option<Repository> = forge.look(Path::repo(owner, name)).await?;
    let whole = format!("{}/{}", source.user, source.repo);
    let is_fork =
        |found: &Repository| found.parent.as_ref().is_some_and(|parent| parent.eq_ignore_ascii_case(&whole));
    there.filter(is_fork).ok_or(refusal)
}

/// The name of the token's user.
async fn own_name(forge: &Forge) -> Result<String> {
    Ok(forge.get::<User>(Path::of("user")).await?.login)
}

/// Gitea pages trees by a parameter of their own.
async fn tree(forge: Forge, repo: Repo, tree: Tree, paging: Paging) -> Result<Page<TreeEntry>> {
    #[derive(Serialize)]
    struct Query {
        recursive: bool,
        per_page: u32,
    }
    let paging = paging.usually(100).at_most(MOST_ENTRIES);
    let query = Query { recursive: tree.recursive.unwrap_or(false), per_page: paging.per_page()? };
    let path = repo.path().at("git").at("trees").at(tree.tree_sha);
    forge.list_in(path, "tree", &query, &paging).await
}
