//! Pull requests: what there is to read of them, and what can be done with them.

mod diff;
mod merge;
mod reviewers;
mod status;
mod write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::{Result, STATES, one_of};
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::brief;
use crate::model::issue::Comment;
use crate::model::name::Repo;
use crate::model::pull::{ChangedFile, Pull, Review, ReviewComment};
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("list_pull_requests", "List pull requests", "Pull requests of a repository.")
            .reads("", list)
            .classic("list_repo_pull_requests"),
        Tool::new(
            "pull_request_read",
            "Read a pull request",
            "A pull request, its files, checks, reviews. get_diff: the files first, then a file, hunks or all by cursor.",
        )
        .reads("get", get)
        .classic("get_pull_request_by_index")
        .reads("get_diff", diff::get_diff)
        .classic("get_pull_request_diff")
        .reads("get_files", get_files)
        .reads("get_status", status::get_status)
        .reads("get_reviews", get_reviews)
        .classic("list_pull_request_reviews")
        .reads("get_review", get_review)
        .classic("get_pull_request_review")
        .reads("get_review_comments", get_review_comments)
        .classic("list_pull_request_review_comments")
        .reads("get_comments", get_comments),
        Tool::new(
            "pull_request_write",
            "Change a pull request",
            "Opens, edits, closes, merges pull requests and asks for reviews; update_branch brings the base in.",
        )
        .writes("create", write::create)
        .classic("create_pull_request")
        .writes("update", write::update)
        .classic("edit_pull_request")
        .writes("close", write::close)
        .writes("reopen", write::reopen)
        .destroys("merge", merge::merge)
        .classic("merge_pull_request")
        .writes("update_branch", merge::update_branch)
        .writes("add_reviewers", reviewers::add_reviewers)
        .classic("create_pull_request_reviewer")
        .writes("remove_reviewers", reviewers::remove_reviewers)
        .classic("delete_pull_request_reviewer"),
    ]
}

/// Which pull request.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Which {
    pub(super) pull_number: u64,
}

/// Which of its reviews.
#[derive(Deserialize, JsonSchema)]
struct WhichReview {
    review_id: u64,
}

const SORTS: [&str; 7] =
    ["recentupdate", "oldest", "recentclose", "leastupdate", "mostcomment", "leastcomment", "priority"];

/// Which of a repository's.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Filter {
    /// open, closed or all (default)
    state: Option<String>,
    /// recentupdate (default), oldest, recentclose, leastupdate, mostcomment, leastcomment, priority
    sort: Option<String>,
    milestone: Option<u64>,
}

async fn list(forge: Forge, repo: Repo, filter: Filter, paging: Paging) -> Result<Page<Pull>> {
    one_of("state", filter.state.as_deref(), &STATES)?;
    one_of("sort", filter.sort.as_deref(), &SORTS)?;
    let filter = Filter {
        state: filter.state.or_else(|| Some("all".into())),
        sort: filter.sort.or_else(|| Some("recentupdate".into())),
        ..filter
    };
    let mut page: Page<Pull> = forge.list(repo.path().at("pulls"), &filter, &paging).await?;
    page.items = page.items.into_iter().map(Pull::short).collect();
    Ok(page)
}

async fn get(forge: Forge, repo: Repo, which: Which) -> Result<Pull> {
    forge.get(which.path(&repo)).await
}

async fn get_comments(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<Comment>> {
    let path = repo.path().at("issues").at(which.pull_number).at("comments");
    let mut page: Page<Comment> = forge.list_whole(path, &ALL, &paging).await?;
    for comment in &mut page.items {
        brief::in_list(&mut comment.body, "issue_read get_comment");
    }
    Ok(page)
}

async fn get_files(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<ChangedFile>> {
    forge.list(which.path(&repo).at("files"), &ALL, &paging).await
}

async fn get_reviews(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<Review>> {
    forge.list(which.path(&repo).at("reviews"), &ALL, &paging).await
}

async fn get_review(forge: Forge, repo: Repo, which: Which, review: WhichReview) -> Result<Review> {
    forge.get(which.review(&repo, review.review_id)).await
}

async fn get_review_comments(
    forge: Forge,
    repo: Repo,
    which: Which,
    review: WhichReview,
    paging: Paging,
) -> Result<Page<ReviewComment>> {
    forge.list_whole(which.review(&repo, review.review_id).at("comments"), &ALL, &paging).await
}

impl Which {
    /// Where it is.
    pub(super) fn path(&self, repo: &Repo) -> Path {
        repo.path().at("pulls").at(self.pull_number)
    }

    /// Where one of its reviews is.
    pub(super) fn review(&self, repo: &Repo, id: u64) -> Path {
        self.path(repo).at("reviews").at(id)
    }
}
