//! Things that a repository, an organisation or a user has alike: whose they are.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::model::name::Name;

/// A repository, an organisation, or neither.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Place {
    owner: Option<Name>,
    repo: Option<Name>,
    org: Option<Name>,
}

/// A repository, or neither.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct MaybeRepo {
    owner: Option<Name>,
    repo: Option<Name>,
}

impl Place {
    /// Where it is; `None` for neither.
    pub(crate) fn path(&self) -> Result<Option<Path>> {
        let repo = repo(self.owner.as_ref(), self.repo.as_ref())?;
        match (repo, &self.org) {
            (Some(_), Some(_)) => Err(Error::argument("org", "either owner and repo or org, not both")),
            (Some(repo), None) => Ok(Some(repo)),
            (None, org) => Ok(org.as_ref().map(Path::org)),
        }
    }

    /// Where it is, where it must be somewhere.
    pub(crate) fn must(&self) -> Result<Path> {
        self.path()?.ok_or_else(|| Error::argument("owner", "owner and repo are missing, or org"))
    }
}

impl MaybeRepo {
    /// Where it is; `None` for neither.
    pub(crate) fn path(&self) -> Result<Option<Path>> {
        repo(self.owner.as_ref(), self.repo.as_ref())
    }
}

fn repo(owner: Option<&Name>, repo: Option<&Name>) -> Result<Option<Path>> {
    match (owner, repo) {
        (Some(owner), Some(repo)) => Ok(Some(Path::repo(owner, repo))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::argument("repo", "owner without repo")),
        (None, Some(_)) => Err(Error::argument("owner", "repo without owner")),
    }
}
