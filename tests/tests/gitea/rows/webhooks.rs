//! Webhooks of a repository or an organization.

use crate::lab::Row;

pub(crate) fn rows() -> Vec<Row> {
    vec![]
}
