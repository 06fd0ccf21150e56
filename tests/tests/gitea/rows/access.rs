//! Collaborators and deploy keys.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("collaborator_read", "list", [], list_collaborators),
        row!("collaborator_read", "get_permission", [], get_permission),
        row!("collaborator_write", "add", [], add_collaborator),
        row!("collaborator_write", "remove", [], remove_collaborator),
        row!("deploy_key_read", "list", [], list_keys),
        row!("deploy_key_read", "get", [], get_key),
        row!("deploy_key_write", "create", [], create_key),
        row!("deploy_key_write", "delete", [], delete_key),
    ]
}

async fn bob(lab: &Lab, permission: &str) -> Result<()> {
    let path = format!("/repos/alice/{}/collaborators/bob", lab.repo);
    lab.forge.put(&lab.alice().token, &path, json!({"permission": permission})).await?;
    Ok(())
}

async fn permission(lab: &Lab) -> Result<Value> {
    Ok(lab.get("/collaborators/bob/permission").await?["permission"].clone())
}

async fn list_collaborators(lab: &Lab) -> Result<()> {
    bob(lab, "read").await?;
    assert_eq!(lab.here(json!({})).await?["items"][0]["login"], "bob");
    Ok(())
}

async fn get_permission(lab: &Lab) -> Result<()> {
    bob(lab, "admin").await?;
    let got = lab.here(json!({"username": "bob"})).await?;
    assert_eq!((&got["permission"], &got["user"]), (&json!("admin"), &json!("bob")), "{got}");
    Ok(())
}

async fn add_collaborator(lab: &Lab) -> Result<()> {
    for level in ["read", "write", "admin"] {
        lab.here(json!({"username": "bob", "permission": level})).await?;
        assert_eq!(permission(lab).await?, level);
    }
    let error = lab.refused(json!({"username": "bob", "permission": "owner"})).await?;
    assert_eq!(error["details"]["field"], "permission", "{error}");
    lab.refused(json!({"username": "nobody", "permission": "read"})).await?;
    assert_eq!(permission(lab).await?, "admin");
    Ok(())
}

async fn remove_collaborator(lab: &Lab) -> Result<()> {
    bob(lab, "write").await?;
    lab.here(json!({"username": "bob"})).await?;
    assert_eq!(lab.status("/collaborators/bob").await?, 404);
    lab.refused(json!({"username": "bob"})).await?;
    Ok(())
}

/// An ed25519 key of this row's: no forge takes one twice.
fn key(lab: &Lab) -> String {
    use base64::Engine;
    let mut blob = vec![0, 0, 0, 11];
    blob.extend(b"ssh-ed25519");
    blob.extend([0, 0, 0, 32]);
    let mut point = [0x42; 32];
    point[..8].copy_from_slice(&(lab.number as u64 + 1).to_le_bytes());
    blob.extend(point);
    format!("ssh-ed25519 {}", base64::prelude::BASE64_STANDARD.encode(blob))
}

async fn made_key(lab: &Lab) -> Result<Value> {
    lab.post("/keys", json!({"title": "ci", "key": key(lab), "read_only": true})).await
}

async fn list_keys(lab: &Lab) -> Result<()> {
    made_key(lab).await?;
    let listed = lab.here(json!({})).await?;
    assert_eq!(
        (&listed["items"][0]["title"], &listed["items"][0]["key"]),
        (&json!("ci"), &json!(key(lab))),
        "{listed}"
    );
    Ok(())
}

async fn get_key(lab: &Lab) -> Result<()> {
    let id = made_key(lab).await?["id"].clone();
    assert_eq!(lab.here(json!({"id": id})).await?["title"], "ci");
    Ok(())
}

async fn create_key(lab: &Lab) -> Result<()> {
    let new = json!({"title": "ci", "key": key(lab)});
    let made = lab.here(new.clone()).await?;
    assert_eq!(lab.here(new).await?["id"], made["id"], "a retry makes no second one");
    let there = lab.get("/keys").await?;
    assert_eq!((there.as_array().map(Vec::len), &there[0]["read_only"]), (Some(1), &json!(true)), "{there}");
    let error = lab.refused(json!({"title": "ci", "key": key(lab), "read_only": false})).await?;
    assert_eq!(error["details"]["field"], "key", "{error}");
    lab.refused(json!({"title": "bad", "key": "none"})).await?;
    Ok(())
}

async fn delete_key(lab: &Lab) -> Result<()> {
    let id = made_key(lab).await?["id"].clone();
    lab.here(json!({"id": id})).await?;
    assert_eq!(lab.status(&format!("/keys/{id}")).await?, 404);
    lab.refused(json!({"id": id})).await?;
    Ok(())
}
