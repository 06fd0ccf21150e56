//! Tags.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("create_tag", "", ["create_tag"], create_tag),
        row!("delete_tag", "", ["delete_tag"], delete_tag),
        row!("get_tag", "", ["get_tag"], get_tag),
        row!("list_tags", "", ["list_tags"], list_tags),
    ]
}

async fn tag(lab: &Lab, name: &str) -> Result<Value> {
    lab.post("/tags", json!({"tag_name": name, "message": "said"})).await
}

async fn create_tag(lab: &Lab) -> Result<()> {
    let main = lab.get("/branches/main").await?["commit"]["id"].clone();
    let new = json!({"tag_name": "v/1", "target": "main", "message": "the first"});
    lab.here(new.clone()).await?;
    let there = lab.get("/tags/v/1").await?;
    assert_eq!(
        (&there["commit"]["sha"], there["message"].as_str().map(str::trim)),
        (&main, Some("the first"))
    );
    assert_eq!(lab.here(new).await?["id"], there["id"], "a retry succeeds");
    let blanks = json!({"tag_name": "v/2", "target": "main", "message": "one \r\n\r\ntwo  "});
    assert_eq!(lab.here(blanks.clone()).await?["id"], lab.here(blanks).await?["id"]);
    for name in ["rel/1 0", "x..y", ".x", "x.lock", "a/", "x^", "@", "x@{1}", "x."] {
        let error = lab.refused(json!({"tag_name": name, "target": "main"})).await?;
        assert_eq!(error["details"]["field"], "tag_name", "{name}: {error}");
    }
    lab.forge.push(lab.alice(), &format!("alice/{}", lab.repo), "main", &[("file", b"x")]).await?;
    for other in [json!({"tag_name": "v/1"}), json!({"tag_name": "v/1", "target": main, "message": "other"})]
    {
        assert_eq!(lab.refused(other).await?["details"]["field"], "tag_name");
    }
    assert_eq!(lab.refused(json!({"tag_name": "v2", "target": "nowhere"})).await?["details"]["status"], 404);
    Ok(())
}

async fn delete_tag(lab: &Lab) -> Result<()> {
    tag(lab, "v1").await?;
    lab.here(json!({"tag_name": "v1"})).await?;
    assert_eq!(lab.status("/tags/v1").await?, 404);
    assert_eq!(lab.refused(json!({"tag_name": "v1"})).await?["details"]["status"], 404);
    lab.post("/releases", json!({"tag_name": "v2", "target_commitish": "main"})).await?;
    assert_eq!(lab.refused(json!({"tag_name": "v2"})).await?["details"]["status"], 409, "a release has it");
    Ok(())
}

async fn get_tag(lab: &Lab) -> Result<()> {
    let made = tag(lab, "v1").await?;
    let got = lab.here(json!({"tag_name": "v1"})).await?;
    assert_eq!((&got["id"], &got["commit"]["sha"]), (&made["id"], &made["commit"]["sha"]));
    Ok(())
}

async fn list_tags(lab: &Lab) -> Result<()> {
    for number in 1..=22 {
        tag(lab, &format!("v{number}")).await?;
    }
    let first = lab.here(json!({})).await?;
    let count = |page: &Value| page["items"].as_array().map_or(0, Vec::len);
    assert_eq!((count(&first), &first["total_count"]), (20, &json!(22)));
    let rest = lab.here(json!({"cursor": first["next_cursor"]})).await?;
    assert_eq!((count(&rest), &rest["has_next"]), (2, &json!(false)));
    Ok(())
}
