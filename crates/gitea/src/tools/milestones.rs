//! Milestones of a repository.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
