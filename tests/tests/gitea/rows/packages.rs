//! Packages of an owner.

use crate::lab::Row;

pub(crate) fn rows() -> Vec<Row> {
    vec![]
}
