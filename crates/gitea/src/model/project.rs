//! Project boards.

use serde::{Deserialize, Serialize};

/// A board.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Project {
    id: u64,
    title: String,
    description: Option<String>,
    state: Option<String>,
    template_type: Option<String>,
    html_url: Option<String>,
}

/// A column of a board.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Column {
    id: u64,
    title: String,
    default: Option<bool>,
}

/// An issue in a column; `id` is what a board knows it by.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Card {
    id: u64,
    number: u64,
    title: String,
    state: Option<String>,
    html_url: Option<String>,
}
