//! Notifications.

use serde::{Deserialize, Serialize};

use crate::forge::reach::InRepo;
use crate::model::named::name;

/// What happened to an issue, a pull request, a commit or a repository.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Thread {
    id: u64,
    /// `owner/name`
    #[serde(default, with = "name")]
    pub(crate) repository: Option<String>,
    subject: Option<Subject>,
    unread: Option<bool>,
    pinned: Option<bool>,
    updated_at: Option<String>,
}

/// To what.
#[derive(Debug, Serialize, Deserialize)]
struct Subject {
    title: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    state: Option<String>,
    html_url: Option<String>,
    latest_comment_html_url: Option<String>,
}

impl InRepo for Thread {
    fn full_name(&self) -> Option<&str> {
        self.repository.as_deref()
    }
}
