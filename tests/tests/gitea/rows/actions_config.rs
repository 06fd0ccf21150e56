//! Secrets and variables of Actions.

use crate::lab::Row;

pub(crate) fn rows() -> Vec<Row> {
    vec![]
}
