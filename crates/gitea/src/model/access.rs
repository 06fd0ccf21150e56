//! Who and what may reach a repository.

use serde::{Deserialize, Serialize};

use crate::model::user::login;

/// What a user may do: `none`, `read`, `write`, `admin`, `owner`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Permission {
    #[serde(default, with = "login")]
    user: Option<String>,
    permission: String,
    role_name: Option<String>,
}

/// An SSH key that reaches one repository.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DeployKey {
    pub(crate) id: u64,
    pub(crate) title: String,
    key: String,
    fingerprint: Option<String>,
    pub(crate) read_only: bool,
    created_at: Option<String>,
}

impl DeployKey {
    /// Whether it is this one, whatever comment follows it.
    pub(crate) fn is(&self, key: &str) -> bool {
        let words = |key: &str| key.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
        words(&self.key) == words(key)
    }
}
