//! Who and what may reach a repository: collaborators and deploy keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::access::{DeployKey, Level, Permission};
use crate::model::name::{Name, Repo};
use crate::model::user::User;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("collaborator_read", "Read collaborators", "Collaborators, and what a user may do.")
            .reads("list", list_collaborators)
            .reads("get_permission", get_permission),
        Tool::new(
            "collaborator_write",
            "Change collaborators",
            "Adds (or changes) and removes collaborators.",
        )
        .writes("add", add_collaborator)
        .destroys("remove", remove_collaborator),
        Tool::new("deploy_key_read", "Read deploy keys", "SSH keys of a repository.")
            .reads("list", list_keys)
            .reads("get", get_key),
        Tool::new("deploy_key_write", "Change deploy keys", "Adds and deletes SSH keys of a repository.")
            .writes("create", create_key)
            .destroys("delete", delete_key),
    ]
}

/// Who.
#[derive(Deserialize, JsonSchema)]
struct Who {
    username: Name,
}

/// What a collaborator may do.
#[derive(Deserialize, Serialize, JsonSchema)]
struct Grant {
    permission: Level,
}

/// Which key.
#[derive(Deserialize, JsonSchema)]
struct Which {
    id: u64,
}

/// A new key.
#[derive(Deserialize, Serialize, JsonSchema)]
struct NewKey {
    title: String,
    key: String,
    /// default true
    #[serde(default = "yes")]
    read_only: bool,
}

fn yes() -> bool {
    true
}

async fn list_collaborators(forge: Forge, repo: Repo, paging: Paging) -> Result<Page<User>> {
    forge.list(collaborators(&repo), &ALL, &paging).await
}

async fn get_permission(forge: Forge, repo: Repo, who: Who) -> Result<Permission> {
    forge.get(collaborators(&repo).at(&who.username).at("permission")).await
}

async fn add_collaborator(forge: Forge, repo: Repo, who: Who, grant: Grant) -> Result<Permission> {
    let path = collaborators(&repo).at(&who.username);
    forge.change(http::Method::PUT, &path, &grant).await?;
    forge.get(path.at("permission")).await
}

async fn remove_collaborator(forge: Forge, repo: Repo, who: Who) -> Result<Deleted> {
    forge.remove(collaborators(&repo).at(&who.username)).await?;
    Ok(Deleted::of(who.username))
}

async fn list_keys(forge: Forge, repo: Repo, paging: Paging) -> Result<Page<DeployKey>> {
    forge.list(keys(&repo), &ALL, &paging).await
}

async fn get_key(forge: Forge, repo: Repo, which: Which) -> Result<DeployKey> {
    forge.get(keys(&repo).at(which.id)).await
}

async fn create_key(forge: Forge, repo: Repo, new: NewKey) -> Result<DeployKey> {
    let there: Vec<DeployKey> = forge.whole(keys(&repo), &ALL).await?;
    match there.into_iter().find(|key| key.is(&new.key)) {
        Some(key) if key.title == new.title && key.read_only == new.read_only => Ok(key),
        Some(key) => Err(Error::argument(
            "key",
            format!(
                "this key is there already, with id {} as {:?}, and not like this; delete it first",
                key.id, key.title
            ),
        )),
        None => forge.post(keys(&repo), &new).await,
    }
}

async fn delete_key(forge: Forge, repo: Repo, which: Which) -> Result<Deleted> {
    forge.remove(keys(&repo).at(which.id)).await?;
    Ok(Deleted::of(which.id))
}

fn collaborators(repo: &Repo) -> Path {
    repo.path().at("collaborators")
}

fn keys(repo: &Repo) -> Path {
    repo.path().at("keys")
}
