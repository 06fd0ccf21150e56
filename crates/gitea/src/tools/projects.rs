//! Projects with their columns, which came with Gitea 1.27.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
