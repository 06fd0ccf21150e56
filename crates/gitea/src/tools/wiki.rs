//! Pages of a wiki.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
