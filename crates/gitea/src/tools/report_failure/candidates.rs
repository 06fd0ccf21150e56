//! Which issues a failure may have: those of a repository whose own text bears its mark.
//!
//! They are listed, not searched: the index of a search lags behind, and a report must see what the one before it did.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::mark::{Digest, Mark};
use crate::error::Result;
use crate::forge::Forge;
use crate::model::label::Label;
use crate::model::name::Repo;

/// An issue, as far as reports need it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Issue {
    pub(super) number: u64,
    pub(super) title: String,
    #[serde(default)]
    pub(super) body: String,
    pub(super) state: String,
    pub(super) html_url: String,
    closed_at: Option<String>,
    /// Counts the changes of `body`, where the forge does.
    pub(super) content_version: Option<u64>,
    pub(super) labels: Option<Vec<Label>>,
}

/// The issues that bear a failure's mark, lowest number first.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub(super) open: Vec<Issue>,
    /// Those that another one has taken over are not among them.
    pub(super) closed: Vec<Issue>,
}

impl Issue {
    pub(super) fn is_open(&self) -> bool {
        self.state == "open"
    }

    /// Whether it was closed not longer ago than this.
    pub(super) fn closed_within(&self, days: u32) -> bool {
        let closed = self.closed_at.as_ref().and_then(|at| at.parse::<Timestamp>().ok());
        days > 0 && closed.is_some_and(|closed| closed >= ago(days))
    }
}

impl Candidates {
    /// Of now, as far as a list can tell that has pages: one issue more or less between two pages can hide another for
    /// this time. The next look sees it.
    ///
    /// What nobody touched in the time that matters comes from the first list, if it is open; the second has all that
    /// was touched, in either state. So an issue that changes its state between them is in the second.
    pub(super) async fn list(forge: &Forge, repo: &Repo, fingerprint: &Digest) -> Result<Self> {
        let edge = ago(forge.args().reopen_days.max(1)).to_string();
        let untouched = [("type", "issues"), ("state", "open"), ("before", &*edge)];
        let touched = [("type", "issues"), ("state", "all"), ("since", &*edge)];
        let mut all: Vec<Issue> = forge.whole(repo.path().at("issues"), &untouched).await?;
        let touched: Vec<Issue> = forge.whole(repo.path().at("issues"), &touched).await?;
        all.retain(|old| touched.iter().all(|new| new.number != old.number));
        all.extend(touched);
        all.sort_by_key(|issue| issue.number);
        all.dedup_by_key(|issue| issue.number);
        let mut candidates = Self::default();
        for issue in all {
            match Mark::find(&issue.body, fingerprint) {
                Some(Mark::Occurrence(_) | Mark::TakenOver(_)) if issue.is_open() => {
                    candidates.open.push(issue)
                }
                Some(Mark::Occurrence(_)) => candidates.closed.push(issue),
                _ => {}
            }
        }
        Ok(candidates)
    }

    /// The last issue of a failure that was closed too long ago to be listed. A search is good enough for it: it is in
    /// the index since long, and what is missed is a link only.
    pub(super) async fn before_that(
        forge: &Forge,
        repo: &Repo,
        fingerprint: &Digest,
    ) -> Result<Option<Issue>> {
        let query = [("type", "issues"), ("state", "closed"), ("q", &*fingerprint.to_string())];
        let found: Vec<Issue> = forge.find(repo.path().at("issues"), &query).await?;
        let is_its =
            |issue: &Issue| matches!(Mark::find(&issue.body, fingerprint), Some(Mark::Occurrence(_)));
        Ok(found.into_iter().filter(is_its).max_by_key(|issue| issue.number))
    }
}

/// In whole seconds, as forges have it.
fn ago(days: u32) -> Timestamp {
    let now = Timestamp::now().as_second();
    let then = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(days)).as_secs());
    Timestamp::from_second(then.max(0)).unwrap_or(Timestamp::UNIX_EPOCH)
}
