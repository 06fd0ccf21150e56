//! Commits, their statuses, and what lies between two of them.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
