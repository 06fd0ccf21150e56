//! Rules that protect branches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::name::{Repo, Slashed};
use crate::model::protection::Protection;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("branch_protection_read", "Read branch protection", "Rules that protect branches.")
            .reads("list", list)
            .reads("get", get),
        Tool::new(
            "branch_protection_write",
            "Change branch protection",
            "Rules for branches that match rule_name, a glob. A list of names restricts to those; an empty one lifts that.",
        )
        .writes("create", create)
        .writes("edit", edit)
        .destroys("delete", delete),
    ]
}

/// Which rule.
#[derive(Deserialize, Serialize, JsonSchema)]
struct Which {
    rule_name: Slashed,
}

/// What it says, in what forges call it.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Rules {
    enable_push: Option<bool>,
    push_whitelist_usernames: Option<Vec<String>>,
    push_whitelist_teams: Option<Vec<String>>,
    push_whitelist_deploy_keys: Option<bool>,
    enable_force_push: Option<bool>,
    merge_whitelist_usernames: Option<Vec<String>>,
    merge_whitelist_teams: Option<Vec<String>>,
    required_approvals: Option<u32>,
    #[serde(rename(serialize = "approvals_whitelist_username"))]
    approvals_whitelist_usernames: Option<Vec<String>>,
    approvals_whitelist_teams: Option<Vec<String>>,
    status_check_contexts: Option<Vec<String>>,
    block_on_rejected_reviews: Option<bool>,
    block_on_outdated_branch: Option<bool>,
    dismiss_stale_approvals: Option<bool>,
    require_signed_commits: Option<bool>,
    protected_file_patterns: Option<String>,
    unprotected_file_patterns: Option<String>,
    block_admin_merge_override: Option<bool>,
}

/// What follows from the lists: forges have a switch beside each.
#[skip_serializing_none]
#[derive(Serialize)]
struct Body<'a> {
    rule_name: Option<&'a str>,
    #[serde(flatten)]
    rules: &'a Rules,
    enable_push_whitelist: Option<bool>,
    enable_merge_whitelist: Option<bool>,
    enable_approvals_whitelist: Option<bool>,
    enable_status_check: Option<bool>,
}

impl Rules {
    fn body<'a>(&'a self, rule_name: Option<&'a str>) -> Body<'a> {
        let some = |lists: [&Option<Vec<String>>; 2]| {
            let mut given = lists.into_iter().flatten().peekable();
            given.peek().is_some().then(|| given.any(|list| !list.is_empty()))
        };
        let keys = self.push_whitelist_deploy_keys.filter(|it| *it);
        Body {
            rule_name,
            rules: self,
            enable_push_whitelist: keys
                .or(some([&self.push_whitelist_usernames, &self.push_whitelist_teams])),
            enable_merge_whitelist: some([&self.merge_whitelist_usernames, &self.merge_whitelist_teams]),
            enable_approvals_whitelist: some([
                &self.approvals_whitelist_usernames,
                &self.approvals_whitelist_teams,
            ]),
            enable_status_check: some([&self.status_check_contexts, &None]),
        }
    }
}

async fn list(forge: Forge, repo: Repo, paging: Paging) -> Result<Page<Protection>> {
    forge.list_whole(rules(&repo), &ALL, &paging).await
}

async fn get(forge: Forge, repo: Repo, which: Which) -> Result<Protection> {
    forge.get(which.at(&repo)).await
}

async fn create(forge: Forge, repo: Repo, which: Which, new: Rules) -> Result<Protection> {
    let body = new.body(Some(&which.rule_name));
    let Some(there) = forge.look::<Value>(which.at(&repo)).await? else {
        return forge.post(rules(&repo), &body).await;
    };
    let wanted = serde_json::to_value(&body).unwrap_or_default();
    let differs =
        wanted.as_object().into_iter().flatten().find(|(name, value)| there.get(name) != Some(value));
    match differs {
        None => forge.get(which.at(&repo)).await,
        Some((name, _)) => {
            let rule = kit::clip(&which.rule_name);
            Err(Error::argument(
                "rule_name",
                format!("there is a rule {rule} already, with another {name}; edit it"),
            ))
        }
    }
}

async fn edit(forge: Forge, repo: Repo, which: Which, edit: Rules) -> Result<Protection> {
    forge.patch(which.at(&repo), &edit.body(None)).await
}

async fn delete(forge: Forge, repo: Repo, which: Which) -> Result<Deleted> {
    forge.remove(which.at(&repo)).await?;
    Ok(Deleted::of(&*which.rule_name))
}

fn rules(repo: &Repo) -> Path {
    repo.path().at("branch_protections")
}

impl Which {
    fn at(&self, repo: &Repo) -> Path {
        rules(repo).below(&self.rule_name)
    }
}
