//! How a report comes to its end, beside others that do the same, on replicas that know nothing of each other and that
//! may be killed between any two requests.
//!
//! A round looks at everything anew and does what is missing; the report is at its end when a round finds the failure's
//! issue open with this occurrence told in it. Four rules make that true for good:
//!
//! - The issue is the open one of the lowest number. A forge gives numbers in the order in which issues become visible,
//!   so whoever creates one and then looks sees every lower one, and closes its own.
//! - An issue's own text tells its first occurrence: creating both is one request, and cannot be half done.
//! - Who relies on an issue sees it open after having written to it; who closes a duplicate reads it after that, and
//!   carries over what it tells. So nothing told in time is lost, whoever comes first. Each step is one that may be
//!   done twice: the count is of different occurrences.
//! - A duplicate bears the failure's mark until all of it is carried over to an issue seen open after that. One that was
//!   left half-way is found by its mark, also when it is closed, and finished by whoever comes next.
//!
//! A closed issue is reopened before the occurrence is told in it: one that tells it and is closed was closed later, by
//! a person, and a retry leaves it so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kit::ToolError;
use serde_json::json;

use super::candidates::{Candidates, Issue};
use super::ledger::{Comment, Ledger, Told};
use super::mark::{Digest, Mark};
use super::text::{self, Occurrence};
use super::{Action, Reported, Shown};
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::{ALL, Forge};
use crate::model::label::Label;
use crate::model::name::Repo;

/// Two are usual; more are needed only where people or other replicas change the same issues meanwhile.
const MOST_ROUNDS: u32 = 8;
/// Before another look at a forge that failed.
const PAUSE: Duration = Duration::from_millis(300);

/// One report.
pub(super) struct Report {
    pub(super) forge: Forge,
    pub(super) repo: Repo,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) fingerprint: Digest,
    pub(super) occurrence: Digest,
    pub(super) occurrence_id: String,
    pub(super) labels: Vec<Label>,
}

/// What this report has done so far.
#[derive(Debug, Default)]
struct Done {
    created: Option<u64>,
    reopened: Option<u64>,
    /// The occurrence was not told before.
    told: bool,
    closed: BTreeSet<u64>,
    /// Comments that tell an occurrence, by their ids.
    comments: BTreeMap<u64, Digest>,
    labels_left_out: Vec<String>,
}

impl Report {
    /// Rounds until nothing is missing.
    pub(super) async fn settle(self) -> Result<Reported> {
        let mut done = Done::default();
        let mut failed = None;
        for _ in 0..MOST_ROUNDS {
            match self.round(&mut done).await {
                Ok(Some(issue)) => return self.reported(issue, done).await,
                Ok(None) => {}
                // Whether it has done what it was asked, a new look tells.
                Err(error) if error.status().is_some_and(|status| status.is_server_error()) => {
                    failed = Some(error);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        let restless = || ToolError::service("the failure's issue keeps changing; report it again").into();
        Err(failed.unwrap_or_else(restless))
    }

    /// Looks, and does what is missing; the issue, if nothing is.
    async fn round(&self, done: &mut Done) -> Result<Option<Issue>> {
        let Candidates { open, closed } =
            Candidates::list(&self.forge, &self.repo, &self.fingerprint).await?;
        let Some((winner, duplicates)) = open.split_first() else {
            return self.without_open(closed, done).await;
        };
        // Closed ones of lower numbers are the failure's past; those of higher ones are duplicates left half-way.
        let (past, left) = closed.split_at(closed.partition_point(|issue| issue.number < winner.number));
        let mut ledger = self.ledger(winner).await?;
        if !ledger.tells(&self.occurrence) {
            for issue in past {
                if self.ledger(issue).await?.tells(&self.occurrence) {
                    return Ok(Some(issue.clone()));
                }
            }
            self.tell(winner, self.occurrence.clone(), self.texts().comment(), &mut ledger, done).await?;
            done.told = true;
        }
        for duplicate in duplicates.iter().chain(left) {
            if !self.fold(duplicate, winner, &mut ledger, done).await? {
                return Ok(None);
            }
        }
        let winner = self.look(winner.number).await?;
        Ok(winner.filter(Issue::is_open))
    }

    /// A closed issue is the failure's again, or there is a new one.
    async fn without_open(&self, closed: Vec<Issue>, done: &mut Done) -> Result<Option<Issue>> {
        let days = self.forge.args().reopen_days;
        let before = match closed.is_empty() {
            true => Candidates::before_that(&self.forge, &self.repo, &self.fingerprint).await?,
            false => None,
        };
        let closed: Vec<Issue> = closed.into_iter().chain(before).collect();
        for issue in &closed {
            let again = done.told && issue.closed_within(days);
            if !again && self.ledger(issue).await?.tells(&self.occurrence) {
                return Ok(Some(issue.clone()));
            }
        }
        match (closed.iter().find(|issue| issue.closed_within(days)), done.created) {
            (Some(issue), _) => {
                let _: Issue = self.forge.patch(self.at(issue.number), &json!({"state": "open"})).await?;
                done.reopened = Some(issue.number);
            }
            // Each round would make one more.
            (None, Some(number)) => {
                return Err(Error::Unexpected(format!("it made issue {number}, but does not list it")));
            }
            (None, None) => self.create(closed.last().map(|issue| issue.number), done).await?,
        }
        Ok(None)
    }

    async fn create(&self, previous: Option<u64>, done: &mut Done) -> Result<()> {
        let labels: Vec<u64> = self.labels.iter().map(|label| label.id).collect();
        let new = json!({"title": self.title, "body": self.texts().issue(previous), "labels": labels});
        let issue: Issue = self.forge.post(self.repo.path().at("issues"), &new).await?;
        let there = issue.labels.unwrap_or_default();
        let left_out = self.labels.iter().filter(|label| there.iter().all(|it| it.id != label.id));
        done.labels_left_out = left_out.map(|label| label.name.clone()).collect();
        done.created = Some(issue.number);
        done.told = true;
        Ok(())
    }

    /// Closes a duplicate and carries over what it tells. False when the winner is no longer open: then it is for
    /// another round to say who is.
    async fn fold(
        &self,
        issue: &Issue,
        winner: &Issue,
        ledger: &mut Ledger,
        done: &mut Done,
    ) -> Result<bool> {
        if !self.ledger(issue).await?.duplicate_of.contains(&winner.number) {
            self.comment(issue.number, &text::duplicate(&self.fingerprint, winner.number)).await?;
        }
        if issue.is_open() {
            let _: Issue = self.forge.patch(self.at(issue.number), &json!({"state": "closed"})).await?;
            done.closed.insert(issue.number);
        }
        let Some(issue) = self.look(issue.number).await? else { return Ok(true) };
        for (occurrence, told) in self.ledger(&issue).await?.occurrences {
            if !ledger.tells(&occurrence) {
                let text = text::carried(&self.fingerprint, &occurrence, issue.number, &told.text);
                self.tell(winner, occurrence, text, ledger, done).await?;
            }
        }
        let Some(was @ Mark::Occurrence(_)) = Mark::find(&issue.body, &self.fingerprint) else {
            return Ok(true);
        };
        if !self.look(winner.number).await?.is_some_and(|winner| winner.is_open()) {
            return Ok(false);
        }
        self.release(&issue, was).await
    }

    /// The duplicate is none of the failure's issues any more. False when its text has just been changed.
    async fn release(&self, issue: &Issue, was: Mark) -> Result<bool> {
        let Mark::Occurrence(first) = was.clone() else { return Ok(true) };
        let body = text::marked_anew(&issue.body, &self.fingerprint, &was, &Mark::TakenOver(first));
        let change = json!({"body": body, "content_version": issue.content_version});
        match self.forge.patch::<Issue>(self.at(issue.number), &change).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What is there in the end.
    async fn reported(&self, issue: Issue, done: Done) -> Result<Reported> {
        let ledger = self.ledger(&issue).await?;
        self.tidy(&ledger, &done).await?;
        let action = match issue.number {
            number if done.created == Some(number) => Action::Created,
            number if done.reopened == Some(number) => Action::Reopened,
            _ if done.told => Action::Commented,
            _ => Action::Unchanged,
        };
        let Issue { number, html_url: url, state, title, .. } = issue;
        Ok(Reported {
            issue: Shown { number, url, state, title },
            action,
            occurrences: ledger.occurrences.len(),
            occurrence_id: self.occurrence_id.clone(),
            duplicates_closed: done.closed.into_iter().collect(),
            labels_left_out: done.labels_left_out,
        })
    }

    /// Takes back comments of this report's own that tell what an earlier one tells: two reports carried it over at
    /// once. The first one of all stays, whoever looks.
    async fn tidy(&self, ledger: &Ledger, done: &Done) -> Result<()> {
        for (id, occurrence) in &done.comments {
            let first = ledger.occurrences.get(occurrence);
            if first.is_some_and(|told| told.comment.is_none_or(|first| first < *id)) {
                let path = self.repo.path().at("issues").at("comments").at(id);
                match self.forge.delete(path, &ALL).await {
                    Err(error) if !error.is_missing() => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Tells an occurrence in a comment.
    async fn tell(
        &self,
        issue: &Issue,
        occurrence: Digest,
        text: String,
        ledger: &mut Ledger,
        done: &mut Done,
    ) -> Result<()> {
        let comment = self.comment(issue.number, &text).await?;
        done.comments.insert(comment, occurrence.clone());
        ledger.occurrences.insert(occurrence, Told { comment: Some(comment), text });
        Ok(())
    }

    async fn comment(&self, number: u64, text: &str) -> Result<u64> {
        let made: Comment = self.forge.post(self.at(number).at("comments"), &json!({"body": text})).await?;
        Ok(made.id)
    }

    async fn ledger(&self, issue: &Issue) -> Result<Ledger> {
        Ledger::read(&self.forge, &self.repo, issue, &self.fingerprint).await
    }

    async fn look(&self, number: u64) -> Result<Option<Issue>> {
        self.forge.look(self.at(number)).await
    }

    fn at(&self, number: u64) -> Path {
        self.repo.path().at("issues").at(number)
    }

    fn texts(&self) -> Occurrence<'_> {
        Occurrence {
            fingerprint: &self.fingerprint,
            digest: &self.occurrence,
            id: &self.occurrence_id,
            title: &self.title,
            body: &self.body,
        }
    }
}
