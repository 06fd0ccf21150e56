//! Files attached to issues and comments.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
