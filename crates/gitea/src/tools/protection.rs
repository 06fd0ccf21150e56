//! Rules that protect branches.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
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
    /// Whom a list lets push may push.
    fn with_push(mut self) -> Self {
        let listed = [&self.push_whitelist_usernames, &self.push_whitelist_teams];
        if listed.into_iter().flatten().any(|list| !list.is_empty()) {
            self.enable_push.get_or_insert(true);
        }
        self
    }

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
    let new = new.with_push();
    let wanted = sent(&new.body(Some(&which.rule_name)));
    let Some(there) = forge.look::<Value>(which.at(&repo)).await? else {
        let made: Value = forge.post(rules(&repo), &wanted).await?;
        return match differing(&wanted, &made) {
            None => forge.get(which.at(&repo)).await,
            Some(field) => {
                forge.remove(which.at(&repo)).await?;
                Err(not_taken(field, "the rule was not made"))
            }
        };
    };
    match differing(&wanted, &there) {
        None => forge.get(which.at(&repo)).await,
        Some(name) => {
            let rule = kit::clip(&which.rule_name);
            Err(Error::argument(
                "rule_name",
                format!("there is a rule {rule} already, with another {name}; edit it"),
            ))
        }
    }
}

async fn edit(forge: Forge, repo: Repo, which: Which, edit: Rules) -> Result<Protection> {
    let wanted = sent(&edit.with_push().body(None));
    let was: Value = forge.get(which.at(&repo)).await?;
    let is: Value = forge.patch(which.at(&repo), &wanted).await?;
    match differing(&wanted, &is) {
        None => forge.get(which.at(&repo)).await,
        Some(field) => {
            let before: Map<String, Value> = wanted
                .iter()
                .map(|(name, _)| (name.clone(), was.get(name).cloned().unwrap_or_default()))
                .collect();
            forge.patch::<IgnoredAny>(which.at(&repo), &before).await?;
            Err(not_taken(field, "the rule is as it was before"))
        }
    }
}

fn sent(body: &Body<'_>) -> Map<String, Value> {
    match serde_json::to_value(body) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The first field that is not as it was sent: forges leave out of lists whom they do not know or who may not write, and
/// a list that is on and empty shuts everybody out.
fn differing<'a>(sent: &'a Map<String, Value>, there: &Value) -> Option<&'a str> {
    let alike = |sent: &Value, there: &Value| match (sent, there) {
        (Value::Array(sent), there) => {
            let names = |list: &[Value]| {
                list.iter().map(|it| it.as_str().unwrap_or_default().to_lowercase()).collect::<BTreeSet<_>>()
            };
            names(sent) == names(there.as_array().map(Vec::as_slice).unwrap_or_default())
        }
        (sent, there) => sent == there,
    };
    let differs = sent.iter().find(|(name, value)| !alike(value, there.get(*name).unwrap_or(&Value::Null)));
    differs.map(|(name, _)| name.as_str())
}

fn not_taken(field: &str, so: &str) -> Error {
    let field = match field {
        "approvals_whitelist_username" => "approvals_whitelist_usernames",
        other => other,
    };
    let message = format!(
        "{field} did not take, so {so}: lists hold users and teams that are there and may write to the repository"
    );
    Error::argument(field, message)
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
