//! Secrets and variables of Actions.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
