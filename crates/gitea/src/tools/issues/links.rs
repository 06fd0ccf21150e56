//! Which issue waits for which.

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Which;
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::{ALL, Forge};
use crate::model::issue::Issue;
use crate::model::name::{Name, Repo};

/// The other issue, and which of the two waits.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Link {
    #[serde(default)]
    dependency_type: Kind,
    /// default owner
    related_owner: Option<Name>,
    /// default repo
    related_repo: Option<Name>,
    related_issue_number: u64,
}

/// Of the issue, to the related one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Kind {
    #[default]
    BlockedBy,
    Blocks,
}

/// All that is linked in this way then.
#[derive(Serialize)]
pub(super) struct Linked {
    items: Vec<Issue>,
}

pub(super) async fn add(forge: Forge, repo: Repo, which: Which, link: Link) -> Result<Linked> {
    change(&forge, Method::POST, &repo, &which, link).await
}

pub(super) async fn remove(forge: Forge, repo: Repo, which: Which, link: Link) -> Result<Linked> {
    change(&forge, Method::DELETE, &repo, &which, link).await
}

async fn change(forge: &Forge, method: Method, repo: &Repo, which: &Which, link: Link) -> Result<Linked> {
    let (owner, name) = (link.related_owner.as_ref(), link.related_repo.as_ref());
    let (owner, name) = (owner.unwrap_or(&repo.owner), name.unwrap_or(&repo.repo));
    forge.may_touch(owner, Some(name))?;
    let same_repo = owner.eq_ignore_ascii_case(&repo.owner) && name.eq_ignore_ascii_case(&repo.repo);
    if method == Method::POST && same_repo && link.related_issue_number == which.issue_number {
        return Err(Error::argument("related_issue_number", "an issue cannot wait for itself"));
    }
    let path = link.dependency_type.path(repo, which);
    let adds = method == Method::POST;
    let body = json!({"owner": owner, "repo": name, "index": link.related_issue_number});
    forge.change(method, &path, &body).await?;
    let items: Vec<Issue> = forge.whole(path, &ALL).await?;
    let full_name = format!("{owner}/{name}");
    let there = items.iter().any(|it| {
        it.number == link.related_issue_number
            && it.repository.as_ref().is_none_or(|it| it.eq_ignore_ascii_case(&full_name))
    });
    if there != adds {
        return Err(Error::Unexpected(format!(
            "the link to issue {} did not change",
            link.related_issue_number
        )));
    }
    Ok(Linked { items: items.into_iter().map(Issue::short).collect() })
}

impl Kind {
    fn path(self, repo: &Repo, which: &Which) -> Path {
        let all = match self {
            Self::BlockedBy => "dependencies",
            Self::Blocks => "blocks",
        };
        which.path(repo).at(all)
    }
}
