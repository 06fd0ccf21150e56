//! Issues and their comments.

use serde::{Deserialize, Serialize};

use super::brief;
use super::named::{name, names};
use super::user::login;
use crate::forge::once::Marked;
use crate::forge::reach::InRepo;

/// An issue, or a pull request seen as one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Issue {
    /// Internal; projects want it.
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) state: String,
    #[serde(default, with = "login")]
    pub(crate) user: Option<String>,
    #[serde(default, with = "names")]
    pub(crate) labels: Vec<String>,
    #[serde(default, with = "names")]
    pub(crate) assignees: Vec<String>,
    #[serde(default, with = "name")]
    pub(crate) milestone: Option<String>,
    pub(crate) comments: Option<u64>,
    pub(crate) body: Option<String>,
    #[serde(rename = "ref")]
    pub(crate) reference: Option<String>,
    pub(crate) is_locked: Option<bool>,
    pub(crate) created_at: Option<String>,
    pub(crate) updated_at: Option<String>,
    pub(crate) closed_at: Option<String>,
    pub(crate) due_date: Option<String>,
    pub(crate) pull_request: Option<PullState>,
    #[serde(default, with = "name")]
    pub(crate) repository: Option<String>,
    pub(crate) html_url: Option<String>,
    pub(crate) assets: Option<Vec<Attachment>>,
}

/// What an issue that is a pull request has besides.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PullState {
    pub(crate) merged: Option<bool>,
    pub(crate) draft: Option<bool>,
}

/// A comment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Comment {
    pub(crate) id: u64,
    #[serde(default, with = "login")]
    pub(crate) user: Option<String>,
    pub(crate) body: String,
    pub(crate) created_at: Option<String>,
    pub(crate) updated_at: Option<String>,
    pub(crate) html_url: Option<String>,
    pub(crate) assets: Option<Vec<Attachment>>,
}

/// A file that hangs on an issue or a comment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) uuid: Option<String>,
    pub(crate) created_at: Option<String>,
    pub(crate) browser_download_url: Option<String>,
}

impl Issue {
    /// As it stands in a list.
    pub(crate) fn short(mut self) -> Self {
        self.body.iter_mut().for_each(|body| brief::in_list(body, "issue_read get"));
        self
    }
}

impl Marked for Issue {
    fn text(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    fn number(&self) -> u64 {
        self.number
    }
}

impl Marked for Comment {
    fn text(&self) -> &str {
        &self.body
    }

    fn number(&self) -> u64 {
        self.id
    }
}

impl InRepo for Issue {
    fn full_name(&self) -> Option<&str> {
        self.repository.as_deref()
    }
}
