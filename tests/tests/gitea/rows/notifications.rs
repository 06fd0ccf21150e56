//! Notifications: bob is alice's colleague, and gives her reasons for some.

use anyhow::{Context, Result};
use http::Method;
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("notification_read", "list", [], list),
        row!("notification_read", "get", [], get),
        row!("notification_write", "mark_read", [], mark_read),
        row!("notification_write", "mark_all_read", [], mark_all_read),
    ]
}

/// Bob opens so many issues in alice's repository; her notifications of them, as Gitea has them.
async fn told(lab: &Lab, count: usize) -> Result<Vec<Value>> {
    let path = format!("/repos/alice/{}/issues", lab.repo);
    for number in 0..count {
        let issue = json!({"title": format!("trouble {number}"), "body": "@alice"});
        lab.forge.post(&lab.forge.user("bob").token, &path, issue).await?;
    }
    for _ in 0..200 {
        let unread = unread(lab).await?;
        if unread.len() >= count {
            return Ok(unread);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("no {count} notifications")
}

async fn unread(lab: &Lab) -> Result<Vec<Value>> {
    let all = lab.get("/notifications?status-types=unread").await?;
    Ok(all.as_array().context("a list")?.clone())
}

async fn list(lab: &Lab) -> Result<()> {
    told(lab, 2).await?;
    let listed = lab.here(json!({"status": "unread", "subject_type": "issue"})).await?;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2), "{listed}");
    let first = &listed["items"][0];
    assert_eq!(first["repository"], format!("alice/{}", lab.repo));
    assert_eq!((&first["subject"]["type"], &first["unread"]), (&json!("Issue"), &json!(true)), "{first}");
    let pulls = lab.here(json!({"subject_type": "pull"})).await?;
    assert_eq!(pulls["items"], json!([]), "{pulls}");
    let everywhere = lab.call(json!({"status": "all", "all": true})).await?;
    assert!(everywhere.to_string().contains(&lab.repo), "{everywhere}");
    assert_eq!(lab.refused(json!({"status": "new"})).await?["details"]["field"], "status");
    Ok(())
}

async fn get(lab: &Lab) -> Result<()> {
    let id = told(lab, 1).await?[0]["id"].clone();
    let got = lab.call(json!({"id": id})).await?;
    assert_eq!(got["subject"]["title"], "trouble 0", "{got}");
    Ok(())
}

async fn mark_read(lab: &Lab) -> Result<()> {
    let told = told(lab, 2).await?;
    let marked = lab.call(json!({"id": told[0]["id"]})).await?;
    assert_eq!(marked["unread"], false, "{marked}");
    let left = unread(lab).await?;
    assert_eq!((left.len(), &left[0]["id"]), (1, &told[1]["id"]));
    Ok(())
}

async fn mark_all_read(lab: &Lab) -> Result<()> {
    told(lab, 3).await?;
    let path = format!("/repos/alice/{}/notifications", lab.repo);
    let early = lab.here(json!({"last_read_at": "2020-01-01T00:00:00Z"})).await?;
    assert_eq!((&early["marked_read"], unread(lab).await?.len()), (&json!(0), 3), "{early}");
    let dry = lab.here(json!({"dry_run": true})).await?;
    assert_eq!((&dry["would"]["method"], &dry["would"]["path"]), (&json!("PUT"), &json!(path)), "{dry}");
    let marked = lab.here(json!({})).await?;
    assert_eq!((&marked["marked_read"], unread(lab).await?.len()), (&json!(3), 0), "{marked}");
    let (status, ..) = lab.forge.api(&lab.alice().token, Method::GET, &path, None).await?;
    assert_eq!(status, 200);
    Ok(())
}
