//! Tags.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::commit::Tag;
use crate::model::name::{NewRef, Repo, Slashed};
use crate::model::{Deleted, brief};
use crate::tool::Tool;
use crate::tools::commits;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "create_tag",
            "Create tag",
            "Tags target, a branch or commit; annotated if there is a message.",
        )
        .writes("", create)
        .classic("create_tag"),
        Tool::new("delete_tag", "Delete tag", "Deletes a tag that no release uses.")
            .destroys("", delete)
            .classic("delete_tag"),
        Tool::new("get_tag", "Read tag", "A tag and its commit.").reads("", get).classic("get_tag"),
        Tool::new("list_tags", "List tags", "Tags, the newest first.").reads("", list).classic("list_tags"),
    ]
}

#[derive(Deserialize, JsonSchema)]
struct New {
    tag_name: NewRef,
    target: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Which {
    tag_name: Slashed,
}

async fn list(forge: Forge, repo: Repo, paging: Paging) -> Result<Page<Tag>> {
    let mut page: Page<Tag> = forge.list(repo.path().at("tags"), &ALL, &paging.usually(20)).await?;
    for message in page.items.iter_mut().filter_map(|tag| tag.message.as_mut()) {
        brief::in_list(message, "get_tag");
    }
    Ok(page)
}

async fn get(forge: Forge, repo: Repo, which: Which) -> Result<Tag> {
    let mut tag: Tag = forge.get(repo.path().at("tags").below(&which.tag_name)).await?;
    if let Some(message) = &mut tag.message {
        brief::cut(message, forge.kit().text_limit() / 2, "git shows them");
    }
    Ok(tag)
}

async fn create(forge: Forge, repo: Repo, new: New) -> Result<Tag> {
    #[skip_serializing_none]
    #[derive(Serialize)]
    struct Body<'a> {
        tag_name: &'a str,
        target: &'a str,
        message: Option<&'a str>,
    }
    let target = commits::resolve(&forge, &repo, new.target.as_deref()).await?;
    let message = new.message.as_deref();
    // git keeps no blanks at the ends of lines.
    let lines = |text: &str| text.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let alike = |there: &Tag| {
        let says = lines(there.message.as_deref().unwrap_or_default());
        there.commit.sha == target && message.is_none_or(|message| lines(message) == says)
    };
    let different = |there: &Tag| {
        let (name, at) = (&there.name, &there.commit.sha);
        Error::argument(
            "tag_name",
            format!("there is a tag {name} already, at {at}, and it is not like this"),
        )
    };
    let path = repo.path().at("tags");
    let there = path.clone().below(&new.tag_name);
    let body = Body { tag_name: &new.tag_name, target: &target, message };
    forge.make(path, &body, there, alike, different).await
}

async fn delete(forge: Forge, repo: Repo, which: Which) -> Result<Deleted> {
    let path = repo.path().at("tags").below(&which.tag_name);
    let there: Tag = forge.get(path.clone()).await?;
    forge.delete(path.clone(), &ALL).await?;
    match forge.look::<Tag>(path).await? {
        None => Ok(Deleted::of(there.name)),
        Some(_) => Err(Error::Unexpected(format!("the tag {} is still there", there.name))),
    }
}
