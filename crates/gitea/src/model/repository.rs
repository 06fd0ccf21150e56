//! Repositories, and what is in their trees.

use serde::{Deserialize, Serialize};

use super::named::name;
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
    #[serde(default, with = "name")]
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
