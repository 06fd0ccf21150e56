//! Pages of a wiki.

use crate::lab::Row;

pub(crate) fn rows() -> Vec<Row> {
    vec![]
}
