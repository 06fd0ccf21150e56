//! Organizations and their teams.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
