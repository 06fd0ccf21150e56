//! Issues and their comments.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
