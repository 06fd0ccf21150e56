//! Webhooks of a repository or an organization.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
