//! Reviews of pull requests: writing, submitting and dismissing them, and settling what their comments are about.

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::pulls::Which;
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::once::{Create, Idempotency};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::name::Repo;
use crate::model::pull::{ChangedFile, Review, ReviewComment};
use crate::model::user::User;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "pull_request_review_write",
            "Review a pull request",
            "Creates, submits, deletes or dismisses reviews; replies to and resolves their comments.",
        )
        .writes("create", create)
        .classic("create_pull_request_review")
        .writes("submit", submit)
        .classic("submit_pull_request_review")
        .destroys("delete", delete)
        .classic("delete_pull_request_review")
        .writes("dismiss", dismiss)
        .since(1, 14)
        .classic("dismiss_pull_request_review")
        .writes("reply_comment", reply_comment)
        .since(1, 27)
        .writes("resolve_thread", resolve_thread)
        .since(1, 26)
        .writes("unresolve_thread", unresolve_thread)
        .since(1, 26),
    ]
}

/// Which review.
#[derive(Deserialize, JsonSchema)]
struct WhichReview {
    review_id: u64,
}

/// Which comment of one.
#[derive(Deserialize, JsonSchema)]
struct WhichComment {
    comment_id: u64,
}

/// A new review.
#[derive(Deserialize, JsonSchema)]
struct New {
    /// APPROVED, REQUEST_CHANGES, COMMENT or PENDING (default)
    state: Option<String>,
    body: Option<String>,
    commit_id: Option<String>,
    comments: Option<Vec<NewComment>>,
}

/// A comment on one line of the diff.
#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
struct NewComment {
    path: String,
    body: String,
    #[serde(default, rename(serialize = "old_position"))]
    old_line_num: u64,
    #[serde(default, rename(serialize = "new_position"))]
    new_line_num: u64,
}

/// What becomes of a pending review.
#[derive(Deserialize, JsonSchema)]
struct Verdict {
    state: String,
    body: Option<String>,
}

/// Why a review no longer counts.
#[derive(Deserialize, Serialize, JsonSchema)]
struct Dismissal {
    #[serde(default)]
    message: String,
}

/// What is answered to a comment.
#[derive(Deserialize, Serialize, JsonSchema)]
struct Reply {
    body: String,
}

/// A review as Gitea takes it.
#[skip_serializing_none]
#[derive(Serialize)]
struct Sent {
    event: &'static str,
    body: Option<String>,
    commit_id: Option<String>,
    comments: Option<Vec<NewComment>>,
}

async fn create(forge: Forge, repo: Repo, which: Which, new: New, once: Idempotency) -> Result<Review> {
    for (number, comment) in new.comments.iter().flatten().enumerate() {
        if (comment.old_line_num > 0) == (comment.new_line_num > 0) {
            let field = format!("comments[{number}]");
            let message = format!("{field} needs new_line_num, or old_line_num for a line that is gone");
            return Err(Error::argument(field, message));
        }
    }
    if let (Some(comments @ [_, ..]), None) = (new.comments.as_deref(), &new.commit_id) {
        all_in_diff(&forge, &repo, &which, comments).await?;
    }
    let event = event(new.state.as_deref().unwrap_or("PENDING"))?;
    let mut sent = Sent { event, body: new.body, commit_id: new.commit_id, comments: new.comments };
    let mark = once.mark(&sent)?;
    if let Some(mark) = &mark {
        sent.body = Some(mark.below(sent.body.as_deref().unwrap_or_default()));
    }
    let create = NewReview { path: which.path(&repo).at("reviews"), sent };
    let made = forge.once(&create.path, mark.as_ref(), &create).await?;
    forge.get(which.review(&repo, made.id)).await
}

/// Forges take a comment on any file, and show it nowhere when that is none of the pull request's.
async fn all_in_diff(forge: &Forge, repo: &Repo, which: &Which, comments: &[NewComment]) -> Result<()> {
    let files: Vec<ChangedFile> = forge.whole(which.path(repo).at("files"), &ALL).await?;
    let is_changed = |path: &String| {
        files.iter().any(|file| file.filename == *path || file.previous_filename.as_ref() == Some(path))
    };
    match comments.iter().position(|comment| !is_changed(&comment.path)) {
        Some(number) => {
            let path = kit::clip(&comments[number].path);
            let message = format!("{path} is none of the files that this pull request changes");
            Err(Error::argument(format!("comments[{number}].path"), message))
        }
        None => Ok(()),
    }
}

struct NewReview {
    path: Path,
    sent: Sent,
}

impl Create for NewReview {
    type Made = Review;

    async fn recent(&self, forge: &Forge) -> Result<Vec<Review>> {
        forge.whole(self.path.clone(), &ALL).await
    }

    async fn make(&self, forge: &Forge) -> Result<Review> {
        if self.sent.comments.as_ref().is_none_or(Vec::is_empty) {
            return forge.post(self.path.clone(), &self.sent).await;
        }
        let before = self.pending(forge).await?;
        match forge.post(self.path.clone(), &self.sent).await {
            Err(refusal @ Error::Refused { .. }) => Err(self.clean_up(forge, before, refusal).await?),
            done => done,
        }
    }

    async fn take_back(&self, forge: &Forge, made: &Review) -> Result<()> {
        forge.delete(self.path.clone().at(made.id), &ALL).await
    }
}

impl NewReview {
    /// The caller's review that waits to be submitted; nobody has more than one. A token may not tell whose it is.
    async fn pending(&self, forge: &Forge) -> Result<Option<Review>> {
        let Ok(me) = forge.get::<User>(Path::of("user")).await else { return Ok(None) };
        let mine = |review: &Review| {
            review.state == "PENDING"
                && review.user.as_ref().is_some_and(|user| user.eq_ignore_ascii_case(&me.login))
        };
        Ok(self.recent(forge).await?.into_iter().find(mine))
    }

    /// Gitea puts comments into a pending review one after the other, and leaves it there when it refuses one: the next
    /// try would say them twice. The error says which one it was.
    async fn clean_up(&self, forge: &Forge, before: Option<Review>, refusal: Error) -> Result<Error> {
        let left = self.pending(forge).await?;
        let count =
            |review: &Option<Review>| review.as_ref().and_then(|it| it.comments_count).unwrap_or_default();
        let taken = count(&left).saturating_sub(count(&before));
        let kept = match (&before, left) {
            (Some(before), _) if taken > 0 => {
                format!("; the comments before it are in the pending review {}", before.id)
            }
            (None, Some(left)) => {
                self.take_back(forge, &left).await?;
                String::new()
            }
            _ => String::new(),
        };
        if refusal.status() != Some(StatusCode::INTERNAL_SERVER_ERROR) {
            return Ok(refusal);
        }
        let field = format!("comments[{taken}]");
        let message = format!("gitea does not take {field}: its path or line is not in the diff{kept}");
        Ok(Error::argument(field, message))
    }
}

async fn submit(
    forge: Forge,
    repo: Repo,
    which: Which,
    review: WhichReview,
    verdict: Verdict,
) -> Result<Review> {
    let sent = Sent { event: event(&verdict.state)?, body: verdict.body, commit_id: None, comments: None };
    let path = which.review(&repo, review.review_id);
    forge.post::<Review>(path.clone(), &sent).await?;
    forge.get(path).await
}

async fn delete(forge: Forge, repo: Repo, which: Which, review: WhichReview) -> Result<Deleted> {
    let path = which.review(&repo, review.review_id);
    forge.get::<Review>(path.clone()).await?;
    forge.delete(path, &ALL).await?;
    Ok(Deleted::of(review.review_id))
}

async fn dismiss(
    forge: Forge,
    repo: Repo,
    which: Which,
    review: WhichReview,
    dismissal: Dismissal,
) -> Result<Review> {
    let path = which.review(&repo, review.review_id);
    forge.post::<Review>(path.clone().at("dismissals"), &dismissal).await?;
    forge.get(path).await
}

async fn reply_comment(
    forge: Forge,
    repo: Repo,
    which: Which,
    comment: WhichComment,
    reply: Reply,
) -> Result<ReviewComment> {
    forge.post(which.path(&repo).at("comments").at(comment.comment_id).at("replies"), &reply).await
}

async fn resolve_thread(
    forge: Forge,
    repo: Repo,
    which: Which,
    comment: WhichComment,
) -> Result<ReviewComment> {
    settle(forge, repo, which, comment.comment_id, true).await
}

async fn unresolve_thread(
    forge: Forge,
    repo: Repo,
    which: Which,
    comment: WhichComment,
) -> Result<ReviewComment> {
    settle(forge, repo, which, comment.comment_id, false).await
}

/// Gitea takes any comment of the repository; this one must be the pull request's.
async fn settle(forge: Forge, repo: Repo, which: Which, id: u64, resolved: bool) -> Result<ReviewComment> {
    let review = review_of(&forge, &repo, &which, id).await?;
    let word = if resolved { "resolve" } else { "unresolve" };
    forge.change(http::Method::POST, &repo.path().at("pulls").at("comments").at(id).at(word), &ALL).await?;
    let now = comment_in(&forge, &repo, &which, review, id).await?;
    now.filter(|comment| comment.resolver.is_some() == resolved)
        .ok_or_else(|| Error::Unexpected(format!("comment {id} is not {word}d though it said so")))
}

/// The review that a comment belongs to.
async fn review_of(forge: &Forge, repo: &Repo, which: &Which, comment: u64) -> Result<u64> {
    let reviews: Vec<Review> = forge.whole(which.path(repo).at("reviews"), &ALL).await?;
    for review in reviews.iter().filter(|review| review.comments_count.is_none_or(|count| count > 0)) {
        if comment_in(forge, repo, which, review.id, comment).await?.is_some() {
            return Ok(review.id);
        }
    }
    Err(Error::argument(
        "comment_id",
        format!("pull request {} has no review comment {comment}", which.pull_number),
    ))
}

async fn comment_in(
    forge: &Forge,
    repo: &Repo,
    which: &Which,
    review: u64,
    id: u64,
) -> Result<Option<ReviewComment>> {
    let comments: Option<Vec<ReviewComment>> = forge.get(which.review(repo, review).at("comments")).await?;
    Ok(comments.unwrap_or_default().into_iter().find(|comment| comment.id == id))
}

/// The word for it in Gitea; agents also know GitHub's.
fn event(state: &str) -> Result<&'static str> {
    match state.to_ascii_uppercase().as_str() {
        "APPROVED" | "APPROVE" => Ok("APPROVED"),
        "REQUEST_CHANGES" | "CHANGES_REQUESTED" => Ok("REQUEST_CHANGES"),
        "COMMENT" => Ok("COMMENT"),
        "PENDING" => Ok("PENDING"),
        _ => Err(Error::argument("state", "state must be APPROVED, REQUEST_CHANGES, COMMENT or PENDING")),
    }
}
