//! Rules that protect branches.

use serde::{Deserialize, Serialize};

/// A rule, as far as it says something.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Protection {
    rule_name: String,
    priority: Option<i64>,
    enable_push: Option<bool>,
    enable_push_whitelist: Option<bool>,
    push_whitelist_usernames: Option<Vec<String>>,
    push_whitelist_teams: Option<Vec<String>>,
    push_whitelist_deploy_keys: Option<bool>,
    enable_force_push: Option<bool>,
    enable_merge_whitelist: Option<bool>,
    merge_whitelist_usernames: Option<Vec<String>>,
    merge_whitelist_teams: Option<Vec<String>>,
    required_approvals: Option<i64>,
    enable_approvals_whitelist: Option<bool>,
    #[serde(rename(deserialize = "approvals_whitelist_username"))]
    approvals_whitelist_usernames: Option<Vec<String>>,
    approvals_whitelist_teams: Option<Vec<String>>,
    enable_status_check: Option<bool>,
    status_check_contexts: Option<Vec<String>>,
    block_on_rejected_reviews: Option<bool>,
    block_on_official_review_requests: Option<bool>,
    block_on_outdated_branch: Option<bool>,
    dismiss_stale_approvals: Option<bool>,
    ignore_stale_approvals: Option<bool>,
    require_signed_commits: Option<bool>,
    protected_file_patterns: Option<String>,
    unprotected_file_patterns: Option<String>,
    block_admin_merge_override: Option<bool>,
}
