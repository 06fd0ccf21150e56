//! Tracked time and stopwatches.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
