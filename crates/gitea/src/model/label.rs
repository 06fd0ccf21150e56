//! Labels of repositories and organisations.

use serde::{Deserialize, Serialize};

/// A label; `color` is six hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Label {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) color: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) exclusive: Option<bool>,
    pub(crate) is_archived: Option<bool>,
}
