//! Pull requests, their files, reviews and the comments of those.

use serde::{Deserialize, Serialize};

use super::brief;
use super::named::{name, names};
use super::user::login;
use crate::forge::once::Marked;

/// A pull request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pull {
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) state: String,
    pub(crate) draft: Option<bool>,
    pub(crate) merged: bool,
    pub(crate) mergeable: Option<bool>,
    pub(crate) body: Option<String>,
    #[serde(default, with = "login")]
    pub(crate) user: Option<String>,
    pub(crate) base: Branch,
    pub(crate) head: Branch,
    pub(crate) merge_base: Option<String>,
    #[serde(default, with = "names")]
    pub(crate) labels: Vec<String>,
    #[serde(default, with = "name")]
    pub(crate) milestone: Option<String>,
    #[serde(default, with = "names")]
    pub(crate) assignees: Vec<String>,
    #[serde(default, with = "names")]
    pub(crate) requested_reviewers: Vec<String>,
    #[serde(default, with = "names")]
    pub(crate) requested_reviewers_teams: Vec<String>,
    pub(crate) comments: Option<u64>,
    pub(crate) review_comments: Option<u64>,
    pub(crate) changed_files: Option<u64>,
    pub(crate) additions: Option<u64>,
    pub(crate) deletions: Option<u64>,
    pub(crate) allow_maintainer_edit: Option<bool>,
    pub(crate) due_date: Option<String>,
    pub(crate) created_at: Option<String>,
    pub(crate) updated_at: Option<String>,
    pub(crate) closed_at: Option<String>,
    pub(crate) merged_at: Option<String>,
    pub(crate) merge_commit_sha: Option<String>,
    #[serde(default, with = "login")]
    pub(crate) merged_by: Option<String>,
    pub(crate) html_url: Option<String>,
}

/// One of the two branches that it is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Branch {
    #[serde(rename = "ref")]
    pub(crate) name: String,
    pub(crate) sha: String,
    #[serde(default, with = "name")]
    pub(crate) repo: Option<String>,
}

/// A file that it changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ChangedFile {
    pub(crate) filename: String,
    pub(crate) previous_filename: Option<String>,
    pub(crate) status: String,
    pub(crate) additions: u64,
    pub(crate) deletions: u64,
}

/// A review.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Review {
    pub(crate) id: u64,
    pub(crate) state: String,
    #[serde(default, with = "login")]
    pub(crate) user: Option<String>,
    #[serde(default, with = "name")]
    pub(crate) team: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) commit_id: Option<String>,
    pub(crate) stale: Option<bool>,
    pub(crate) official: Option<bool>,
    pub(crate) dismissed: Option<bool>,
    pub(crate) comments_count: Option<u64>,
    pub(crate) submitted_at: Option<String>,
    pub(crate) html_url: Option<String>,
}

/// A comment on a line of the diff.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReviewComment {
    pub(crate) id: u64,
    pub(crate) path: String,
    /// Line in the new file; 0 where the comment is about the old one.
    #[serde(rename(deserialize = "position"))]
    pub(crate) new_line_num: Option<u64>,
    #[serde(rename(deserialize = "original_position"))]
    pub(crate) old_line_num: Option<u64>,
    pub(crate) body: String,
    #[serde(default, with = "login")]
    pub(crate) user: Option<String>,
    /// Who has called it settled.
    #[serde(default, with = "login")]
    pub(crate) resolver: Option<String>,
    pub(crate) diff_hunk: Option<String>,
    pub(crate) commit_id: Option<String>,
    pub(crate) created_at: Option<String>,
    pub(crate) html_url: Option<String>,
}

/// What checks say of a commit, together and each.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Combined {
    /// Empty where there are no checks.
    pub(crate) state: String,
    pub(crate) sha: String,
    pub(crate) total_count: u64,
    #[serde(default)]
    pub(crate) statuses: Option<Vec<Check>>,
}

/// What one check says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Check {
    pub(crate) context: String,
    pub(crate) status: String,
    pub(crate) description: Option<String>,
    pub(crate) target_url: Option<String>,
    pub(crate) updated_at: Option<String>,
}

impl Pull {
    /// As it stands in a list.
    pub(crate) fn short(mut self) -> Self {
        self.body.iter_mut().for_each(|body| brief::in_list(body, "pull_request_read get"));
        self
    }
}

impl Marked for Pull {
    fn text(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    fn number(&self) -> u64 {
        self.number
    }
}

impl Marked for Review {
    fn text(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    fn number(&self) -> u64 {
        self.id
    }
}
