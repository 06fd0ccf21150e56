//! Commits of files: sent, and done only when the branch has them and they did what they say.

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::read::{Found, When, find};
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::model::content::Entry;
use crate::model::name::Repo;
use crate::tools::commits;

/// Where a commit goes, and what it says.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Commit {
    message: String,
    pub(super) branch_name: String,
}

/// What the branch has now.
#[skip_serializing_none]
#[derive(Serialize)]
pub(super) struct Written {
    branch: String,
    /// Absent where the files were so before.
    commit: Option<Made>,
    unchanged: Option<bool>,
    pub(super) files: Vec<Entry>,
}

/// A commit, as an answer to a change names it.
#[derive(Serialize, Deserialize)]
struct Made {
    sha: String,
    html_url: Option<String>,
}

/// A change as Gitea's `/contents` takes it.
#[skip_serializing_none]
#[derive(Serialize)]
pub(super) struct Operation {
    /// Where it is among the arguments: `files[0].`
    #[serde(skip)]
    pub(super) field: String,
    pub(super) operation: &'static str,
    pub(super) path: String,
    pub(super) content: Option<String>,
    pub(super) sha: Option<String>,
    pub(super) from_path: Option<String>,
}

/// A commit as Gitea's `/contents` takes it.
#[skip_serializing_none]
#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    branch: &'a str,
    new_branch: Option<&'a str>,
    files: &'a [Operation],
}

impl Written {
    /// No commit was needed.
    pub(super) fn unchanged(branch: String, files: Vec<Entry>) -> Self {
        Self { branch, commit: None, unchanged: Some(true), files }
    }
}

impl Operation {
    /// The file it would write, where that has this content and is the one that the caller has seen: Gitea would make
    /// a commit that changes nothing.
    pub(super) async fn so_already(&self, forge: &Forge, repo: &Repo, commit: &Commit) -> Option<Entry> {
        if self.from_path.is_some() || self.sha.is_none() {
            return None;
        }
        let there = self.there(forge, repo, &commit.branch_name).await?;
        (self.sha.as_ref() == Some(&there.sha) && self.content == there.content).then_some(there)
    }

    /// The file that must be there.
    fn source(&self) -> &str {
        self.from_path.as_ref().unwrap_or(&self.path)
    }

    /// The file that it would write, if there is one.
    async fn there(&self, forge: &Forge, repo: &Repo, branch: &str) -> Option<Entry> {
        self.content.as_ref()?;
        match find(forge, repo, &self.path, &When { at: Some(branch) }).await {
            Ok(Found::One(entry)) => Some(*entry),
            _ => None,
        }
    }

    fn not_without_sha(&self, there: &Entry) -> Error {
        let message =
            format!("{} exists, with sha {}; give that sha to replace it, or edits", self.path, there.sha);
        Error::argument(format!("{}sha", self.field), message)
    }
}

/// Commits what is not so yet. A file that is as wanted already is a success: the change was made by an attempt whose
/// answer was lost. Otherwise the refusal stands, with the sha that the caller lacks.
pub(super) async fn settle(
    forge: &Forge,
    repo: &Repo,
    commit: &Commit,
    new_branch: Option<&str>,
    operations: Vec<Operation>,
) -> Result<Written> {
    let (is_of_file, refusal) = match submit(forge, repo, commit, new_branch, &operations).await {
        Err(error @ Error::Changed { .. }) => (true, error),
        Err(error) if error.is_conflict() => (error.to_string().contains("already exists [path"), error),
        done => return done,
    };
    let target = new_branch.unwrap_or(&commit.branch_name);
    let branch = if is_of_file { &commit.branch_name } else { target };
    let (mut same, mut rest) = (vec![], vec![]);
    for operation in operations {
        match operation.there(forge, repo, branch).await {
            Some(entry) if entry.content == operation.content => same.push(entry),
            Some(entry) if is_of_file && operation.operation == "create" => {
                return Err(operation.not_without_sha(&entry));
            }
            _ => rest.push(operation),
        }
    }
    if same.is_empty() {
        return Err(refusal);
    }
    if rest.is_empty() && branch == target {
        return Ok(Written::unchanged(target.to_owned(), same));
    }
    if rest.is_empty() || !is_of_file {
        return Err(refusal);
    }
    let mut written = submit(forge, repo, commit, new_branch, &rest).await?;
    written.files.extend(same);
    Ok(written)
}

/// Others may have pushed since, but not so often.
const LAST: u32 = 50;

/// Commits, and reads back that the branch has it.
pub(super) async fn submit(
    forge: &Forge,
    repo: &Repo,
    commit: &Commit,
    new_branch: Option<&str>,
    operations: &[Operation],
) -> Result<Written> {
    #[derive(Deserialize)]
    struct Answer {
        commit: Made,
        /// Null for what was deleted.
        files: Option<Vec<Option<Entry>>>,
    }
    let Commit { message, branch_name } = commit;
    let body = Body { message, branch: branch_name, new_branch, files: operations };
    let done: Result<Answer> = forge.post(repo.path().at("contents"), &body).await;
    let Answer { commit, files } = done.map_err(|error| explain(error, operations))?;
    let branch = new_branch.unwrap_or(branch_name);
    let last = commits::last(forge, repo, Some(branch), LAST).await?;
    if !last.iter().any(|it| it.sha == commit.sha) {
        return Err(Error::Unexpected(format!(
            "it made the commit {}, but {branch} is without it",
            commit.sha
        )));
    }
    for Operation { path, .. } in operations.iter().filter(|it| it.operation == "delete") {
        if is_there(forge, repo, path, &commit.sha).await? {
            let sha = &commit.sha;
            return Err(Error::Unexpected(format!("it made the commit {sha}, but {path} is still there")));
        }
    }
    let files = files.unwrap_or_default().into_iter().flatten().collect();
    Ok(Written { branch: branch.to_owned(), commit: Some(commit), unchanged: None, files })
}

/// Also as a folder, of which a delete leaves all.
async fn is_there(forge: &Forge, repo: &Repo, path: &str, commit: &str) -> Result<bool> {
    match find(forge, repo, path, &When { at: Some(commit) }).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_missing() => Ok(false),
        Err(error) => Err(error),
    }
}

/// What Gitea's refusals mean (services/pull/merge_prepare.go, modules/git/error.go): `sha does not match [given: A,
/// expected: B]`, `object does not exist [id: , rel_path: P]`.
fn explain(error: Error, operations: &[Operation]) -> Error {
    let Error::Refused { status, message } = &error else { return error };
    let part = |name: &str| Some(message.split_once(name)?.1.split([',', ']']).next()?.trim().to_owned());
    match *status {
        StatusCode::UNPROCESSABLE_ENTITY if message.contains("sha does not match") => {
            let (given, is) = (part("given:").unwrap_or_default(), part("expected:").unwrap_or_default());
            let of = operations.iter().find(|it| it.sha.as_ref() == Some(&given));
            changed(of.map_or("a file", Operation::source), &is, &given)
        }
        StatusCode::NOT_FOUND if message.contains("rel_path:") => {
            missing(&part("rel_path:").unwrap_or_default(), operations)
        }
        _ => error,
    }
}

/// Of several files Gitea names the one, or a folder above it.
fn missing(named: &str, operations: &[Operation]) -> Error {
    let is_in =
        |path: &str| path.strip_prefix(named).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let of = match operations {
        [only] => Some(only),
        several => several.iter().find(|it| it.operation != "create" && is_in(it.source())),
    };
    let Some(of) = of else {
        return Error::argument("path", format!("there is no {} on that branch", kit::clip(named)));
    };
    let argument = if of.from_path.is_some() { "from_path" } else { "path" };
    Error::argument(format!("{}{argument}", of.field), format!("there is no {} on that branch", of.source()))
}

pub(super) fn changed(path: &str, is: &str, expected: &str) -> Error {
    let is = if is.is_empty() { "that of no file" } else { is };
    Error::Changed {
        field: "sha",
        what: format!("the sha of {path}"),
        is: is.to_owned(),
        expected: kit::clip(expected),
    }
}
