//! Milestones.

use serde::{Deserialize, Serialize};

use crate::forge::once::Marked;

/// A milestone; its times are RFC 3339.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Milestone {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) state: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) open_issues: Option<u64>,
    pub(crate) closed_issues: Option<u64>,
    pub(crate) due_on: Option<String>,
    pub(crate) closed_at: Option<String>,
}

impl Marked for Milestone {
    fn text(&self) -> &str {
        self.description.as_deref().unwrap_or_default()
    }

    fn number(&self) -> u64 {
        self.id
    }
}
