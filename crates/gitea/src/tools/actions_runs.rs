//! Workflows of Actions, their runs, jobs, logs and artifacts.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
