//! Commits, and what is said of them: branches, tags and statuses.

use serde::{Deserialize, Serialize};

use crate::model::brief;
use crate::model::user::login;

/// A commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Wire")]
pub(crate) struct Commit {
    pub(crate) sha: String,
    pub(crate) message: String,
    pub(crate) author: Option<Person>,
    /// Where it is not the author.
    pub(crate) committer: Option<Person>,
    /// The author's name on the forge.
    pub(crate) author_login: Option<String>,
    pub(crate) parents: Vec<String>,
    pub(crate) stats: Option<Stats>,
    pub(crate) files: Vec<Changed>,
    /// Of a commit with very many files.
    pub(crate) files_left_out: usize,
    pub(crate) html_url: Option<String>,
}

/// As Gitea tells it.
#[derive(Deserialize)]
struct Wire {
    sha: String,
    html_url: Option<String>,
    commit: Said,
    #[serde(default, with = "login")]
    author: Option<String>,
    parents: Option<Vec<Sha>>,
    files: Option<Vec<Changed>>,
    stats: Option<Stats>,
}

#[derive(Deserialize)]
struct Said {
    message: String,
    author: Option<Person>,
    committer: Option<Person>,
}

/// Any object with a sha.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sha {
    pub(crate) sha: String,
}

/// Who made a commit, as git knows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) date: String,
}

/// Lines that a commit changed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Stats {
    pub(crate) additions: u64,
    pub(crate) deletions: u64,
}

/// A file that a commit changed: `added`, `modified` or `removed`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Changed {
    pub(crate) filename: String,
    pub(crate) status: String,
}

impl From<Wire> for Commit {
    fn from(wire: Wire) -> Self {
        let Said { message, author, committer } = wire.commit;
        let mut files = wire.files.unwrap_or_default();
        files.sort_by(|a, b| a.filename.cmp(&b.filename));
        Self {
            sha: wire.sha,
            message,
            committer: committer.filter(|committer| Some(committer) != author.as_ref()),
            author,
            author_login: wire.author,
            parents: wire.parents.unwrap_or_default().into_iter().map(|parent| parent.sha).collect(),
            stats: wire.stats,
            files,
            files_left_out: 0,
            html_url: wire.html_url,
        }
    }
}

impl Commit {
    /// For one of many.
    #[must_use]
    pub(crate) fn in_list(mut self) -> Self {
        brief::in_list(&mut self.message, "get_commit");
        Self { committer: None, files: vec![], html_url: None, ..self }
    }
}

/// A branch and its last commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Branch {
    pub(crate) name: String,
    pub(crate) commit: Tip,
    pub(crate) protected: bool,
    pub(crate) user_can_push: Option<bool>,
    pub(crate) user_can_merge: Option<bool>,
}

/// The last commit of a branch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tip {
    pub(crate) id: String,
    #[serde(deserialize_with = "first_line")]
    pub(crate) message: String,
    pub(crate) timestamp: Option<String>,
}

fn first_line<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let message = String::deserialize(from)?;
    Ok(message.lines().next().unwrap_or_default().to_owned())
}

/// A tag and the commit it is on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) message: Option<String>,
    /// Of the tag itself where it has a message, else of the commit.
    pub(crate) id: String,
    pub(crate) commit: Sha,
}

/// What somebody or something says of a commit in one context.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) id: u64,
    /// `pending`, `success`, `error`, `failure`, `warning`, `skipped`.
    #[serde(alias = "status")]
    pub(crate) state: String,
    pub(crate) context: String,
    pub(crate) description: Option<String>,
    pub(crate) target_url: Option<String>,
    #[serde(default, with = "login")]
    pub(crate) creator: Option<String>,
    pub(crate) created_at: Option<String>,
    pub(crate) updated_at: Option<String>,
}
