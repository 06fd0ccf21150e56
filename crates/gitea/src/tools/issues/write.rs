//! Making and editing issues and comments.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_with::skip_serializing_none;

use super::Which;
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::once::{self, Create, Idempotency};
use crate::forge::{ALL, Forge};
use crate::model::issue::{Comment, Issue};
use crate::model::name::{Name, Repo, Time, Title};
use crate::tools::report_failure;
use crate::tools::taken::Expected;

/// So many of the newest are looked through for a key.
const RECENT: &str = "50";

/// A new issue.
#[derive(Deserialize, JsonSchema)]
pub(super) struct New {
    title: Title,
}

/// What is to become of an issue.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Edit {
    title: Option<Title>,
    /// open or closed
    state: Option<State>,
    remove_deadline: Option<bool>,
    /// refuse if it has changed since
    expected_updated_at: Option<String>,
}

/// What new and old issues take alike.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Fields {
    body: Option<String>,
    assignees: Option<Vec<Name>>,
    /// title or id; 0 for none
    milestone: Option<String>,
    /// names or ids
    labels: Option<Vec<String>>,
    r#ref: Option<String>,
    deadline: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum State {
    Open,
    Closed,
}

/// Which comment; its argument has a name of its own here.
#[derive(Deserialize, JsonSchema)]
pub(super) struct WhichComment {
    #[serde(rename = "commentID")]
    comment_id: u64,
}

/// A comment's text.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Text {
    body: String,
}

/// An issue as the API takes it.
#[skip_serializing_none]
#[derive(Serialize)]
struct Sent {
    title: Option<Title>,
    body: Option<String>,
    state: Option<State>,
    assignees: Option<Vec<Name>>,
    milestone: Option<u64>,
    labels: Option<Vec<u64>>,
    r#ref: Option<String>,
    due_date: Option<Time>,
    unset_due_date: Option<bool>,
}

impl Fields {
    /// With numbers for names. Nothing has been written when one of them is wrong.
    async fn resolved(self, forge: &Forge, repo: &Repo) -> Result<(Sent, Expected)> {
        let labels = match &self.labels {
            Some(names) => Some(forge.labels(repo, "labels", names).await?),
            None => None,
        };
        let milestone = match &self.milestone {
            Some(name) => Some(forge.milestone(repo, "milestone", name).await?),
            None => None,
        };
        forge.assignees(repo, "assignees", self.assignees.as_deref().unwrap_or_default()).await?;
        let sent = Sent {
            title: None,
            body: self.body,
            state: None,
            assignees: self.assignees.clone(),
            milestone: milestone.as_ref().map(|it| it.as_ref().map_or(0, |it| it.id)),
            labels: labels.as_ref().map(|all| all.iter().map(|it| it.id).collect()),
            r#ref: self.r#ref,
            due_date: self.deadline.clone(),
            unset_due_date: None,
        };
        let expected = Expected {
            labels: labels.map(|all| all.into_iter().map(|it| it.name).collect()),
            milestone: milestone.map(|it| it.map(|it| it.name)),
            assignees: self.assignees,
            deadline: self.deadline.map(Some),
        };
        Ok((sent, expected))
    }
}

pub(super) async fn create(
    forge: Forge,
    repo: Repo,
    new: New,
    fields: Fields,
    once: Idempotency,
) -> Result<Issue> {
    let (mut sent, expected) = fields.resolved(&forge, &repo).await?;
    sent.title = Some(new.title);
    let mark = once.mark(&sent)?;
    if let Some(mark) = &mark {
        sent.body = Some(mark.below(sent.body.as_deref().unwrap_or_default()));
    }
    let path = repo.path().at("issues");
    forge.once(&path, mark.as_ref(), &NewIssue { path: &path, sent, expected }).await
}

struct NewIssue<'a> {
    path: &'a Path,
    sent: Sent,
    expected: Expected,
}

impl Create for NewIssue<'_> {
    type Made = Issue;

    async fn recent(&self, forge: &Forge) -> Result<Vec<Issue>> {
        let newest = [("state", "all"), ("type", "issues"), ("limit", RECENT)];
        forge.find(self.path.clone(), &newest).await
    }

    async fn make(&self, forge: &Forge) -> Result<Issue> {
        forge.post(self.path.clone(), &self.sent).await
    }

    fn check(&self, made: &Issue) -> Result<()> {
        self.expected.check(made)
    }

    async fn take_back(&self, forge: &Forge, made: &Issue) -> Result<()> {
        let closed = json!({"state": "closed"});
        forge.patch::<Issue>(self.path.clone().at(made.number), &closed).await.map(|_| ())
    }
}

/// Labels are set by a request of their own, and first: the forge takes none with the rest, and refuses them to who
/// may not set them.
pub(super) async fn update(
    forge: Forge,
    repo: Repo,
    which: Which,
    edit: Edit,
    fields: Fields,
) -> Result<Issue> {
    let path = which.path(&repo);
    let was: Issue = forge.get(path.clone()).await?;
    if let Some(expected) = &edit.expected_updated_at {
        expect_unchanged(&was, expected)?;
    }
    let (mut sent, mut expected) = fields.resolved(&forge, &repo).await?;
    expected.without_deadline(edit.remove_deadline)?;
    sent.body = sent.body.map(|body| in_place_of(was.body.as_deref().unwrap_or_default(), body));
    let labels = sent.labels.take();
    sent.title = edit.title;
    sent.state = edit.state;
    sent.unset_due_date = edit.remove_deadline;
    let fields = serde_json::to_value(&sent).unwrap_or_default();
    let changes = fields.as_object().is_some_and(|fields| !fields.is_empty());
    if !changes && labels.is_none() {
        return Err(Error::argument(
            "title",
            "nothing to change: give title, body, state, labels or another field",
        ));
    }
    if let Some(labels) = labels {
        forge.put::<IgnoredAny>(path.clone().at("labels"), &json!({"labels": labels})).await?;
    }
    if changes {
        let changed: Issue = match forge.patch(path.clone(), &sent).await {
            Err(error @ Error::Refused { .. }) => return Err(partly(&forge, path, &was, error).await),
            outcome => outcome?,
        };
        if sent.state.is_some_and(|state| json!(state) != changed.state) {
            return Err(Error::Unexpected(format!("the issue is {} all the same", changed.state)));
        }
    }
    let is: Issue = forge.get(path).await?;
    expected.check(&is)?;
    Ok(is)
}

/// A refusal, with what has been written all the same: of an issue that may not be closed the rest is.
async fn partly(forge: &Forge, path: Path, was: &Issue, error: Error) -> Error {
    let Ok(is) = forge.get::<Issue>(path).await else { return error };
    let differs = [
        ("title", was.title != is.title),
        ("body", was.body != is.body),
        ("state", was.state != is.state),
        ("labels", was.labels != is.labels),
        ("milestone", was.milestone != is.milestone),
        ("assignees", was.assignees != is.assignees),
        ("deadline", was.due_date != is.due_date),
    ];
    let fields: Vec<_> =
        differs.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
    if fields.is_empty() { error } else { Error::Partly { fields, error: Box::new(error) } }
}

/// A text that takes another one's place. What is hidden there stays: a retry, and the next report of a failure, look
/// for it.
fn in_place_of(old: &str, new: String) -> String {
    once::kept(old, report_failure::kept(old, new))
}

fn expect_unchanged(issue: &Issue, expected: &str) -> Result<()> {
    let is = issue.updated_at.clone().unwrap_or_default();
    let instant = |text: &str| text.parse::<Timestamp>().ok();
    if is == expected || instant(&is).is_some_and(|is| Some(is) == instant(expected)) {
        return Ok(());
    }
    let what = "the issue's updated_at".to_owned();
    Err(Error::Changed { field: "expected_updated_at", what, is, expected: kit::clip(expected) })
}

pub(super) async fn add_comment(
    forge: Forge,
    repo: Repo,
    which: Which,
    text: Text,
    once: Idempotency,
) -> Result<Comment> {
    let path = which.path(&repo).at("comments");
    let mark = once.mark(&text.body)?;
    let body = mark.as_ref().map_or_else(|| text.body.clone(), |mark| mark.below(&text.body));
    let made = forge.once(&path, mark.as_ref(), &NewComment { path: &path, repo: &repo, body }).await;
    which.or_missing(&forge, &repo, made).await
}

struct NewComment<'a> {
    path: &'a Path,
    repo: &'a Repo,
    body: String,
}

impl Create for NewComment<'_> {
    type Made = Comment;

    async fn recent(&self, forge: &Forge) -> Result<Vec<Comment>> {
        forge.get(self.path.clone()).await
    }

    async fn make(&self, forge: &Forge) -> Result<Comment> {
        forge.post(self.path.clone(), &json!({"body": self.body})).await
    }

    async fn take_back(&self, forge: &Forge, made: &Comment) -> Result<()> {
        forge.delete(self.repo.path().at("issues").at("comments").at(made.id), &ALL).await
    }
}

pub(super) async fn edit_comment(
    forge: Forge,
    repo: Repo,
    which: WhichComment,
    text: Text,
) -> Result<Comment> {
    let path = repo.path().at("issues").at("comments").at(which.comment_id);
    let was: Comment = forge.get(path.clone()).await?;
    forge.patch(path, &json!({"body": in_place_of(&was.body, text.body)})).await
}
