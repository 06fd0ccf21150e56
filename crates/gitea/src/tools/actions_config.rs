//! Secrets and variables of Actions. A secret's value goes in and never comes out.

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::name::{Name, Org, Repo};
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "actions_config_read",
            "Read Actions configuration",
            "Names of Actions secrets; variables with their values. Of a repository or an organization.",
        )
        .reads("list_repo_secrets", list_repo_secrets)
        .classic("list_repo_action_secrets")
        .reads("list_org_secrets", list_org_secrets)
        .classic("list_org_action_secrets")
        .reads("list_repo_variables", list_repo_variables)
        .classic("list_repo_action_variables")
        .reads("get_repo_variable", get_repo_variable)
        .classic("get_repo_action_variable")
        .reads("list_org_variables", list_org_variables)
        .classic("list_org_action_variables")
        .reads("get_org_variable", get_org_variable)
        .classic("get_org_action_variable"),
        Tool::new(
            "actions_config_write",
            "Change Actions configuration",
            "Sets (data) or deletes Actions secrets; creates, updates or deletes variables (value).",
        )
        .writes("upsert_repo_secret", upsert_repo_secret)
        .classic("upsert_repo_action_secret")
        .destroys("delete_repo_secret", delete_repo_secret)
        .classic("delete_repo_action_secret")
        .writes("upsert_org_secret", upsert_org_secret)
        .classic("upsert_org_action_secret")
        .destroys("delete_org_secret", delete_org_secret)
        .classic("delete_org_action_secret")
        .writes("create_repo_variable", create_repo_variable)
        .classic("create_repo_action_variable")
        .writes("update_repo_variable", update_repo_variable)
        .classic("update_repo_action_variable")
        .destroys("delete_repo_variable", delete_repo_variable)
        .classic("delete_repo_action_variable")
        .writes("create_org_variable", create_org_variable)
        .classic("create_org_action_variable")
        .writes("update_org_variable", update_org_variable)
        .classic("update_org_action_variable")
        .destroys("delete_org_variable", delete_org_variable)
        .classic("delete_org_action_variable"),
    ]
}

/// Which secret or variable.
#[derive(Deserialize, JsonSchema)]
struct Which {
    name: Name,
}

/// A secret's new value.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Sealed {
    #[schemars(extend("format" = "password"))]
    data: String,
    description: Option<String>,
}

/// A variable's new value.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Content {
    value: String,
    description: Option<String>,
}

/// A secret, as far as anyone is told of it.
#[derive(Serialize, Deserialize)]
struct Secret {
    name: String,
    description: Option<String>,
    created_at: Option<String>,
}

/// A variable.
#[derive(Serialize, Deserialize)]
struct Variable {
    name: String,
    #[serde(rename(deserialize = "data"))]
    value: String,
    description: Option<String>,
}

fn secrets(path: Path) -> Path {
    path.at("actions").at("secrets")
}

fn variables(path: Path) -> Path {
    path.at("actions").at("variables")
}

async fn list_repo_secrets(forge: Forge, repo: Repo, paging: Paging) -> Result<Page<Secret>> {
    forge.list(secrets(repo.path()), &ALL, &paging).await
}

async fn list_org_secrets(forge: Forge, org: Org, paging: Paging) -> Result<Page<Secret>> {
    forge.list(secrets(org.path()), &ALL, &paging).await
}

async fn list_repo_variables(forge: Forge, repo: Repo, paging: Paging) -> Result<Page<Variable>> {
    forge.list(variables(repo.path()), &ALL, &paging).await
}

async fn list_org_variables(forge: Forge, org: Org, paging: Paging) -> Result<Page<Variable>> {
    forge.list(variables(org.path()), &ALL, &paging).await
}

async fn get_repo_variable(forge: Forge, repo: Repo, which: Which) -> Result<Variable> {
    forge.get(variables(repo.path()).at(which.name)).await
}

async fn get_org_variable(forge: Forge, org: Org, which: Which) -> Result<Variable> {
    forge.get(variables(org.path()).at(which.name)).await
}

async fn upsert_repo_secret(forge: Forge, repo: Repo, which: Which, sealed: Sealed) -> Result<Secret> {
    upsert(forge, secrets(repo.path()), which.name, sealed).await
}

async fn upsert_org_secret(forge: Forge, org: Org, which: Which, sealed: Sealed) -> Result<Secret> {
    upsert(forge, secrets(org.path()), which.name, sealed).await
}

/// A value cannot be read back; that the secret is there can.
async fn upsert(forge: Forge, path: Path, name: Name, sealed: Sealed) -> Result<Secret> {
    forge.change(Method::PUT, &path.clone().at(&name), &sealed).await?;
    let found = find(&forge, path, &name).await?;
    found.ok_or_else(|| Error::Unexpected(format!("there is no secret {} after it was set", shown(&name))))
}

async fn delete_repo_secret(forge: Forge, repo: Repo, which: Which) -> Result<Deleted> {
    delete_secret(forge, secrets(repo.path()), which.name).await
}

async fn delete_org_secret(forge: Forge, org: Org, which: Which) -> Result<Deleted> {
    delete_secret(forge, secrets(org.path()), which.name).await
}

async fn delete_secret(forge: Forge, path: Path, name: Name) -> Result<Deleted> {
    if find(&forge, path.clone(), &name).await?.is_none() {
        let (field, name) = ("name".into(), shown(&name));
        return Err(Error::Unknown { field, what: "secret", name, candidates: vec![] });
    }
    forge.delete(path.at(&name), &ALL).await?;
    Ok(Deleted::of(name))
}

/// Forges give no single secret, and write names in capitals.
async fn find(forge: &Forge, path: Path, name: &Name) -> Result<Option<Secret>> {
    let all: Vec<Secret> = forge.whole(path, &ALL).await?;
    Ok(all.into_iter().find(|secret| secret.name.eq_ignore_ascii_case(name)))
}

fn shown(name: &Name) -> String {
    kit::clip(name)
}

async fn create_repo_variable(forge: Forge, repo: Repo, which: Which, content: Content) -> Result<Variable> {
    create(forge, variables(repo.path()).at(which.name), content).await
}

async fn create_org_variable(forge: Forge, org: Org, which: Which, content: Content) -> Result<Variable> {
    create(forge, variables(org.path()).at(which.name), content).await
}

/// One that is there with this value is as good as made.
async fn create(forge: Forge, path: Path, content: Content) -> Result<Variable> {
    match forge.look::<Variable>(path.clone()).await? {
        Some(there) if there.is_like(&content) => Ok(there),
        Some(there) => Err(Error::argument(
            "name",
            format!(
                "there is a variable {} already, with another value or description; update it",
                there.name
            ),
        )),
        None => {
            forge.change(Method::POST, &path, &content).await?;
            forge.get(path).await
        }
    }
}

impl Variable {
    /// Forges store line ends in one way only.
    fn is_like(&self, content: &Content) -> bool {
        let plain = |text: &str| text.replace("\r\n", "\n");
        plain(&self.value) == plain(&content.value)
            && content.description.as_ref().is_none_or(|it| Some(it) == self.description.as_ref())
    }
}

async fn update_repo_variable(forge: Forge, repo: Repo, which: Which, content: Content) -> Result<Variable> {
    update(forge, variables(repo.path()).at(which.name), content).await
}

async fn update_org_variable(forge: Forge, org: Org, which: Which, content: Content) -> Result<Variable> {
    update(forge, variables(org.path()).at(which.name), content).await
}

/// Forges empty a description that is not sent along.
async fn update(forge: Forge, path: Path, mut content: Content) -> Result<Variable> {
    let there: Variable = forge.get(path.clone()).await?;
    content.description = content.description.or(there.description);
    forge.change(Method::PUT, &path, &content).await?;
    forge.get(path).await
}

async fn delete_repo_variable(forge: Forge, repo: Repo, which: Which) -> Result<Deleted> {
    delete_variable(forge, variables(repo.path()), which.name).await
}

async fn delete_org_variable(forge: Forge, org: Org, which: Which) -> Result<Deleted> {
    delete_variable(forge, variables(org.path()), which.name).await
}

async fn delete_variable(forge: Forge, path: Path, name: Name) -> Result<Deleted> {
    let path = path.at(&name);
    forge.get::<Variable>(path.clone()).await?;
    forge.delete(path, &ALL).await?;
    Ok(Deleted::of(name))
}
