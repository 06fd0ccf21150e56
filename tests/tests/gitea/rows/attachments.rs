//! Files on issues and comments.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gantry_tests::wire;
use http::{Request, header};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::lab::{self, Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("attachment_read", "list", [], list),
        row!("attachment_read", "get", [], get),
        row!("attachment_read", "download", [], download),
    ]
}

const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";

/// Hangs a file on what is at `path` of the repository.
async fn attach(lab: &Lab, path: &str, name: &str, content: &[u8]) -> Result<Value> {
    let head =
        format!("--edge\r\nContent-Disposition: form-data; name=\"attachment\"; filename=\"{name}\"\r\n\r\n");
    let body = [head.as_bytes(), content, b"\r\n--edge--\r\n"].concat();
    let request = Request::post(format!("/api/v1/repos/alice/{}{path}/assets", lab.repo))
        .header(header::AUTHORIZATION, format!("token {}", lab.alice().token))
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge");
    let host = lab.forge.url.strip_prefix("http://").context("no http")?;
    let answer = wire::send(host, request.body(Full::new(body.into()))?).await?;
    ensure!(answer.status() == 201, "{} {:?}", answer.status(), answer.body());
    wire::json(&answer)
}

/// An issue and a comment on it: its number, and the comment's.
async fn issue(lab: &Lab) -> Result<(Value, Value)> {
    let number = lab.post("/issues", json!({"title": "an issue"})).await?["number"].clone();
    let comment = lab.post(&format!("/issues/{number}/comments"), json!({"body": "see"})).await?;
    Ok((number, comment["id"].clone()))
}

async fn list(lab: &Lab) -> Result<()> {
    let (number, comment) = issue(lab).await?;
    attach(lab, &format!("/issues/{number}"), "a.txt", b"text").await?;
    attach(lab, &format!("/issues/comments/{comment}"), "b.txt", b"text").await?;
    let all = lab.here(json!({"issue_number": number})).await?;
    assert_eq!((&all["items"][0]["name"], &all["items"][0]["size"]), (&json!("a.txt"), &json!(4)), "{all}");
    assert_eq!(all["total_count"], 1, "{all}");
    assert_eq!(lab.here(json!({"comment_id": comment})).await?["items"][0]["name"], "b.txt");
    for wrong in [json!({}), json!({"issue_number": number, "comment_id": comment})] {
        assert_eq!(lab.refused(wrong).await?["details"]["field"], "issue_number");
    }
    Ok(())
}

async fn get(lab: &Lab) -> Result<()> {
    let (number, _) = issue(lab).await?;
    let made = attach(lab, &format!("/issues/{number}"), "a.txt", b"text").await?;
    let found = lab.here(json!({"issue_number": number, "attachment_id": made["id"]})).await?;
    assert_eq!((&found["name"], &found["uuid"]), (&json!("a.txt"), &made["uuid"]), "{found}");
    let error = lab.refused(json!({"issue_number": number, "attachment_id": 999_999})).await?;
    assert_eq!(error["details"]["status"], 404, "{error}");
    Ok(())
}

async fn download(lab: &Lab) -> Result<()> {
    let (number, comment) = issue(lab).await?;
    let on_issue = format!("/issues/{number}");
    let text = attach(lab, &on_issue, "a.txt", "grüß\n".as_bytes()).await?;
    let found = lab.here(json!({"issue_number": number, "attachment_id": text["id"]})).await?;
    assert_eq!((&found["content"]["text"], &found["name"]), (&json!("grüß\n"), &json!("a.txt")), "{found}");
    let found = lab.here(json!({"attachment_uuid": text["uuid"]})).await?;
    assert_eq!(found["content"]["text"], "grüß\n", "{found}");

    let picture = attach(lab, &format!("/issues/comments/{comment}"), "a.png", PICTURE).await?;
    let seen = lab.content(json!({"comment_id": comment, "attachment_id": picture["id"]})).await?;
    let image = seen.iter().find(|block| block["type"] == "image").context("no picture")?;
    assert_eq!(
        (&image["data"], &image["mimeType"]),
        (&json!(BASE64_STANDARD.encode(PICTURE)), &json!("image/png"))
    );

    // What is neither goes to disk, once.
    let bytes: Vec<u8> = (0..=255u8).cycle().take(300_000).collect();
    let name = format!("{}.zip", lab.repo);
    let binary = attach(lab, &on_issue, &name, &bytes).await?;
    let wanted = json!({"issue_number": number, "attachment_id": binary["id"]});
    let saved = lab.here(wanted.clone()).await?;
    let path = saved["saved"]["path"].as_str().context("no path")?;
    assert_eq!(std::fs::read(lab.downloads.join(path))?, bytes, "{saved}");
    assert!(path.ends_with(&name), "{saved}");
    assert_eq!(lab.refused(wanted).await?["details"]["field"], "output_path");
    let to = |path: String| json!({"issue_number": number, "attachment_id": text["id"], "output_path": path});
    let path = format!("{}/b.txt", lab.repo);
    lab.here(to(path.clone())).await?;
    assert_eq!(std::fs::read(lab.downloads.join(path))?, "grüß\n".as_bytes());
    for out in ["../out.txt", "/tmp/out.txt"] {
        assert_eq!(lab.refused(to(out.into())).await?["details"]["field"], "output_path");
    }

    // No further than the operator lets it.
    let folder = tempfile::tempdir()?;
    let dir = folder.path().to_str().context("UTF-8")?;
    let small = lab::server(&lab.forge, &["--download-dir", dir, "--max-download-bytes", "299999"]).await?;
    let wanted = json!({
        "owner": "alice", "repo": lab.repo, "method": "download", "issue_number": number,
        "attachment_id": binary["id"], "output_path": "large.zip",
    });
    let (_, error) = lab::call(&small.host, "attachment_read", &wanted).await?;
    assert_eq!(error["details"]["setting"], "GANTRY_MAX_DOWNLOAD_BYTES", "{error}");
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);

    // Of another repository it is none of this one's.
    let other = format!("{}-other", lab.repo);
    lab.forge.repository(lab.alice(), &other).await?;
    let error = lab.refused(json!({"repo": other, "attachment_uuid": text["uuid"]})).await?;
    assert_eq!(error["details"]["status"], 404, "{error}");
    Ok(())
}
