//! What searches find.

use serde::{Deserialize, Serialize};

use crate::forge::reach::InRepo;
use crate::model::repository::full_name;
use crate::model::user::login;

/// An issue or a pull request, with the repository it is in.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    number: u64,
    /// `owner/name`
    #[serde(default, with = "full_name")]
    repository: Option<String>,
    title: String,
    state: Option<String>,
    #[serde(default, with = "login", rename(deserialize = "user", serialize = "author"))]
    author: Option<String>,
    #[serde(default)]
    labels: Vec<Named>,
    comments: Option<u64>,
    /// Of pull requests only.
    pull_request: Option<Merge>,
    updated_at: Option<String>,
    html_url: Option<String>,
}

/// A label, where only its name matters.
#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

impl Serialize for Named {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(to)
    }
}

/// What became of a pull request.
#[derive(Debug, Serialize, Deserialize)]
struct Merge {
    draft: Option<bool>,
    merged: Option<bool>,
}

impl InRepo for Found {
    fn full_name(&self) -> Option<&str> {
        self.repository.as_deref()
    }
}
