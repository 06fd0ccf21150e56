//! Reviews of pull requests.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
