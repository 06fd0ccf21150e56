//! Teams, by their names: forges know them by numbers, which say nothing of whose they are.

use std::collections::BTreeMap;

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::Who;
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::access::Level;
use crate::model::given;
use crate::model::name::{Name, Org};
use crate::model::repository::Repository;
use crate::model::team::Team;
use crate::model::user::User;

/// The team that every organisation has.
const OWNERS: &str = "Owners";

/// What a team reaches unless it is said.
const UNITS: [&str; 8] = [
    "repo.code",
    "repo.issues",
    "repo.pulls",
    "repo.releases",
    "repo.wiki",
    "repo.projects",
    "repo.packages",
    "repo.actions",
];

/// What a team reaches only where it is said: what a repository has elsewhere.
const ELSEWHERE: [&str; 2] = ["repo.ext_issues", "repo.ext_wiki"];

/// Which team.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Which {
    team: String,
}

/// Which repository of the organisation.
#[derive(Deserialize, JsonSchema)]
pub(super) struct InOrg {
    repo: Name,
}

/// What a team is like.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
pub(super) struct Profile {
    description: Option<String>,
    permission: Option<Level>,
    /// repo.code, repo.issues… [all]
    units: Option<Vec<String>>,
    includes_all_repositories: Option<bool>,
    can_create_org_repo: Option<bool>,
}

/// Its next name.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Rename {
    name: Option<String>,
}

/// A team as forges take it.
#[skip_serializing_none]
#[derive(Serialize)]
struct Body {
    name: String,
    description: Option<String>,
    permission: Option<String>,
    units_map: Option<BTreeMap<String, Level>>,
    includes_all_repositories: Option<bool>,
    can_create_org_repo: Option<bool>,
}

pub(super) async fn list(forge: Forge, org: Org, paging: Paging) -> Result<Page<Team>> {
    forge.list(org.path().at("teams"), &ALL, &paging).await
}

pub(super) async fn get(forge: Forge, org: Org, which: Which) -> Result<Team> {
    find(&forge, &org, &which.team).await
}

pub(super) async fn list_members(forge: Forge, org: Org, which: Which, paging: Paging) -> Result<Page<User>> {
    let team = find(&forge, &org, &which.team).await?;
    forge.list(team.path().at("members"), &ALL, &paging).await
}

pub(super) async fn list_repos(
    forge: Forge,
    org: Org,
    which: Which,
    paging: Paging,
) -> Result<Page<Repository>> {
    let team = find(&forge, &org, &which.team).await?;
    let page = forge.list(team.path().at("repos"), &ALL, &paging).await?;
    Ok(forge.within_reach(page))
}

pub(super) async fn create(forge: Forge, org: Org, which: Which, new: Profile) -> Result<Team> {
    let path = org.path().at("teams");
    let there: Vec<Team> = forge.whole(path.clone(), &ALL).await?;
    if let Some(team) = there.into_iter().find(|team| team.is(&which.team)) {
        let message = format!("there is a team {} already; edit it", team.name);
        return Err(Error::argument("team", message));
    }
    let level = new.permission.unwrap_or(Level::Read);
    let units = new.units.map_or_else(|| Ok(UNITS.map(str::to_owned).to_vec()), known)?;
    let body = Body {
        name: which.team,
        description: new.description,
        permission: Some(level.name().to_owned()),
        units_map: Some(units.into_iter().map(|unit| (unit, level)).collect()),
        includes_all_repositories: new.includes_all_repositories,
        can_create_org_repo: new.can_create_org_repo,
    };
    let made: Team = forge.post(path, &body).await?;
    forge.get(made.path()).await
}

/// Forges leave a team's units as they are where only its permission is another, and do not look at
/// `includes_all_repositories` where no permission is given: both are sent along.
pub(super) async fn edit(
    forge: Forge,
    org: Org,
    which: Which,
    rename: Rename,
    edit: Profile,
) -> Result<Team> {
    if rename.name.is_none() {
        given::something(&edit, &["name", "description", "permission", "units"])?;
    }
    let team = find(&forge, &org, &which.team).await?;
    let level = edit.permission.or_else(|| team.level());
    let units = match (edit.units, edit.permission) {
        (None, None) => None,
        (Some(units), _) => Some(known(units)?),
        (None, Some(_)) => Some(team.units()),
    };
    let units_map = match (units, level) {
        (Some(units), Some(level)) => Some(units.into_iter().map(|unit| (unit, level)).collect()),
        (Some(_), None) => return Err(Error::argument("permission", "units need a permission beside them")),
        (None, _) => None,
    };
    let permission = edit.permission.map(|level| level.name().to_owned());
    let body = Body {
        name: rename.name.unwrap_or_else(|| team.name.clone()),
        description: edit.description,
        permission: permission.or_else(|| team.permission.clone()),
        units_map,
        includes_all_repositories: edit.includes_all_repositories,
        can_create_org_repo: edit.can_create_org_repo,
    };
    forge.change(Method::PATCH, &team.path(), &body).await?;
    forge.get(team.path()).await
}

pub(super) async fn delete(forge: Forge, org: Org, which: Which) -> Result<Deleted> {
    let team = find(&forge, &org, &which.team).await?;
    if team.is(OWNERS) {
        return Err(Error::argument("team", "without its owners nobody could look after an organization"));
    }
    forge.remove(team.path()).await?;
    Ok(Deleted::of(team.name))
}

pub(super) async fn add_member(forge: Forge, org: Org, which: Which, who: Who) -> Result<User> {
    let team = find(&forge, &org, &which.team).await?;
    let path = team.path().at("members").at(&who.username);
    forge.change(Method::PUT, &path, &ALL).await?;
    forge.get(path).await
}

pub(super) async fn remove_member(forge: Forge, org: Org, which: Which, who: Who) -> Result<Deleted> {
    let team = find(&forge, &org, &which.team).await?;
    forge.remove(team.path().at("members").at(&who.username)).await?;
    Ok(Deleted::of(who.username))
}

pub(super) async fn add_repo(forge: Forge, org: Org, which: Which, repo: InOrg) -> Result<Repository> {
    let path = repo_path(&forge, &org, &which, &repo).await?;
    forge.change(Method::PUT, &path, &ALL).await?;
    forge.get(path).await
}

pub(super) async fn remove_repo(forge: Forge, org: Org, which: Which, repo: InOrg) -> Result<Deleted> {
    forge.remove(repo_path(&forge, &org, &which, &repo).await?).await?;
    Ok(Deleted::of(repo.repo))
}

/// Units as forges name them, also from their short names. They take what is none of theirs, and the team then reaches
/// nothing.
fn known(units: Vec<String>) -> Result<Vec<String>> {
    let all = || UNITS.into_iter().chain(ELSEWHERE);
    if units.is_empty() {
        return Err(Error::argument(
            "units",
            "units is empty: name what the team may reach, or leave it out",
        ));
    }
    let known = |unit: String| {
        let long = if unit.contains('.') { unit.clone() } else { format!("repo.{unit}") };
        let found = all().find(|it| it.eq_ignore_ascii_case(&long)).map(str::to_owned);
        found.ok_or_else(|| Error::Unknown {
            field: "units".into(),
            what: "unit",
            name: kit::clip(&unit),
            candidates: all().map(str::to_owned).collect(),
        })
    };
    units.into_iter().map(known).collect()
}

async fn repo_path(forge: &Forge, org: &Org, which: &Which, repo: &InOrg) -> Result<Path> {
    forge.may_touch(&org.org, Some(&repo.repo))?;
    let team = find(forge, org, &which.team).await?;
    Ok(team.path().at("repos").at(&org.org).at(&repo.repo))
}

/// The team of this name, which is also how an organisation out of reach keeps its teams.
async fn find(forge: &Forge, org: &Org, name: &str) -> Result<Team> {
    let mut teams: Vec<Team> = forge.whole(org.path().at("teams"), &ALL).await?;
    match teams.iter().position(|team| team.is(name)) {
        Some(at) => Ok(teams.swap_remove(at)),
        None => Err(Error::Unknown {
            field: "team".into(),
            what: "team",
            name: kit::clip(name),
            candidates: teams.into_iter().take(20).map(|team| team.name).collect(),
        }),
    }
}

impl Team {
    fn path(&self) -> Path {
        Path::of("teams").at(self.id)
    }

    /// Forges tell names apart without their case.
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn reached(&self) -> impl Iterator<Item = (&String, &String)> {
        self.units_map.iter().flatten().filter(|(_, level)| *level != "none")
    }

    fn units(&self) -> Vec<String> {
        self.reached().map(|(unit, _)| unit.clone()).collect()
    }

    /// What its units have in common.
    fn level(&self) -> Option<Level> {
        let mut levels = self.reached().map(|(_, level)| level.as_str());
        let first = levels.next()?;
        let known = [Level::Read, Level::Write, Level::Admin].into_iter().find(|level| level.name() == first);
        known.filter(|_| levels.all(|level| level == first))
    }
}
