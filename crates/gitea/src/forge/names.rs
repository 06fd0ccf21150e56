//! Names instead of numbers: what people call labels, milestones, users and teams, as the numbers and names that forges
//! take. A name that nothing has is an error before anything is sent, with the names there are.

use serde::Deserialize;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::{ALL, Forge};
use crate::model::label::Label;
use crate::model::name::{Name, Repo};
use crate::model::user::User;

/// So many names are told to who missed.
const TOLD: usize = 20;

/// A milestone or a team, as far as its name goes.
#[derive(Deserialize)]
pub(crate) struct Named {
    pub(crate) id: u64,
    #[serde(alias = "title")]
    pub(crate) name: String,
}

impl Forge {
    /// The labels of these names, of the repository or its organization. A number is a label's id, unless a label is
    /// called so.
    pub(crate) async fn labels(&self, repo: &Repo, field: &str, names: &[String]) -> Result<Vec<Label>> {
        if names.is_empty() {
            return Ok(vec![]);
        }
        let mut there: Vec<Label> = self.whole(repo.path().at("labels"), &ALL).await?;
        match self.whole(Path::org(&repo.owner).at("labels"), &ALL).await {
            Ok(more) => there.extend::<Vec<Label>>(more),
            // A user's repository has no organization, and a token may be for repositories only.
            Err(error) if error.is_missing() || matches!(error, Error::Scope { .. }) => {}
            Err(error) => return Err(error),
        }
        among(&there, field, names)
    }

    /// The same, of the repository alone.
    pub(crate) async fn own_labels(&self, repo: &Repo, field: &str, names: &[String]) -> Result<Vec<Label>> {
        among(&self.whole::<Label>(repo.path().at("labels"), &ALL).await?, field, names)
    }

    /// Their ids, which is what forges take.
    pub(crate) async fn label_ids(&self, repo: &Repo, field: &str, names: &[String]) -> Result<Vec<u64>> {
        Ok(self.labels(repo, field, names).await?.into_iter().map(|label| label.id).collect())
    }

    /// The milestone of this title; a number is its id, unless a milestone is called so. `0` stands for none.
    pub(crate) async fn milestone(&self, repo: &Repo, field: &str, name: &str) -> Result<Option<Named>> {
        if name == "0" {
            return Ok(None);
        }
        let mut there: Vec<Named> = self.whole(repo.path().at("milestones"), &[("state", "all")]).await?;
        let named = there.iter().position(|it| it.name == name);
        let found = named.or_else(|| there.iter().position(|it| it.id.to_string() == name));
        match found {
            Some(at) => Ok(Some(there.swap_remove(at))),
            None => Err(unknown(field.to_owned(), "milestone", name, there.iter().map(|it| &it.name))),
        }
    }

    /// Its id, or 0.
    pub(crate) async fn milestone_id(&self, repo: &Repo, field: &str, name: &str) -> Result<u64> {
        Ok(self.milestone(repo, field, name).await?.map_or(0, |it| it.id))
    }

    /// Sees to it that there are users of these names: a forge says of a wrong one only that something is wrong.
    pub(crate) async fn users(&self, field: &str, names: &[Name]) -> Result<()> {
        for (at, name) in names.iter().enumerate() {
            match self.look::<serde::de::IgnoredAny>(Path::of("users").at(name)).await {
                Ok(Some(_)) => {}
                Ok(None) => return Err(unknown::<&str>(format!("{field}[{at}]"), "user", name, [])),
                // A token that may not look at users may still assign them.
                Err(Error::Scope { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sees to it that issues of the repository can be assigned to users of these names.
    pub(crate) async fn assignees(&self, repo: &Repo, field: &str, names: &[Name]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let there: Vec<User> = match self.get(repo.path().at("assignees")).await {
            // A token for issues alone may assign them all the same.
            Err(Error::Scope { .. }) => return Ok(()),
            other => other?,
        };
        for (at, name) in names.iter().enumerate() {
            if !there.iter().any(|user| user.login.eq_ignore_ascii_case(name)) {
                let logins = there.iter().map(|user| &user.login);
                return Err(unknown(format!("{field}[{at}]"), "assignee", name, logins));
            }
        }
        Ok(())
    }

    /// Sees to it that the repository's organization has teams of these names.
    pub(crate) async fn teams(&self, repo: &Repo, field: &str, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let there: Vec<Named> = match self.whole(Path::org(&repo.owner).at("teams"), &ALL).await {
            Err(error) if error.is_missing() => vec![],
            other => other?,
        };
        for (at, name) in names.iter().enumerate() {
            if !there.iter().any(|team| team.name == *name) {
                let teams = there.iter().map(|team| &team.name);
                return Err(unknown(format!("{field}[{at}]"), "team", name, teams));
            }
        }
        Ok(())
    }
}

fn among(there: &[Label], field: &str, names: &[String]) -> Result<Vec<Label>> {
    let find = |(at, name): (usize, &String)| {
        let named = there.iter().find(|label| label.name == *name);
        let numbered = || there.iter().find(|label| label.id.to_string() == *name);
        named.or_else(numbered).cloned().ok_or_else(|| {
            unknown(format!("{field}[{at}]"), "label", name, there.iter().map(|label| &label.name))
        })
    };
    names.iter().enumerate().map(find).collect()
}

fn unknown<N: AsRef<str>>(
    field: String,
    what: &'static str,
    name: &str,
    there: impl IntoIterator<Item = N>,
) -> Error {
    let candidates = there.into_iter().take(TOLD).map(|it| kit::clip(it.as_ref())).collect();
    Error::Unknown { field, what, name: kit::clip(name), candidates }
}
