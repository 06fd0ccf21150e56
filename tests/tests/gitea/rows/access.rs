//! Who may do what with a repository: collaborators and deploy keys.

use crate::lab::Row;

pub(crate) fn rows() -> Vec<Row> {
    vec![]
}
