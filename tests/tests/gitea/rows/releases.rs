//! Releases and the files attached to them.

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("create_release", "", ["create_release"], create_release),
        row!("delete_release", "", ["delete_release"], delete_release),
        row!("get_release", "", ["get_release"], get_release),
        row!("get_latest_release", "", ["get_latest_release"], get_latest_release),
        row!("list_releases", "", ["list_releases"], list_releases),
        row!("release_read", "get_by_tag", [], get_by_tag),
        row!("release_read", "list_assets", [], list_assets),
        row!("release_write", "edit", [], edit),
        row!("release_write", "upload_asset", [], upload_asset),
        row!("release_write", "delete_asset", [], delete_asset),
    ]
}

async fn release(lab: &Lab, tag: &str) -> Result<Value> {
    lab.post("/releases", json!({"tag_name": tag, "name": format!("Release {tag}"), "body": "notes"})).await
}

async fn create_release(lab: &Lab) -> Result<()> {
    let new =
        json!({"tag_name": "v1", "target": "main", "title": "One", "body": "notes", "is_pre_release": true});
    let made = lab.here(new.clone()).await?;
    let there = lab.get("/releases/tags/v1").await?;
    assert_eq!(
        (&there["id"], &there["name"], &there["body"], &there["prerelease"]),
        (&made["id"], &json!("One"), &json!("notes"), &json!(true))
    );
    assert_eq!(lab.status("/tags/v1").await?, 200);
    assert_eq!(lab.here(new).await?["id"], made["id"], "a retry makes no second one");
    let error = lab.refused(json!({"tag_name": "v1", "target": "main", "title": "Other"})).await?;
    assert_eq!(error["details"]["field"], "tag_name", "{error}");
    let draft = json!({"tag_name": "v2", "target": "main", "title": "Two", "is_draft": true});
    assert_eq!(lab.here(draft.clone()).await?["id"], lab.here(draft).await?["id"]);
    assert_eq!(lab.status("/tags/v2").await?, 404, "a draft has no tag yet");
    let keyed = json!({"tag_name": "v4", "target": "main", "title": "Four", "idempotency_key": "four"});
    let made = lab.here(keyed.clone()).await?;
    let edited = format!("/repos/alice/{}/releases/{}", lab.repo, made["id"]);
    lab.forge.patch(&lab.alice().token, &edited, json!({"name": "renamed since"})).await?;
    assert_eq!(lab.here(keyed).await?["id"], made["id"], "the key finds it again");
    let other = json!({"tag_name": "v5", "target": "main", "title": "Five", "idempotency_key": "four"});
    assert_eq!(lab.refused(other).await?["details"]["field"], "idempotency_key");
    lab.post("/tags", json!({"tag_name": "tagged", "target": "main"})).await?;
    for tag in ["v3", "tagged"] {
        let nowhere = json!({"tag_name": tag, "target": "nowhere", "title": "Three"});
        assert_eq!(lab.refused(nowhere).await?["details"]["status"], 404, "{tag}");
        assert_eq!(lab.status(&format!("/releases/tags/{tag}")).await?, 404, "{tag}");
    }
    for title in [" ", &"x".repeat(256)] {
        let new = json!({"tag_name": "v3", "target": "main", "title": title});
        assert_eq!(lab.refused(new).await?["details"]["field"], "title");
    }
    Ok(())
}

async fn delete_release(lab: &Lab) -> Result<()> {
    let id = release(lab, "v1").await?["id"].clone();
    lab.here(json!({"id": id})).await?;
    assert_eq!(lab.status(&format!("/releases/{id}")).await?, 404);
    assert_eq!(lab.status("/tags/v1").await?, 200, "the tag stays");
    assert_eq!(lab.refused(json!({"id": id})).await?["details"]["status"], 404);
    Ok(())
}

async fn get_release(lab: &Lab) -> Result<()> {
    let id = release(lab, "v1").await?["id"].clone();
    let got = lab.here(json!({"id": id})).await?;
    assert_eq!((&got["tag_name"], &got["title"]), (&json!("v1"), &json!("Release v1")), "{got}");
    Ok(())
}

async fn get_latest_release(lab: &Lab) -> Result<()> {
    assert_eq!(lab.refused(json!({})).await?["details"]["status"], 404);
    release(lab, "v1").await?;
    lab.post("/releases", json!({"tag_name": "v2", "name": "draft", "draft": true})).await?;
    assert_eq!(lab.here(json!({})).await?["tag_name"], "v1");
    Ok(())
}

async fn list_releases(lab: &Lab) -> Result<()> {
    release(lab, "v1").await?;
    lab.post("/releases", json!({"tag_name": "v2", "name": "draft", "draft": true})).await?;
    let long = json!({"tag_name": "v3", "name": "long", "body": "word ".repeat(1000), "prerelease": true});
    lab.post("/releases", long).await?;
    let all = lab.here(json!({})).await?;
    assert_eq!((all["items"].as_array().map(Vec::len), &all["total_count"]), (Some(3), &json!(3)), "{all}");
    let draft = lab.here(json!({"is_draft": true})).await?;
    assert_eq!((&draft["items"][0]["tag_name"], &draft["total_count"]), (&json!("v2"), &json!(1)), "{draft}");
    let pre = lab.here(json!({"is_pre_release": true})).await?;
    assert!(pre["items"][0]["body"].as_str().is_some_and(|it| it.ends_with("more: get_release]")), "{pre}");
    Ok(())
}

async fn get_by_tag(lab: &Lab) -> Result<()> {
    let id = release(lab, "v/1").await?["id"].clone();
    assert_eq!(lab.here(json!({"tag_name": "v/1"})).await?["id"], id);
    Ok(())
}

/// A release with one file; their ids.
async fn with_asset(lab: &Lab) -> Result<(Value, Value)> {
    let id = release(lab, "v1").await?["id"].clone();
    let path = format!("/repos/alice/{}/releases/{id}/assets?name=a.json", lab.repo);
    let (status, _, made) = lab.forge.api(&lab.alice().token, Method::POST, &path, Some(json!({}))).await?;
    assert_eq!(status, 201, "{made}");
    Ok((id, made["id"].clone()))
}

async fn list_assets(lab: &Lab) -> Result<()> {
    let (id, asset) = with_asset(lab).await?;
    let all = lab.here(json!({"id": id})).await?;
    assert_eq!((&all["items"][0]["id"], &all["items"][0]["name"]), (&asset, &json!("a.json")), "{all}");
    Ok(())
}

async fn edit(lab: &Lab) -> Result<()> {
    let id = release(lab, "v1").await?["id"].clone();
    lab.here(json!({"id": id, "title": "Better", "is_pre_release": true})).await?;
    let there = lab.get(&format!("/releases/{id}")).await?;
    assert_eq!(
        (&there["name"], &there["prerelease"], &there["body"]),
        (&json!("Better"), &json!(true), &json!("notes"))
    );
    Ok(())
}

async fn upload_asset(lab: &Lab) -> Result<()> {
    let id = release(lab, "v1").await?["id"].clone();
    let bytes = b"\x00\x01\xff binary";
    let new = json!({"id": id, "name": "a b.bin", "content": BASE64_STANDARD.encode(bytes)});
    lab.here(new.clone()).await?;
    let there = lab.get(&format!("/releases/{id}/assets")).await?;
    assert_eq!((&there[0]["name"], &there[0]["size"]), (&json!("a b.bin"), &json!(bytes.len())), "{there}");
    assert_eq!(lab.refused(new).await?["details"]["field"], "name", "no second one");
    let error = lab.refused(json!({"id": id, "name": "x", "content": "no base64!"})).await?;
    assert_eq!(error["details"]["field"], "content", "{error}");
    Ok(())
}

async fn delete_asset(lab: &Lab) -> Result<()> {
    let (id, asset) = with_asset(lab).await?;
    lab.here(json!({"id": id, "asset_id": asset})).await?;
    assert_eq!(lab.get(&format!("/releases/{id}/assets")).await?, json!([]));
    assert_eq!(lab.refused(json!({"id": id, "asset_id": asset})).await?["details"]["status"], 404);
    Ok(())
}
