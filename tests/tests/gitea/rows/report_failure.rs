//! `report_failure`: one issue for one failure, however often and from wherever it is reported.

use crate::lab::Row;

pub(crate) fn rows() -> Vec<Row> {
    vec![]
}
