//! Teams of organisations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A team. `permission` is `none` where `units_map` says it unit by unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Team {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) permission: Option<String>,
    pub(crate) units_map: Option<BTreeMap<String, String>>,
    pub(crate) includes_all_repositories: Option<bool>,
    pub(crate) can_create_org_repo: Option<bool>,
}
