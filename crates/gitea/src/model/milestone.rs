//! Milestones.

use serde::{Deserialize, Serialize};

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
