//! Packages, published the way Gitea's generic registry takes them.

use anyhow::{Result, ensure};
use http::Method;
use serde_json::json;

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("package_read", "list", [], list),
        row!("package_read", "list_versions", [], list_versions),
        row!("package_read", "get", [], get),
        row!("package_write", "delete", [], delete),
    ]
}

/// Publishes versions of a package of alice's; its name.
#[expect(clippy::disallowed_methods, reason = "a test asks Gitea itself")]
async fn package(lab: &Lab, versions: &[&str]) -> Result<String> {
    let name = format!("tool-{}", lab.number);
    for version in versions {
        let url = format!("{}/api/packages/alice/generic/{name}/{version}/tool.txt", lab.forge.url);
        let token = format!("token {}", lab.alice().token);
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer =
            client.put(url).header("authorization", token).body(format!("v{version}")).send().await?;
        ensure!(answer.status() == 201, "{}", answer.text().await?);
    }
    Ok(name)
}

async fn list(lab: &Lab) -> Result<()> {
    let name = package(lab, &["1.0.0"]).await?;
    let listed = lab.call(json!({"owner": "alice", "type": "generic", "q": name})).await?;
    let first = &listed["items"][0];
    assert_eq!((&first["name"], &first["version"]), (&json!(name), &json!("1.0.0")), "{listed}");
    let others = lab.call(json!({"owner": "alice", "type": "npm", "q": name})).await?;
    assert_eq!(others["items"], json!([]));
    Ok(())
}

async fn list_versions(lab: &Lab) -> Result<()> {
    let name = package(lab, &["1.0.0", "1.1.0"]).await?;
    let listed = lab.call(json!({"owner": "alice", "type": "generic", "name": name})).await?;
    assert_eq!(
        (&listed["total_count"], &listed["items"][0]["version"]),
        (&json!(2), &json!("1.1.0")),
        "{listed}"
    );
    Ok(())
}

async fn get(lab: &Lab) -> Result<()> {
    let name = package(lab, &["1.0.0"]).await?;
    let which = json!({"owner": "alice", "type": "generic", "name": name, "version": "1.0.0"});
    let got = lab.call(which).await?;
    assert_eq!(
        (&got["files"][0]["name"], &got["files"][0]["size"]),
        (&json!("tool.txt"), &json!(6)),
        "{got}"
    );
    Ok(())
}

async fn delete(lab: &Lab) -> Result<()> {
    let name = package(lab, &["1.0.0", "1.1.0"]).await?;
    let which = json!({"owner": "alice", "type": "generic", "name": name, "version": "1.0.0"});
    lab.call(which.clone()).await?;
    let path = format!("/packages/alice/generic/{name}");
    let status = |version: &str| {
        let path = format!("{path}/{version}");
        async move { anyhow::Ok(lab.forge.api(&lab.alice().token, Method::GET, &path, None).await?.0.as_u16()) }
    };
    assert_eq!((status("1.0.0").await?, status("1.1.0").await?), (404, 200));
    assert!(lab.call(which).await.is_err(), "it is gone");
    Ok(())
}
