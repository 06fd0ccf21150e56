//! `api_request`: what no other tool has, within bounds.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
