//! Who the token's user is.

use anyhow::Result;
use serde_json::json;

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("get_me", "", ["get_my_user_info"], get_me),
        row!("get_user_orgs", "", ["get_user_orgs"], get_user_orgs),
        row!("get_gitea_mcp_server_version", "", [], versions),
    ]
}

async fn get_me(lab: &Lab) -> Result<()> {
    assert_eq!(lab.call(json!({})).await?["login"], "alice");
    Ok(())
}

async fn get_user_orgs(lab: &Lab) -> Result<()> {
    let name = format!("org-{}", lab.number);
    lab.forge.post(&lab.alice().token, "/orgs", json!({"username": name})).await?;
    let mine = lab.call(json!({"all": true})).await?;
    let found = mine["items"].as_array().is_some_and(|all| all.iter().any(|org| org["name"] == name));
    assert!(found, "{mine}");
    Ok(())
}

async fn versions(lab: &Lab) -> Result<()> {
    let said = lab.call(json!({})).await?;
    let gitea = lab.forge.get(&lab.alice().token, "/version").await?;
    let gitea = gitea["version"].as_str().unwrap_or_default();
    assert_eq!(said, json!({"version": env!("CARGO_PKG_VERSION"), "forge": format!("Gitea {gitea}")}));
    Ok(())
}
