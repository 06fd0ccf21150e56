//! Who may do what with a repository: collaborators and deploy keys.

use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![]
}
