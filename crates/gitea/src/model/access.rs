//! Who and what may reach a repository.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::user::login;

/// What collaborators and members of teams may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, description = "")]
pub(crate) enum Level {
    Read,
    Write,
    Admin,
}

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

impl Level {
    /// As forges write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}
