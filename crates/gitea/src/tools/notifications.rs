//! Notifications of the token's user.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
