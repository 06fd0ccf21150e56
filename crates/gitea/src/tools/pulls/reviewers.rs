//! Who is asked to review a pull request: people and teams by name.

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Which;
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::model::name::{Name, Repo};
use crate::model::pull::Pull;

/// Who.
#[derive(Deserialize, Serialize, JsonSchema)]
pub(super) struct Reviewers {
    #[serde(default)]
    reviewers: Vec<Name>,
    #[serde(default)]
    team_reviewers: Vec<String>,
}

pub(super) async fn add_reviewers(
    forge: Forge,
    repo: Repo,
    which: Which,
    reviewers: Reviewers,
) -> Result<Pull> {
    change(forge, repo, which, reviewers, Method::POST).await
}

pub(super) async fn remove_reviewers(
    forge: Forge,
    repo: Repo,
    which: Which,
    reviewers: Reviewers,
) -> Result<Pull> {
    change(forge, repo, which, reviewers, Method::DELETE).await
}

/// Gitea passes over some, and says it is done: the pull request tells.
async fn change(
    forge: Forge,
    repo: Repo,
    which: Which,
    reviewers: Reviewers,
    method: Method,
) -> Result<Pull> {
    let Reviewers { reviewers: people, team_reviewers: teams } = &reviewers;
    if people.is_empty() && teams.is_empty() {
        return Err(Error::argument("reviewers", "name at least one of reviewers or team_reviewers"));
    }
    forge.users("reviewers", people).await?;
    forge.teams(&repo, "team_reviewers", teams).await?;
    let adds = method == Method::POST;
    forge.change(method, &which.path(&repo).at("requested_reviewers"), &reviewers).await?;
    let pull: Pull = forge.get(which.path(&repo)).await?;
    let people = people.iter().map(|name| &**name);
    odd_one("reviewers", &pull.requested_reviewers, people, adds)?;
    odd_one("team_reviewers", &pull.requested_reviewers_teams, teams.iter().map(String::as_str), adds)?;
    Ok(pull)
}

/// Whether all of these are there, or none.
fn odd_one<'a>(
    field: &str,
    there: &[String],
    mut names: impl Iterator<Item = &'a str>,
    adds: bool,
) -> Result<()> {
    match names.find(|name| there.iter().any(|it| it.eq_ignore_ascii_case(name)) != adds) {
        Some(name) => {
            let word = if adds { "not asked" } else { "still asked" };
            Err(Error::argument(
                field,
                format!("{} is {word} to review: gitea passed it over", kit::clip(name)),
            ))
        }
        None => Ok(()),
    }
}
