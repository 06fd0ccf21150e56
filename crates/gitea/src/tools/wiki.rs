//! Pages of a repository's wiki, in plain text: base64 is for the wire.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kit::Text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::name::{PageTitle, Repo, Slashed};
use crate::model::wiki::{Known, PageText, Raw, Revision};
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("wiki_read", "Read a wiki", "Pages of a repository's wiki, by their title.")
            .reads("list", list)
            .classic("list_wiki_pages")
            .reads("get", get)
            .classic("get_wiki_page")
            .reads("get_revisions", get_revisions)
            .classic("get_wiki_revisions"),
        Tool::new(
            "wiki_write",
            "Change a wiki",
            "Creates (title), updates (title renames) or deletes wiki pages; content is plain text.",
        )
        .writes("create", create)
        .classic("create_wiki_page")
        .writes("update", update)
        .classic("update_wiki_page")
        .destroys("delete", delete)
        .classic("delete_wiki_page"),
    ]
}

/// Which page.
#[derive(Deserialize, JsonSchema)]
struct Which {
    #[serde(rename = "pageName")]
    page_name: Slashed,
}

/// Which part of it.
#[derive(Deserialize, JsonSchema)]
struct Part {
    /// first line to show
    from_line: Option<usize>,
}

/// A new page.
#[derive(Deserialize, JsonSchema)]
struct New {
    title: PageTitle,
    content: String,
    message: Option<String>,
}

/// What is to become of a page.
#[derive(Deserialize, JsonSchema)]
struct Edit {
    title: Option<PageTitle>,
    content: Option<String>,
    message: Option<String>,
}

/// A page as forges take it.
#[skip_serializing_none]
#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    content_base64: String,
    message: Option<String>,
}

async fn list(forge: Forge, repo: Repo, paging: Paging) -> Result<Page<Known>> {
    match forge.list(wiki(&repo).at("pages"), &ALL, &paging).await {
        Err(error) if error.is_missing() && has_wiki(&forge, &repo).await? => forge.cut(vec![], &paging),
        other => other,
    }
}

async fn has_wiki(forge: &Forge, repo: &Repo) -> Result<bool> {
    #[derive(Deserialize)]
    struct Units {
        has_wiki: bool,
    }
    Ok(forge.get::<Units>(repo.path()).await?.has_wiki)
}

async fn get(forge: Forge, repo: Repo, which: Which, part: Part) -> Result<PageText> {
    let page: Raw = forge.get(at(&repo, &find(&forge, &repo, &which.page_name).await?)).await?;
    let skipped = part.from_line.unwrap_or(1).saturating_sub(1);
    let rest: String = page.text()?.split_inclusive('\n').skip(skipped).collect();
    let mut content = Text::head(rest, forge.kit().text_limit(), "");
    let shown = skipped + content.text.lines().count();
    if let Some(truncated) = &mut content.truncated {
        truncated.next = format!("wiki_read get with from_line {}", shown + 1);
    }
    Ok(PageText { page: page.known, commit_count: page.commit_count, content })
}

/// Forges give fifty revisions at once, whatever they are asked for.
async fn get_revisions(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<Revision>> {
    let address = find(&forge, &repo, &which.page_name).await?;
    forge.list_in(wiki(&repo).at("revisions").at(address), "commits", &ALL, &paging.always(50)).await
}

async fn create(forge: Forge, repo: Repo, new: New) -> Result<Known> {
    if let Some(there) = titled(&forge, &repo, &new.title).await? {
        let page: Raw = forge.get(at(&repo, &there)).await?;
        return match page.text()? == new.content {
            true => Ok(page.known),
            false => Err(Error::argument(
                "title",
                format!("there is a page {} already, with other content; update it", page.known.title),
            )),
        };
    }
    forge.post(wiki(&repo).at("new"), &body(&new.title, &new.content, new.message)).await
}

/// Forges make a page that is not there, rename one to `unnamed` without a title, and write over the page of a new
/// title: none of it is meant by an update.
async fn update(forge: Forge, repo: Repo, which: Which, edit: Edit) -> Result<Known> {
    let path = at(&repo, &find(&forge, &repo, &which.page_name).await?);
    let page: Raw = forge.get(path.clone()).await?;
    let title = edit.title.as_deref().unwrap_or(&page.known.title);
    if title != page.known.title && titled(&forge, &repo, title).await?.is_some() {
        return Err(Error::argument("title", format!("there is a page {} already", kit::clip(title))));
    }
    let content = match edit.content {
        Some(content) => content,
        None => page.text()?,
    };
    forge.patch(path, &body(title, &content, edit.message)).await
}

async fn delete(forge: Forge, repo: Repo, which: Which) -> Result<Deleted> {
    forge.remove(at(&repo, &find(&forge, &repo, &which.page_name).await?)).await?;
    Ok(Deleted::of(&*which.page_name))
}

fn body<'a>(title: &'a str, content: &str, message: Option<String>) -> Body<'a> {
    Body { title, content_base64: BASE64_STANDARD.encode(content), message }
}

/// The address of a page. In it forges write a blank as a dash and mark titles that hold dashes (`a-b.-`), so that such
/// a name may be a title as well as an address, and of two pages: the title counts first.
async fn find(forge: &Forge, repo: &Repo, name: &str) -> Result<String> {
    if !name.contains(['-', '%']) && !name.ends_with(".md") {
        return Ok(name.to_owned());
    }
    let all = all(forge, repo).await?;
    let titled = all.iter().find(|page| page.title == name);
    match titled.or_else(|| all.iter().find(|page| page.sub_url == name || page.address() == name)) {
        Some(page) => Ok(page.address()),
        None => Err(Error::Unknown {
            field: "pageName".into(),
            what: "page",
            name: kit::clip(name),
            candidates: all.into_iter().take(20).map(|page| page.title).collect(),
        }),
    }
}

/// The address of the page of just this title, if there is one.
async fn titled(forge: &Forge, repo: &Repo, title: &str) -> Result<Option<String>> {
    let all = all(forge, repo).await?;
    Ok(all.iter().find(|page| page.title == title).map(Known::address))
}

/// All pages; a wiki is made with its first.
async fn all(forge: &Forge, repo: &Repo) -> Result<Vec<Known>> {
    match forge.whole(wiki(repo).at("pages"), &ALL).await {
        Err(error) if error.is_missing() && has_wiki(forge, repo).await? => Ok(vec![]),
        other => other,
    }
}

fn wiki(repo: &Repo) -> Path {
    repo.path().at("wiki")
}

fn at(repo: &Repo, address: &str) -> Path {
    wiki(repo).at("page").at(address)
}
