//! Notifications of the token's user.

use crate::lab::Row;

pub(crate) fn rows() -> Vec<Row> {
    vec![]
}
