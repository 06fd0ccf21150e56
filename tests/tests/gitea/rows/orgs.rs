//! Organisations and their teams.

use anyhow::{Context, Result};
use http::Method;
use serde_json::{Value, json};

use crate::lab::{self, Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("org_read", "list", [], list),
        row!("org_read", "get", [], get),
        row!("org_read", "list_members", [], list_members),
        row!("org_read", "list_teams", [], list_teams),
        row!("org_read", "get_team", [], get_team),
        row!("org_read", "list_team_members", [], list_team_members),
        row!("org_read", "list_team_repos", [], list_team_repos),
        row!("org_write", "create", [], create),
        row!("org_write", "edit", [], edit),
        row!("org_write", "delete", [], delete),
        row!("org_write", "remove_member", [], remove_member),
        row!("org_write", "create_team", [], create_team),
        row!("org_write", "edit_team", [], edit_team),
        row!("org_write", "delete_team", [], delete_team),
        row!("org_write", "add_team_member", [], add_team_member),
        row!("org_write", "remove_team_member", [], remove_team_member),
        row!("org_write", "add_team_repo", [], add_team_repo),
        row!("org_write", "remove_team_repo", [], remove_team_repo),
    ]
}

/// An organisation of alice's with a team `crew`, in which bob is, and a repository `plan`, which the team reaches.
struct Company<'a> {
    lab: &'a Lab,
    org: String,
    team: u64,
}

impl<'a> Company<'a> {
    async fn new(lab: &'a Lab) -> Result<Self> {
        let (org, token) = (format!("company-{}", lab.number), &lab.alice().token);
        lab.forge.post(token, "/orgs", json!({"username": org})).await?;
        let crew = json!({"name": "crew", "permission": "read", "units": ["repo.code", "repo.issues"]});
        let team = lab.forge.post(token, &format!("/orgs/{org}/teams"), crew).await?;
        let team = team["id"].as_u64().context("id")?;
        lab.forge.put(token, &format!("/teams/{team}/members/bob"), json!({})).await?;
        lab.forge.post(token, &format!("/orgs/{org}/repos"), json!({"name": "plan"})).await?;
        lab.forge.put(token, &format!("/teams/{team}/repos/{org}/plan"), json!({})).await?;
        Ok(Self { lab, org, team })
    }

    /// Calls the row's method for this organisation.
    async fn call(&self, mut arguments: Value) -> Result<Value> {
        arguments["org"] = json!(self.org);
        self.lab.call(arguments).await
    }

    async fn refused(&self, mut arguments: Value) -> Result<Value> {
        arguments["org"] = json!(self.org);
        self.lab.refused_as(arguments).await
    }

    /// What Gitea itself says of the team.
    async fn team(&self) -> Result<Value> {
        self.lab.forge.get(&self.lab.alice().token, &format!("/teams/{}", self.team)).await
    }

    /// The status with which Gitea answers a GET.
    async fn status(&self, path: &str) -> Result<u16> {
        Ok(self.lab.forge.api(&self.lab.alice().token, Method::GET, path, None).await?.0.as_u16())
    }
}

fn names<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list["items"].as_array().into_iter().flatten().filter_map(|item| item[field].as_str()).collect()
}

async fn list(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    let all = lab.call(json!({"all": true})).await?;
    assert!(names(&all, "name").contains(&company.org.as_str()), "{all}");
    let confined = lab::server(&lab.forge, &["--allow-owners", &company.org]).await?;
    let (_, seen) = lab::call(&confined.host, "org_read", &json!({"method": "list", "all": true})).await?;
    assert_eq!(names(&seen, "name"), [company.org.as_str()], "{seen}");
    Ok(())
}

async fn get(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    assert_eq!(company.call(json!({})).await?["name"], company.org);
    lab.refused_as(json!({"org": "none"})).await?;
    Ok(())
}

async fn list_members(lab: &Lab) -> Result<()> {
    let members = Company::new(lab).await?.call(json!({})).await?;
    assert_eq!(names(&members, "login"), ["alice", "bob"], "{members}");
    Ok(())
}

async fn list_teams(lab: &Lab) -> Result<()> {
    let teams = Company::new(lab).await?.call(json!({})).await?;
    assert_eq!(names(&teams, "name"), ["crew", "Owners"], "{teams}");
    Ok(())
}

async fn get_team(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    let team = company.call(json!({"team": "Crew"})).await?;
    assert_eq!(
        (&team["id"], &team["units_map"]["repo.code"]),
        (&json!(company.team), &json!("read")),
        "{team}"
    );
    let error = company.refused(json!({"team": "band"})).await?;
    assert_eq!(error["details"]["candidates"], json!(["crew", "Owners"]), "{error}");
    Ok(())
}

async fn list_team_members(lab: &Lab) -> Result<()> {
    let members = Company::new(lab).await?.call(json!({"team": "crew"})).await?;
    assert_eq!(names(&members, "login"), ["bob"], "{members}");
    Ok(())
}

async fn list_team_repos(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    let repos = company.call(json!({"team": "crew"})).await?;
    assert_eq!(names(&repos, "full_name"), [format!("{}/plan", company.org)], "{repos}");
    Ok(())
}

async fn create(lab: &Lab) -> Result<()> {
    let org = format!("made-{}", lab.number);
    lab.call(json!({"org": org, "full_name": "Made", "visibility": "private"})).await?;
    let there = lab.forge.get(&lab.alice().token, &format!("/orgs/{org}")).await?;
    assert_eq!((&there["full_name"], &there["visibility"]), (&json!("Made"), &json!("private")));
    lab.refused_as(json!({"org": org})).await?;
    Ok(())
}

async fn edit(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    company.call(json!({"description": "builds"})).await?;
    let there = lab.forge.get(&lab.alice().token, &format!("/orgs/{}", company.org)).await?;
    assert_eq!(there["description"], "builds");
    Ok(())
}

async fn delete(lab: &Lab) -> Result<()> {
    let org = format!("empty-{}", lab.number);
    lab.forge.post(&lab.alice().token, "/orgs", json!({"username": org})).await?;
    lab.call(json!({"org": org})).await?;
    let (status, ..) = lab.forge.api(&lab.alice().token, Method::GET, &format!("/orgs/{org}"), None).await?;
    assert_eq!(status, 404);
    lab.refused_as(json!({"org": org})).await?;
    Ok(())
}

async fn remove_member(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    company.call(json!({"username": "bob"})).await?;
    assert_eq!(company.status(&format!("/orgs/{}/members/bob", company.org)).await?, 404);
    company.refused(json!({"username": "bob"})).await?;
    Ok(())
}

async fn create_team(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    let made = company.call(json!({"team": "ops", "permission": "write", "description": "runs it"})).await?;
    let there = lab.forge.get(&lab.alice().token, &format!("/teams/{}", made["id"])).await?;
    assert_eq!((&there["name"], &there["description"]), (&json!("ops"), &json!("runs it")));
    assert_eq!(there["units_map"]["repo.actions"], "write", "{there}");
    let error = company.refused(json!({"team": "ops"})).await?;
    assert_eq!(error["details"]["field"], "team", "{error}");
    Ok(())
}

async fn edit_team(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    company.call(json!({"team": "crew", "includes_all_repositories": true})).await?;
    let there = company.team().await?;
    assert_eq!(
        (&there["includes_all_repositories"], &there["units_map"]["repo.code"]),
        (&json!(true), &json!("read")),
        "{there}"
    );
    let error = company.refused(json!({"team": "crew"})).await?;
    assert_eq!(error["details"]["field"], "name", "nothing to change: {error}");
    company.call(json!({"team": "crew", "permission": "write", "name": "band"})).await?;
    let there = company.team().await?;
    let units = &there["units_map"];
    assert_eq!(
        (&there["name"], &units["repo.code"], &units["repo.issues"], &units["repo.wiki"]),
        (&json!("band"), &json!("write"), &json!("write"), &Value::Null),
        "{there}"
    );
    assert_eq!(there["includes_all_repositories"], true, "{there}");
    Ok(())
}

async fn delete_team(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    assert_eq!(company.refused(json!({"team": "Owners"})).await?["details"]["field"], "team");
    company.call(json!({"team": "crew"})).await?;
    assert_eq!(company.status(&format!("/teams/{}", company.team)).await?, 404);
    company.refused(json!({"team": "crew"})).await?;
    Ok(())
}

async fn add_team_member(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    company.call(json!({"team": "crew", "username": "alice"})).await?;
    assert_eq!(company.status(&format!("/teams/{}/members/alice", company.team)).await?, 200);
    company.refused(json!({"team": "crew", "username": "nobody"})).await?;
    Ok(())
}

async fn remove_team_member(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    company.call(json!({"team": "crew", "username": "bob"})).await?;
    assert_eq!(company.status(&format!("/teams/{}/members/bob", company.team)).await?, 404);
    company.refused(json!({"team": "crew", "username": "bob"})).await?;
    Ok(())
}

async fn add_team_repo(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    let repos = format!("/orgs/{}/repos", company.org);
    lab.forge.post(&lab.alice().token, &repos, json!({"name": "site"})).await?;
    company.call(json!({"team": "crew", "repo": "site"})).await?;
    assert_eq!(company.status(&format!("/teams/{}/repos/{}/site", company.team, company.org)).await?, 200);
    company.refused(json!({"team": "crew", "repo": "none"})).await?;
    Ok(())
}

async fn remove_team_repo(lab: &Lab) -> Result<()> {
    let company = Company::new(lab).await?;
    company.call(json!({"team": "crew", "repo": "plan"})).await?;
    assert_eq!(company.status(&format!("/teams/{}/repos/{}/plan", company.team, company.org)).await?, 404);
    company.refused(json!({"team": "crew", "repo": "plan"})).await?;
    Ok(())
}
