//! What an issue tells: the occurrences in its own text and its comments, each once, and whose duplicate it is.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::candidates::Issue;
use super::mark::{Digest, Mark};
use crate::error::Result;
use crate::forge::{ALL, Forge};
use crate::model::name::Repo;

/// A comment, as far as reports need it.
#[derive(Debug, Deserialize)]
pub(super) struct Comment {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) body: String,
}

/// Where an occurrence is told first: comments tell it later than the issue itself, and than comments of lower ids.
#[derive(Debug)]
pub(super) struct Told {
    /// `None` for the issue's own text.
    pub(super) comment: Option<u64>,
    pub(super) text: String,
}

/// All that an issue tells of one failure.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) occurrences: BTreeMap<Digest, Told>,
    pub(super) duplicate_of: Vec<u64>,
}

impl Ledger {
    /// Of now.
    pub(super) async fn read(forge: &Forge, repo: &Repo, issue: &Issue, failure: &Digest) -> Result<Self> {
        let path = repo.path().at("issues").at(issue.number).at("comments");
        let mut comments: Vec<Comment> = forge.whole(path, &ALL).await?;
        comments.sort_by_key(|comment| comment.id);
        let mut ledger = Self::default();
        ledger.add(None, &issue.body, failure);
        for comment in comments {
            ledger.add(Some(comment.id), &comment.body, failure);
        }
        Ok(ledger)
    }

    fn add(&mut self, comment: Option<u64>, text: &str, failure: &Digest) {
        match Mark::find(text, failure) {
            Some(Mark::Occurrence(id) | Mark::TakenOver(id)) => {
                self.occurrences.entry(id).or_insert_with(|| Told { comment, text: text.to_owned() });
            }
            Some(Mark::DuplicateOf(number)) => self.duplicate_of.push(number),
            None => {}
        }
    }

    pub(super) fn tells(&self, occurrence: &Digest) -> bool {
        self.occurrences.contains_key(occurrence)
    }
}
