//! Repositories, and what is in their trees.

use serde::{Deserialize, Serialize};

use crate::forge::reach::InRepo;

/// A repository.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(crate) id: u64,
    pub(crate) full_name: String,
    pub(crate) description: Option<String>,
    pub(crate) website: Option<String>,
    pub(crate) private: bool,
    pub(crate) fork: bool,
    #[serde(default, with = "full_name")]
    pub(crate) parent: Option<String>,
    pub(crate) template: Option<bool>,
    pub(crate) mirror: Option<bool>,
    pub(crate) archived: bool,
    pub(crate) empty: Option<bool>,
    pub(crate) language: Option<String>,
    pub(crate) default_branch: Option<String>,
    pub(crate) topics: Option<Vec<String>>,
    pub(crate) stars_count: Option<u64>,
    pub(crate) forks_count: Option<u64>,
    pub(crate) open_issues_count: Option<u64>,
    pub(crate) open_pr_counter: Option<u64>,
    pub(crate) html_url: Option<String>,
    pub(crate) clone_url: Option<String>,
    pub(crate) ssh_url: Option<String>,
    pub(crate) updated_at: Option<String>,
}

impl InRepo for Repository {
    fn full_name(&self) -> Option<&str> {
        Some(&self.full_name)
    }
}

/// A repository, where only its name matters.
pub(crate) mod full_name {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    struct Named {
        full_name: Option<String>,
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
        Ok(Option::<Named>::deserialize(from)?.and_then(|parent| parent.full_name))
    }

    pub(crate) fn serialize<S: Serializer>(name: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
        name.serialize(to)
    }
}

/// A file or folder in a tree.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TreeEntry {
    pub(crate) path: String,
    /// `blob`, `tree`, `commit` for a submodule.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) mode: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) sha: String,
}
