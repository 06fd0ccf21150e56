//! Who the token's user is, and who else there is.

use serde::Serialize;

use crate::client::path::Path;
use crate::error::Result;
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::user::{Organization, User};
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("get_me", "Who am I", "The user that the token belongs to.")
            .reads("", get_me)
            .classic("get_my_user_info"),
        Tool::new("get_user_orgs", "My organizations", "Organizations that the token's user belongs to.")
            .reads("", get_user_orgs)
            .classic("get_user_orgs"),
        Tool::new("get_gitea_mcp_server_version", "Versions", "Versions of this server and of the forge.")
            .reads("", get_gitea_mcp_server_version),
    ]
}

async fn get_me(forge: Forge) -> Result<User> {
    forge.get(Path::of("user")).await
}

async fn get_user_orgs(forge: Forge, paging: Paging) -> Result<Page<Organization>> {
    forge.list(Path::of("user").at("orgs"), &ALL, &paging).await
}

/// What is at work.
#[derive(Serialize)]
struct Versions {
    /// Of this server.
    version: &'static str,
    /// `Gitea 1.26.0`, `Forgejo 11.0.3+gitea-1.22.0`
    forge: String,
}

async fn get_gitea_mcp_server_version(forge: Forge) -> Result<Versions> {
    Ok(Versions { version: env!("CARGO_PKG_VERSION"), forge: forge.version().await?.to_string() })
}
