//! Searches over the whole forge. Gitea's API has none over code.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Result, STATES, one_of};
use crate::forge::Forge;
use crate::forge::list::{Page, Paging};
use crate::model::issue::Issue;
use crate::model::name::Org;
use crate::model::team::Team;
use crate::model::user::User;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("search_users", "Search users", "Users by a part of their name.")
            .reads("", search_users)
            .classic("search_users"),
        Tool::new(
            "search_org_teams",
            "Search teams",
            "Teams of an organization, of those I am in, by a part of their name.",
        )
        .reads("", search_org_teams)
        .classic("search_org_teams"),
        Tool::new(
            "search_issues",
            "Search issues",
            "Issues and pull requests of all repositories by words. New ones may take a moment to be found.",
        )
        .reads("", search_issues),
    ]
}

/// What to look for.
#[derive(Deserialize, Serialize, JsonSchema)]
struct Words {
    #[serde(rename(serialize = "q"))]
    query: String,
}

/// What to look for among teams.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct TeamWords {
    #[serde(rename(serialize = "q"))]
    query: String,
    #[serde(rename(deserialize = "includeDescription", serialize = "include_desc"))]
    include_description: Option<bool>,
}

/// What to look for among issues.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct IssueWords {
    #[serde(rename(serialize = "q"))]
    query: String,
    /// open, closed, all
    state: Option<String>,
    /// issues, pulls
    #[serde(rename = "type")]
    kind: Option<String>,
    /// csv
    labels: Option<String>,
    owner: Option<String>,
}

async fn search_users(forge: Forge, words: Words, paging: Paging) -> Result<Page<User>> {
    forge.list_in(Path::of("users").at("search"), "data", &words, &paging).await
}

async fn search_org_teams(forge: Forge, org: Org, words: TeamWords, paging: Paging) -> Result<Page<Team>> {
    forge.list_in(org.path().at("teams").at("search"), "data", &words, &paging).await
}

async fn search_issues(forge: Forge, words: IssueWords, paging: Paging) -> Result<Page<Issue>> {
    one_of("state", words.state.as_deref(), &STATES)?;
    one_of("type", words.kind.as_deref(), &["issues", "pulls"])?;
    let path = Path::of("repos").at("issues").at("search");
    let mut page = forge.within_reach(forge.list::<Issue>(path, &words, &paging).await?);
    page.items = page.items.into_iter().map(Issue::short).collect();
    Ok(page)
}
