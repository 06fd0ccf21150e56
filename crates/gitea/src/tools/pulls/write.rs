//! Opening pull requests and changing what is said of them.

use http::StatusCode;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_with::skip_serializing_none;

use super::Which;
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::forge::once::{self, Create, Idempotency, Marked};
use crate::model::name::{Name, Repo, Slashed, Time, Title};
use crate::model::pull::Pull;
use crate::tools::taken::Expected;

/// So many of the newest are looked through for a key.
const RECENT: &str = "50";
/// Gitea takes a pull request whose title begins so for a draft.
const DRAFT: &str = "WIP: ";
/// The beginnings it knows unless it is told others, without regard to case.
const DRAFTS: [&str; 2] = ["WIP:", "[WIP]"];

/// A new pull request.
#[derive(Deserialize, JsonSchema)]
pub(super) struct New {
    title: Title,
    /// branch, or owner:branch of a fork
    head: Slashed,
    base: Slashed,
    body: Option<String>,
    reviewers: Option<Vec<Name>>,
    team_reviewers: Option<Vec<String>>,
}

/// What is to become of one.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Edit {
    title: Option<Title>,
    body: Option<String>,
    base: Option<Slashed>,
    state: Option<String>,
    remove_deadline: Option<bool>,
}

/// What both may say.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Details {
    assignee: Option<Name>,
    assignees: Option<Vec<Name>>,
    /// title or id; 0 for none
    milestone: Option<String>,
    /// names or ids
    labels: Option<Vec<String>>,
    deadline: Option<Time>,
    /// by WIP before the title
    draft: Option<bool>,
    allow_maintainer_edit: Option<bool>,
}

/// The same as Gitea takes it.
#[skip_serializing_none]
#[derive(Default, Serialize)]
struct Sent {
    title: Option<Title>,
    body: Option<String>,
    head: Option<Slashed>,
    base: Option<Slashed>,
    state: Option<String>,
    assignees: Option<Vec<Name>>,
    milestone: Option<u64>,
    labels: Option<Vec<u64>>,
    due_date: Option<Time>,
    unset_due_date: Option<bool>,
    allow_maintainer_edit: Option<bool>,
    reviewers: Option<Vec<Name>>,
    team_reviewers: Option<Vec<String>>,
}

pub(super) async fn create(
    forge: Forge,
    repo: Repo,
    new: New,
    details: Details,
    once: Idempotency,
) -> Result<Pull> {
    forge.may_touch_branch(&new.head, &repo.owner)?;
    forge.users("reviewers", new.reviewers.as_deref().unwrap_or_default()).await?;
    forge.teams(&repo, "team_reviewers", new.team_reviewers.as_deref().unwrap_or_default()).await?;
    let title = match details.draft {
        Some(draft) => titled(&new.title, draft)?,
        None => new.title,
    };
    let (details, expected) = details.resolved(&forge, &repo).await?;
    let mut sent = Sent {
        title: Some(title),
        body: new.body,
        head: Some(new.head.clone()),
        base: Some(new.base.clone()),
        reviewers: new.reviewers,
        team_reviewers: new.team_reviewers,
        ..details
    };
    let mark = once.mark(&sent)?;
    if let Some(mark) = &mark {
        sent.body = Some(mark.below(sent.body.as_deref().unwrap_or_default()));
    }
    let Repo { owner, .. } = &repo;
    let path = repo.path().at("pulls");
    let create = NewPull { path, owner, head: &new.head, base: &new.base, sent, expected };
    forge.once(&create.path, mark.as_ref(), &create).await
}

/// Its branches are a pull request's natural key: there is one open at most, and a retry gets it.
struct NewPull<'a> {
    path: Path,
    owner: &'a Name,
    head: &'a str,
    base: &'a str,
    sent: Sent,
    expected: Expected,
}

impl Create for NewPull<'_> {
    type Made = Pull;

    async fn recent(&self, forge: &Forge) -> Result<Vec<Pull>> {
        forge.find(self.path.clone(), &[("state", "all"), ("limit", RECENT)]).await
    }

    async fn make(&self, forge: &Forge) -> Result<Pull> {
        let refusal = match forge.post(self.path.clone(), &self.sent).await {
            Err(error) if error.status() == Some(StatusCode::CONFLICT) => error,
            done => return done,
        };
        match self.open(forge).await? {
            Some(pull) if self.is_like(&pull) => Ok(pull),
            Some(Pull { number, .. }) => {
                let message = format!(
                    "pull request {number} is open for these branches already, and not like this; update it"
                );
                Err(Error::argument("head", message))
            }
            None => Err(refusal),
        }
    }

    fn check(&self, made: &Pull) -> Result<()> {
        self.expected.check(made)
    }

    async fn take_back(&self, forge: &Forge, made: &Pull) -> Result<()> {
        let closed = Sent { state: Some("closed".into()), ..Sent::default() };
        forge.patch::<Pull>(self.path.clone().at(made.number), &closed).await.map(|_| ())
    }
}

impl NewPull<'_> {
    /// The open one between these branches.
    async fn open(&self, forge: &Forge) -> Result<Option<Pull>> {
        let (place, branch) = self.head.split_once(':').unwrap_or((self.owner, self.head));
        let owner = place.split('/').next().unwrap_or_default();
        let pulls: Vec<Pull> =
            forge.whole(self.path.clone(), &[("state", "open"), ("base_branch", self.base)]).await?;
        Ok(pulls.into_iter().find(|pull| {
            let fork = pull.head.repo.as_deref().and_then(|name| name.split('/').next()).unwrap_or_default();
            pull.head.name == branch && pull.base.name == self.base && fork.eq_ignore_ascii_case(owner)
        }))
    }

    fn is_like(&self, pull: &Pull) -> bool {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        self.sent.title.as_deref() == Some(&pull.title) && text(&self.sent.body) == text(&pull.body)
    }
}

pub(super) async fn update(
    forge: Forge,
    repo: Repo,
    which: Which,
    edit: Edit,
    details: Details,
) -> Result<Pull> {
    if let Some(state) = edit.state.as_deref().filter(|state| !matches!(*state, "open" | "closed")) {
        return Err(Error::argument("state", format!("state is open or closed, not {}", kit::clip(state))));
    }
    let was: Option<Pull> = match edit.body.is_some() || details.draft.is_some() && edit.title.is_none() {
        true => Some(forge.get(which.path(&repo)).await?),
        false => None,
    };
    let title = match (edit.title.as_deref().or(was.as_ref().map(|it| it.title.as_str())), details.draft) {
        (Some(title), Some(draft)) => Some(titled(title, draft)?),
        _ => edit.title,
    };
    let body = edit.body.map(|new| once::kept(was.as_ref().map(Marked::text).unwrap_or_default(), new));
    let (details, mut expected) = details.resolved(&forge, &repo).await?;
    expected.without_deadline(edit.remove_deadline)?;
    let mut sent = Sent {
        title,
        body,
        base: edit.base,
        state: edit.state,
        unset_due_date: edit.remove_deadline,
        ..details
    };
    let fields = serde_json::to_value(&sent).unwrap_or_default();
    if fields.as_object().is_some_and(serde_json::Map::is_empty) {
        return Err(Error::argument(
            "title",
            "nothing to change: give title, body, state, labels or another field",
        ));
    }
    // Only as an issue does a pull request let go of its milestone.
    if sent.milestone == Some(0) {
        sent.milestone = None;
        let issue = repo.path().at("issues").at(which.pull_number);
        forge.patch::<IgnoredAny>(issue, &json!({"milestone": 0})).await?;
    }
    let is = change(&forge, &repo, &which, &sent).await?;
    expected.check(&is)?;
    Ok(is)
}

pub(super) async fn close(forge: Forge, repo: Repo, which: Which) -> Result<Pull> {
    turn(&forge, &repo, &which, "closed").await
}

pub(super) async fn reopen(forge: Forge, repo: Repo, which: Which) -> Result<Pull> {
    turn(&forge, &repo, &which, "open").await
}

async fn turn(forge: &Forge, repo: &Repo, which: &Which, state: &str) -> Result<Pull> {
    change(forge, repo, which, &Sent { state: Some(state.into()), ..Sent::default() }).await
}

async fn change(forge: &Forge, repo: &Repo, which: &Which, sent: &Sent) -> Result<Pull> {
    let pull: Pull = forge.patch(which.path(repo), sent).await?;
    let stays = |is: &str| Err(Error::Unexpected(format!("pull request {} stays {is}", pull.number)));
    match (&sent.state, &sent.base) {
        (Some(state), _) if pull.state != *state => stays(&pull.state),
        // Of one that is merged, forges take any.
        (_, Some(base)) if *pull.base.name != **base => stays(&format!("on {}", pull.base.name)),
        _ => Ok(pull),
    }
}

impl Details {
    /// With numbers for names. Nothing has been written when one of them is wrong.
    async fn resolved(self, forge: &Forge, repo: &Repo) -> Result<(Sent, Expected)> {
        let milestone = match &self.milestone {
            Some(name) => Some(forge.milestone(repo, "milestone", name).await?),
            None => None,
        };
        let labels = match &self.labels {
            Some(names) => Some(forge.labels(repo, "labels", names).await?),
            None => None,
        };
        let assignees: Option<Vec<Name>> = match (self.assignees, self.assignee) {
            (None, None) => None,
            (many, one) => Some(many.into_iter().flatten().chain(one).collect()),
        };
        forge.assignees(repo, "assignees", assignees.as_deref().unwrap_or_default()).await?;
        let sent = Sent {
            assignees: assignees.clone(),
            milestone: milestone.as_ref().map(|it| it.as_ref().map_or(0, |it| it.id)),
            labels: labels.as_ref().map(|all| all.iter().map(|it| it.id).collect()),
            due_date: self.deadline.clone(),
            allow_maintainer_edit: self.allow_maintainer_edit,
            ..Sent::default()
        };
        let expected = Expected {
            labels: labels.map(|all| all.into_iter().map(|it| it.name).collect()),
            milestone: milestone.map(|it| it.map(|it| it.name)),
            assignees,
            deadline: self.deadline.map(Some),
        };
        Ok((sent, expected))
    }
}

/// The title of a draft, or of what is none any more.
fn titled(title: &str, draft: bool) -> Result<Title> {
    let begins = |prefix: &&&str| title.get(..prefix.len()).is_some_and(|it| it.eq_ignore_ascii_case(prefix));
    let title = match (DRAFTS.iter().find(begins), draft) {
        (None, true) => format!("{DRAFT}{title}"),
        (Some(prefix), false) => title.get(prefix.len()..).unwrap_or_default().trim_start().to_owned(),
        (Some(_), true) | (None, false) => title.to_owned(),
    };
    Title::try_from(title).map_err(|why| Error::argument("title", format!("title {why}")))
}

#[cfg(test)]
mod tests {
    use super::titled;

    #[test]
    fn a_draft_is_told_by_its_title() {
        for (title, draft, expected) in [
            ("x", true, "WIP: x"),
            ("wip: x", true, "wip: x"),
            ("[WIP] x", false, "x"),
            ("x", false, "x"),
            ("ü", true, "WIP: ü"),
        ] {
            assert_eq!(&*titled(title, draft).expect("a title"), expected);
        }
    }
}
