//! Files attached to issues and comments.

use crate::lab::Row;

pub(crate) fn rows() -> Vec<Row> {
    vec![]
}
