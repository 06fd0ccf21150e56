//! Repositories: finding, making and forking them.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
