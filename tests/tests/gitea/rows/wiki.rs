//! Pages of wikis, whose titles hold what titles hold.

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

/// A title with a slash, blanks and an umlaut; the second has a dash where the first has a blank.
const TITLES: [&str; 2] = ["Über uns/Seite 1", "Über uns/Seite-1"];
/// Their addresses, as Gitea writes them.
const ADDRESSES: [&str; 2] = ["%C3%9Cber-uns%2FSeite-1", "%C3%9Cber+uns%2FSeite-1.-"];

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("wiki_read", "list", ["list_wiki_pages"], list),
        row!("wiki_read", "get", ["get_wiki_page"], get),
        row!("wiki_read", "get_revisions", ["get_wiki_revisions"], get_revisions),
        row!("wiki_write", "create", ["create_wiki_page"], create),
        row!("wiki_write", "update", ["update_wiki_page"], update),
        row!("wiki_write", "delete", ["delete_wiki_page"], delete),
    ]
}

async fn page(lab: &Lab, title: &str, content: &str) -> Result<Value> {
    lab.post("/wiki/new", json!({"title": title, "content_base64": BASE64_STANDARD.encode(content)})).await
}

/// What Gitea itself has at an address.
async fn content(lab: &Lab, address: &str) -> Result<String> {
    let page = lab.get(&format!("/wiki/page/{address}")).await?;
    let content = page["content_base64"].as_str().context("no content")?;
    Ok(String::from_utf8(BASE64_STANDARD.decode(content)?)?)
}

async fn list(lab: &Lab) -> Result<()> {
    assert_eq!(lab.here(json!({})).await?["items"], json!([]), "a wiki without pages");
    for title in TITLES {
        page(lab, title, "x").await?;
    }
    let listed = lab.here(json!({})).await?;
    let mut titles: Vec<_> = listed["items"]
        .as_array()
        .context("items")?
        .iter()
        .filter_map(|page| page["title"].as_str())
        .collect();
    titles.sort_unstable();
    assert_eq!(titles, TITLES, "{listed}");
    lab.refused(json!({"repo": "none"})).await?;
    Ok(())
}

async fn get(lab: &Lab) -> Result<()> {
    for title in TITLES {
        page(lab, title, &format!("# {title}\nline\n")).await?;
    }
    for title in TITLES {
        let got = lab.here(json!({"pageName": title})).await?;
        assert_eq!(got["content"]["text"], format!("# {title}\nline\n"), "{got}");
    }
    let rest = lab.here(json!({"pageName": TITLES[0], "from_line": 2})).await?;
    assert_eq!(rest["content"], json!({"text": "line\n"}), "{rest}");
    page(lab, "C++ & 50%.md", "odd").await?;
    assert_eq!(lab.here(json!({"pageName": "C++ & 50%.md"})).await?["content"]["text"], "odd");
    page(lab, "日本 100%", "odd").await?;
    for known in lab.get("/wiki/pages").await?.as_array().into_iter().flatten() {
        let got = lab.here(json!({"pageName": known["sub_url"]})).await?;
        assert_eq!(got["title"], known["title"], "{known}");
    }
    lab.refused(json!({"pageName": "none"})).await?;
    lab.refused(json!({"pageName": "../secret"})).await?;
    Ok(())
}

async fn get_revisions(lab: &Lab) -> Result<()> {
    page(lab, TITLES[0], "one").await?;
    let edit =
        json!({"title": TITLES[0], "content_base64": BASE64_STANDARD.encode("two"), "message": "again"});
    let path = format!("/repos/alice/{}/wiki/page/{}", lab.repo, ADDRESSES[0]);
    lab.forge.patch(&lab.alice().token, &path, edit).await?;
    let revisions = lab.here(json!({"pageName": TITLES[0]})).await?;
    assert_eq!(revisions["total_count"], 2, "{revisions}");
    assert_eq!(revisions["items"][0]["message"], "again\n", "{revisions}");
    Ok(())
}

async fn create(lab: &Lab) -> Result<()> {
    for (title, address) in TITLES.into_iter().zip(ADDRESSES) {
        let new = json!({"title": title, "content": "grün\n", "message": "first"});
        lab.here(new.clone()).await?;
        assert_eq!(content(lab, address).await?, "grün\n");
        lab.here(new).await.context("a retry")?;
    }
    let revisions = lab.get(&format!("/wiki/revisions/{}", ADDRESSES[0])).await?;
    assert_eq!(revisions["count"], 1, "a retry changes nothing");
    lab.refused(json!({"title": TITLES[0], "content": "other"})).await?;
    assert_eq!(content(lab, ADDRESSES[0]).await?, "grün\n");
    Ok(())
}

async fn update(lab: &Lab) -> Result<()> {
    for title in TITLES {
        page(lab, title, "old").await?;
    }
    for (title, address) in TITLES.into_iter().zip(ADDRESSES) {
        lab.here(json!({"pageName": title, "content": "new"})).await?;
        assert_eq!(content(lab, address).await?, "new");
    }
    lab.here(json!({"pageName": TITLES[1], "title": "Home"})).await?;
    assert_eq!(content(lab, "Home").await?, "new", "a rename keeps the content");
    assert_eq!(lab.status(&format!("/wiki/page/{}", ADDRESSES[1])).await?, 404);
    for title in [TITLES[0].to_owned(), format!(" {} ", TITLES[0]), String::new(), " ".into(), "../x".into()]
    {
        let error = lab.refused(json!({"pageName": "Home", "title": title, "content": "lost"})).await?;
        assert_eq!(error["details"]["field"], "title", "{title:?}: {error}");
    }
    assert_eq!(
        (content(lab, "Home").await?, content(lab, ADDRESSES[0]).await?),
        ("new".into(), "new".into())
    );
    lab.refused(json!({"pageName": "none", "content": "x"})).await?;
    assert_eq!(lab.get("/wiki/pages").await?.as_array().map(Vec::len), Some(2));
    Ok(())
}

async fn delete(lab: &Lab) -> Result<()> {
    for title in TITLES {
        page(lab, title, "x").await?;
    }
    lab.here(json!({"pageName": TITLES[1]})).await?;
    assert_eq!(lab.status(&format!("/wiki/page/{}", ADDRESSES[1])).await?, 404);
    assert_eq!(content(lab, ADDRESSES[0]).await?, "x", "the other stays");
    lab.refused(json!({"pageName": TITLES[1]})).await?;
    assert_eq!(content(lab, ADDRESSES[0]).await?, "x", "it is not mistaken for the other");
    Ok(())
}
