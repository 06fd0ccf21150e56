//! Branches.

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::commit::Branch;
use crate::model::name::{NewRef, Repo, Slashed};
use crate::tool::Tool;
use crate::tools::commits;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "create_branch",
            "Create branch",
            "Creates a branch from old_branch, a branch, tag or commit.",
        )
        .writes("", create)
        .classic("create_branch"),
        Tool::new("delete_branch", "Delete branch", "Deletes a branch, if it still is at expected_sha.")
            .destroys("", delete)
            .classic("delete_branch"),
        Tool::new("list_branches", "List branches", "Branches of a repository.")
            .reads("", list)
            .classic("list_branches"),
        Tool::new("rename_branch", "Rename branch", "Renames a branch.").writes("", rename).since(1, 23),
    ]
}

#[derive(Deserialize, JsonSchema)]
struct New {
    branch: NewRef,
    old_branch: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Old {
    branch: Slashed,
    expected_sha: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Renamed {
    branch: Slashed,
    new_name: NewRef,
}

async fn list(forge: Forge, repo: Repo, paging: Paging) -> Result<Page<Branch>> {
    forge.list(repo.path().at("branches"), &ALL, &paging).await
}

async fn create(forge: Forge, repo: Repo, new: New) -> Result<Branch> {
    #[derive(Serialize)]
    struct Body<'a> {
        new_branch_name: &'a str,
        old_ref_name: &'a str,
    }
    let from = commits::resolve(&forge, &repo, new.old_branch.as_deref()).await?;
    let path = repo.path().at("branches");
    let body = Body { new_branch_name: &new.branch, old_ref_name: &from };
    let different = |there: &Branch| {
        let (name, at) = (&there.name, &there.commit.id);
        Error::argument("branch", format!("there is a branch {name} already, at {at} instead of {from}"))
    };
    let there = path.clone().below(&new.branch);
    forge.make(path, &body, there, |there: &Branch| there.commit.id == from, different).await
}

async fn delete(forge: Forge, repo: Repo, old: Old) -> Result<Deleted> {
    let path = repo.path().at("branches").below(&old.branch);
    let there: Branch = forge.get(path.clone()).await?;
    if let Some(expected) = old.expected_sha.filter(|expected| *expected != there.commit.id) {
        let what = format!("the last commit of {}", there.name);
        return Err(Error::Changed { field: "expected_sha", what, is: there.commit.id, expected });
    }
    forge.delete(path.clone(), &ALL).await?;
    match forge.look::<Branch>(path).await? {
        None => Ok(Deleted::of(there.name)),
        Some(_) => Err(Error::Unexpected(format!("the branch {} is still there", there.name))),
    }
}

async fn rename(forge: Forge, repo: Repo, renamed: Renamed) -> Result<Branch> {
    #[derive(Serialize)]
    struct Body<'a> {
        name: &'a str,
    }
    let branches = repo.path().at("branches");
    let path = branches.clone().below(&renamed.branch);
    forge.change(Method::PATCH, &path, &Body { name: &renamed.new_name }).await?;
    forge.get(branches.below(&renamed.new_name)).await
}
