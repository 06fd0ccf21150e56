//! Changes of files: one commit each, on what the caller has seen, and done only when the branch has it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::edit::{self, Edit};
use super::read::{Found, When, decode, find};
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::model::content::Entry;
use crate::model::name::{Repo, Slashed};
use crate::tools::commits;

/// Where a commit goes, and what it says.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Commit {
    message: String,
    branch_name: String,
}

/// What is to become of one file or several.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Write {
    new_branch_name: Option<String>,
    path: Option<Slashed>,
    /// plain text
    content: Option<String>,
    /// of the file that is replaced
    sha: Option<String>,
    edits: Option<Vec<Edit>>,
    files: Option<Vec<Change>>,
}

/// What is to become of one of several files.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline, description = "")]
pub(super) struct Change {
    path: Slashed,
    content: Option<String>,
    edits: Option<Vec<Edit>>,
    sha: Option<String>,
    /// moves it
    from_path: Option<Slashed>,
    delete: Option<bool>,
}

/// Which file goes.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Delete {
    path: Slashed,
    sha: String,
}

/// What the branch has now.
#[skip_serializing_none]
#[derive(Serialize)]
pub(super) struct Written {
    branch: String,
    /// Absent where the files were so before.
    commit: Option<Made>,
    unchanged: Option<bool>,
    files: Vec<Entry>,
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
struct Operation {
    operation: &'static str,
    path: String,
    content: Option<String>,
    sha: Option<String>,
    from_path: Option<String>,
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

pub(super) async fn write(forge: Forge, repo: Repo, commit: Commit, write: Write) -> Result<Written> {
    let Write { new_branch_name, path, content, sha, edits, files } = write;
    let new_branch = new_branch_name.as_deref();
    match (path, files) {
        (Some(path), None) => {
            let wanted = content.clone();
            let change = Change { path, content, edits, sha, from_path: None, delete: None };
            let path = change.path.clone();
            let operation = change.operation(&forge, &repo, &commit, "", "create").await?;
            let refusal = match submit(&forge, &repo, &commit, new_branch, &[operation]).await {
                Err(error) if error.is_conflict() || matches!(error, Error::Changed { .. }) => error,
                done => return done,
            };
            let branch = new_branch.unwrap_or(&commit.branch_name);
            explain_or_accept(&forge, &repo, branch, &path, wanted, refusal).await
        }
        (None, Some(files)) if content.is_none() && edits.is_none() && sha.is_none() && !files.is_empty() => {
            let mut operations = vec![];
            for (number, change) in files.into_iter().enumerate() {
                let field = format!("files[{number}].");
                operations.push(change.operation(&forge, &repo, &commit, &field, "upload").await?);
            }
            submit(&forge, &repo, &commit, new_branch, &operations).await
        }
        _ => Err(Error::argument("path", "give either path with content or edits, or files")),
    }
}

pub(super) async fn delete(forge: Forge, repo: Repo, commit: Commit, delete: Delete) -> Result<Written> {
    let Delete { path, sha } = delete;
    if sha.is_empty() {
        return Err(Error::argument("sha", "sha is empty: it says which content may go"));
    }
    let change =
        Change { path, content: None, edits: None, sha: Some(sha), from_path: None, delete: Some(true) };
    let operation = change.operation(&forge, &repo, &commit, "", "delete").await?;
    submit(&forge, &repo, &commit, None, &[operation]).await
}

impl Change {
    /// As Gitea takes it; `field` is where the change is among the arguments, and `blind` what happens to content for a
    /// path whose sha the caller does not give.
    async fn operation(
        self,
        forge: &Forge,
        repo: &Repo,
        commit: &Commit,
        field: &str,
        blind: &'static str,
    ) -> Result<Operation> {
        let Self { path, content, edits, sha, from_path, delete } = self;
        let sha = sha.filter(|sha| !sha.is_empty()); // Gitea would replace whatever is there
        let (operation, content, sha) = match (content, edits, delete.unwrap_or(false)) {
            (None, None, true) if from_path.is_none() => ("delete", None, sha),
            (Some(content), None, false) => {
                let knows = sha.is_some() || from_path.is_some();
                (if knows { "update" } else { blind }, Some(content), sha)
            }
            (None, Some(edits), false) => {
                let from = from_path.as_ref().unwrap_or(&path);
                let (text, is) = text(forge, repo, &commit.branch_name, from).await?;
                if let Some(expected) = sha.filter(|expected| *expected != is) {
                    return Err(changed(from, &is, &expected));
                }
                let text = edit::apply(text, &edits, &format!("{field}edits"), from)?;
                ("update", Some(text), Some(is))
            }
            (None, None, false) if from_path.is_some() => ("rename", None, sha),
            _ => {
                let message = format!("{} needs one of content, edits and, among files, delete", &*path);
                return Err(Error::argument(format!("{field}content"), message));
            }
        };
        let content = content.map(|text| BASE64_STANDARD.encode(text));
        let from_path = from_path.map(|path| path.to_string());
        Ok(Operation { operation, path: path.to_string(), content, sha, from_path })
    }
}

/// A file's text and sha, for edits.
async fn text(forge: &Forge, repo: &Repo, branch: &str, path: &Slashed) -> Result<(String, String)> {
    let unfit =
        |why: &str| Error::argument("path", format!("{} is {why}, which no edit can change", &**path));
    let entry = match find(forge, repo, path, &When { at: Some(branch) }).await? {
        Found::One(entry) => entry,
        Found::Folder(_) => return Err(unfit("a folder")),
    };
    if entry.lfs_oid.is_some() {
        return Err(unfit("kept in LFS"));
    }
    let content = entry.content.ok_or_else(|| unfit("too large, or no file"))?;
    let text = String::from_utf8(decode(&content)?).map_err(|_| unfit("no UTF-8"))?;
    Ok((text, entry.sha))
}

/// Others may have pushed since, but not so often.
const LAST: u32 = 50;

/// Commits, and reads back that the branch has it.
async fn submit(
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
    let files = files.unwrap_or_default().into_iter().flatten().collect();
    Ok(Written { branch: branch.to_owned(), commit: Some(commit), unchanged: None, files })
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
            changed(of.map_or("a file", |it| it.from_path.as_ref().unwrap_or(&it.path)), &is, &given)
        }
        StatusCode::NOT_FOUND if message.contains("rel_path:") => {
            // Of several files Gitea names the one, or a folder above it.
            let path = match operations {
                [only] => only.path.clone(),
                _ => kit::clip(&part("rel_path:").unwrap_or_default()),
            };
            Error::argument("path", format!("there is no {path} on that branch"))
        }
        _ => error,
    }
}

fn changed(path: &str, is: &str, expected: &str) -> Error {
    let is = if is.is_empty() { "that of no file" } else { is };
    Error::Changed {
        field: "sha",
        what: format!("the sha of {path}"),
        is: is.to_owned(),
        expected: kit::clip(expected),
    }
}

/// A file that is as wanted already is a success: the change was made by an attempt whose answer was lost. Otherwise the
/// refusal stands, with the sha that the caller lacks.
async fn explain_or_accept(
    forge: &Forge,
    repo: &Repo,
    branch: &str,
    path: &Slashed,
    wanted: Option<String>,
    refusal: Error,
) -> Result<Written> {
    let Ok(Found::One(entry)) = find(forge, repo, path, &When { at: Some(branch) }).await else {
        return Err(refusal);
    };
    let is = entry.content.as_deref().map(decode).transpose()?;
    if wanted.is_some_and(|wanted| is.as_deref() == Some(wanted.as_bytes())) {
        return Ok(Written {
            branch: branch.to_owned(),
            commit: None,
            unchanged: Some(true),
            files: vec![*entry],
        });
    }
    match refusal {
        Error::Refused { message, .. } if message.contains("already exists [path") => Err(Error::argument(
            "sha",
            format!("{} exists, with sha {}; give that sha to replace it, or edits", &**path, entry.sha),
        )),
        other => Err(other),
    }
}
