//! Issues and their comments.

mod labels;
mod links;
mod write;

use http::StatusCode;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::brief;
use crate::model::issue::{Comment, Issue};
use crate::model::label::Label;
use crate::model::name::{Repo, Since, Time};
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("list_issues", "List issues", "Issues (or pulls, by type) of a repository; long texts shortened.")
            .reads("", list_issues)
            .classic("list_repo_issues"),
        Tool::new("issue_read", "Read an issue", "An issue, its comments, labels and dependencies.")
            .reads("get", get)
            .classic("get_issue_by_index")
            .reads("get_comments", get_comments)
            .classic("get_issue_comments_by_index")
            .reads("get_comment", get_comment)
            .reads("get_labels", get_labels)
            .reads("get_blocked_by", get_blocked_by)
            .reads("get_blocking", get_blocking),
        Tool::new(
            "issue_write",
            "Change issues",
            "Creates and edits issues, comments, their labels and dependencies. Labels and milestone by name or id.",
        )
        .writes("create", write::create)
        .classic("create_issue")
        .writes("update", write::update)
        .classic("edit_issue")
        .writes("add_comment", write::add_comment)
        .classic("create_issue_comment")
        .writes("edit_comment", write::edit_comment)
        .classic("edit_issue_comment")
        .writes("add_labels", labels::add)
        .classic("add_issue_labels")
        .writes("remove_label", labels::remove)
        .classic_with("remove_issue_label", &[("id", "label_id")])
        .writes("replace_labels", labels::replace)
        .classic("replace_issue_labels")
        .writes("clear_labels", labels::clear)
        .classic("clear_issue_labels")
        .writes("add_dependency", links::add)
        .writes("remove_dependency", links::remove),
    ]
}

/// Which issue.
#[derive(Deserialize, JsonSchema)]
struct Which {
    issue_number: u64,
}

/// Which comment.
#[derive(Deserialize, JsonSchema)]
struct WhichComment {
    comment_id: u64,
}

/// Which issues.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Filter {
    /// default all
    #[serde(default)]
    state: States,
    r#type: Option<Kind>,
    #[serde(serialize_with = "listed")]
    labels: Option<Vec<String>>,
    #[serde(serialize_with = "listed")]
    milestones: Option<Vec<String>>,
    since: Option<Since>,
    before: Option<Time>,
    created_by: Option<String>,
    assigned_by: Option<String>,
    mentioned_by: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum States {
    Open,
    Closed,
    #[default]
    All,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Kind {
    Issues,
    Pulls,
}

/// Several values in one, as the API has them.
fn listed<S: serde::Serializer>(names: &Option<Vec<String>>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&names.as_deref().unwrap_or_default().join(","))
}

/// Forges leave out what they do not know of a filter, and answer everything: names are looked up first. They look for
/// labels in the repository alone, not in its organisation.
async fn list_issues(forge: Forge, repo: Repo, mut filter: Filter, paging: Paging) -> Result<Page<Issue>> {
    if let Some(names) = &filter.labels {
        let labels = forge.own_labels(&repo, "labels", names).await?;
        filter.labels = Some(labels.into_iter().map(|label| label.name).collect());
    }
    for (at, name) in filter.milestones.iter().flatten().enumerate() {
        let field = format!("milestones[{at}]");
        if forge.milestone_id(&repo, &field, name).await? == 0 {
            return Err(Error::argument(field, "gitea does not list the issues without a milestone"));
        }
    }
    for (field, names) in [("labels", &filter.labels), ("milestones", &filter.milestones)] {
        if let Some(at) = names.iter().flatten().position(|name| name.contains(',')) {
            let message = "a name with a comma cannot be asked for: gitea takes it for two";
            return Err(Error::argument(format!("{field}[{at}]"), message));
        }
    }
    let mut page: Page<Issue> = forge.list(repo.path().at("issues"), &filter, &paging).await?;
    page.items = page.items.into_iter().map(Issue::short).collect();
    Ok(page)
}

async fn get(forge: Forge, repo: Repo, which: Which) -> Result<Issue> {
    forge.get(which.path(&repo)).await
}

async fn get_comments(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<Comment>> {
    let listed = forge.list_whole(which.path(&repo).at("comments"), &ALL, &paging).await;
    let mut page: Page<Comment> = which.or_missing(&forge, &repo, listed).await?;
    for comment in &mut page.items {
        brief::in_list(&mut comment.body, "issue_read get_comment");
    }
    Ok(page)
}

async fn get_comment(forge: Forge, repo: Repo, which: WhichComment) -> Result<Comment> {
    forge.get(repo.path().at("issues").at("comments").at(which.comment_id)).await
}

async fn get_labels(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<Label>> {
    forge.list_whole(which.path(&repo).at("labels"), &ALL, &paging).await
}

async fn get_blocked_by(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<Issue>> {
    related(&forge, which.path(&repo).at("dependencies"), &paging).await
}

async fn get_blocking(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<Issue>> {
    related(&forge, which.path(&repo).at("blocks"), &paging).await
}

async fn related(forge: &Forge, path: Path, paging: &Paging) -> Result<Page<Issue>> {
    let mut page = forge.within_reach(forge.list::<Issue>(path, &ALL, paging).await?);
    page.items = page.items.into_iter().map(Issue::short).collect();
    Ok(page)
}

impl Which {
    /// Where it is.
    fn path(&self, repo: &Repo) -> Path {
        repo.path().at("issues").at(self.issue_number)
    }

    /// Gitea answers 500 for the comments of an issue that is not there: then it is the issue that is asked for.
    async fn or_missing<T>(&self, forge: &Forge, repo: &Repo, comments: Result<T>) -> Result<T> {
        match comments {
            Err(error) if error.status() == Some(StatusCode::INTERNAL_SERVER_ERROR) => {
                forge.get::<IgnoredAny>(self.path(repo)).await?;
                Err(error)
            }
            other => other,
        }
    }
}
