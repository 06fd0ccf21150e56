//! Organisations.

mod teams;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::name::{Name, Org};
use crate::model::user::{Organization, User};
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("org_read", "Read organizations", "Organizations, their members and teams (by name).")
            .reads("list", list)
            .reads("get", get)
            .reads("list_members", list_members)
            .reads("list_teams", teams::list)
            .reads("get_team", teams::get)
            .reads("list_team_members", teams::list_members)
            .reads("list_team_repos", teams::list_repos),
        Tool::new(
            "org_write",
            "Change organizations",
            "Organizations and their teams (by name), who is in them and which repositories they reach.",
        )
        .writes("create", create)
        .writes("edit", edit)
        .destroys("delete", delete)
        .destroys("remove_member", remove_member)
        .writes("create_team", teams::create)
        .writes("edit_team", teams::edit)
        .destroys("delete_team", teams::delete)
        .writes("add_team_member", teams::add_member)
        .destroys("remove_team_member", teams::remove_member)
        .writes("add_team_repo", teams::add_repo)
        .destroys("remove_team_repo", teams::remove_repo),
    ]
}

/// Who.
#[derive(Deserialize, JsonSchema)]
struct Who {
    username: Name,
}

/// What an organisation is like.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Profile {
    full_name: Option<String>,
    description: Option<String>,
    website: Option<String>,
    location: Option<String>,
    email: Option<String>,
    /// public, limited, private
    visibility: Option<String>,
}

/// A new one.
#[derive(Serialize)]
struct New<'a> {
    username: &'a str,
    #[serde(flatten)]
    profile: &'a Profile,
}

async fn list(forge: Forge, paging: Paging) -> Result<Page<Organization>> {
    let page = forge.list(Path::of("orgs"), &ALL, &paging).await?;
    Ok(forge.owners_within_reach(page, |org: &Organization| &org.name))
}

async fn get(forge: Forge, org: Org) -> Result<Organization> {
    forge.get(org.path()).await
}

async fn list_members(forge: Forge, org: Org, paging: Paging) -> Result<Page<User>> {
    forge.list(org.path().at("members"), &ALL, &paging).await
}

async fn create(forge: Forge, org: Org, profile: Profile) -> Result<Organization> {
    forge.may_touch(&org.org, None)?;
    if forge.knows(&org.path()).await? {
        let message = format!("there is an organization {} already; edit it", kit::clip(&org.org));
        return Err(Error::argument("org", message));
    }
    forge.post(Path::of("orgs"), &New { username: &org.org, profile: &profile }).await
}

async fn edit(forge: Forge, org: Org, profile: Profile) -> Result<Organization> {
    forge.patch(org.path(), &profile).await
}

async fn delete(forge: Forge, org: Org) -> Result<Deleted> {
    forge.remove(org.path()).await?;
    Ok(Deleted::of(org.org))
}

async fn remove_member(forge: Forge, org: Org, who: Who) -> Result<Deleted> {
    forge.remove(org.path().at("members").at(&who.username)).await?;
    Ok(Deleted::of(who.username))
}
