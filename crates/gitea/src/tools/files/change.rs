//! Changes of files: one commit each, on what the caller has seen.

use std::collections::HashSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::edit::{self, Edit};
use super::read::{Found, When, decode, find};
use super::submit::{Commit, Operation, Written, changed, settle, submit};
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::model::name::{FilePath, Repo};

/// What is to become of one file or several.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Write {
    new_branch_name: Option<String>,
    path: Option<FilePath>,
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
    path: FilePath,
    content: Option<String>,
    edits: Option<Vec<Edit>>,
    sha: Option<String>,
    /// moves it
    from_path: Option<FilePath>,
    delete: Option<bool>,
}

/// Which file goes.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Delete {
    path: FilePath,
    sha: String,
}

pub(super) async fn write(forge: Forge, repo: Repo, commit: Commit, write: Write) -> Result<Written> {
    let Write { new_branch_name, path, content, sha, edits, files } = write;
    let changes = match (path, files) {
        (Some(path), None) => {
            vec![(String::new(), Change { path, content, edits, sha, from_path: None, delete: None })]
        }
        (None, Some(files)) if content.is_none() && edits.is_none() && sha.is_none() && !files.is_empty() => {
            let numbered = files.into_iter().enumerate();
            numbered.map(|(number, change)| (format!("files[{number}]."), change)).collect()
        }
        _ => return Err(Error::argument("path", "give either path with content or edits, or files")),
    };
    once_each(&changes)?;
    let (mut operations, mut same) = (vec![], vec![]);
    for (field, change) in changes {
        // Edits that change nothing have been refused, and a new branch is made also for files as they were.
        let may_be_so = change.content.is_some() && new_branch_name.is_none();
        let operation = change.operation(&forge, &repo, &commit, field).await?;
        let there = if may_be_so { operation.so_already(&forge, &repo, &commit).await } else { None };
        match there {
            Some(entry) => same.push(entry),
            None => operations.push(operation),
        }
    }
    if operations.is_empty() {
        return Ok(Written::unchanged(commit.branch_name, same));
    }
    let mut written = settle(&forge, &repo, &commit, new_branch_name.as_deref(), operations).await?;
    written.files.extend(same);
    Ok(written)
}

pub(super) async fn delete(forge: Forge, repo: Repo, commit: Commit, delete: Delete) -> Result<Written> {
    let Delete { path, sha } = delete;
    if sha.is_empty() {
        return Err(Error::argument("sha", "sha is empty: it says which content may go"));
    }
    let change =
        Change { path, content: None, edits: None, sha: Some(sha), from_path: None, delete: Some(true) };
    let operation = change.operation(&forge, &repo, &commit, String::new()).await?;
    submit(&forge, &repo, &commit, None, &[operation]).await
}

/// Each change is made of the files before the commit: of two of one file, the first would be lost.
fn once_each(changes: &[(String, Change)]) -> Result<()> {
    let mut seen = HashSet::new();
    for (field, change) in changes {
        for (name, path) in change.paths() {
            if !seen.insert(path) {
                let message = format!("{} is in files twice; one entry says all of a file", &**path);
                return Err(Error::argument(format!("{field}{name}"), message));
            }
        }
    }
    Ok(())
}

impl Change {
    fn paths(&self) -> impl Iterator<Item = (&'static str, &FilePath)> {
        std::iter::once(("path", &self.path)).chain(self.from_path.iter().map(|path| ("from_path", path)))
    }

    /// As Gitea takes it; `field` is where the change is among the arguments.
    async fn operation(
        self,
        forge: &Forge,
        repo: &Repo,
        commit: &Commit,
        field: String,
    ) -> Result<Operation> {
        if let Some((name, _)) = self.paths().find(|(_, path)| path.is_empty()) {
            return Err(Error::argument(
                format!("{field}{name}"),
                format!("{name} is empty: it names a file"),
            ));
        }
        let Self { path, content, edits, sha, from_path, delete } = self;
        let sha = sha.filter(|sha| !sha.is_empty()); // Gitea would replace whatever is there
        let (operation, content, sha) = match (content, edits, delete.unwrap_or(false)) {
            (None, None, true) if from_path.is_none() => {
                let there = find(forge, repo, &path, &When { at: Some(&commit.branch_name) }).await;
                if let Ok(Found::Folder(_)) = there {
                    let message = format!("{} is a folder; what is in it goes file by file", &*path);
                    return Err(Error::argument(format!("{field}path"), message));
                }
                ("delete", None, sha)
            }
            (Some(content), None, false) => {
                let knows = sha.is_some() || from_path.is_some();
                (if knows { "update" } else { "create" }, Some(content), sha)
            }
            (None, Some(edits), false) => {
                let from = from_path.as_ref().unwrap_or(&path);
                let name = if from_path.is_some() { "from_path" } else { "path" };
                let (text, is) =
                    text(forge, repo, &commit.branch_name, from, &format!("{field}{name}")).await?;
                if let Some(expected) = sha.filter(|expected| *expected != is) {
                    return Err(changed(from, &is, &expected));
                }
                let text = edit::apply(&text, &edits, &format!("{field}edits"), from)?;
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
        Ok(Operation { field, operation, path: path.to_string(), content, sha, from_path })
    }
}

/// A file's text and sha, for edits; `field` is the argument that names it.
async fn text(
    forge: &Forge,
    repo: &Repo,
    branch: &str,
    path: &FilePath,
    field: &str,
) -> Result<(String, String)> {
    let unfit = |why: &str| Error::argument(field, format!("{} is {why}, which no edit can change", &**path));
    let entry = match find(forge, repo, path, &When { at: Some(branch) }).await {
        Ok(Found::One(entry)) => entry,
        Ok(Found::Folder(_)) => return Err(unfit("a folder")),
        Err(error) if error.is_missing() => {
            let branch_path = repo.path().at("branches").below(branch);
            return Err(match forge.look::<IgnoredAny>(branch_path).await? {
                Some(_) => Error::argument(field, format!("there is no {} on {branch}", &**path)),
                None => error,
            });
        }
        Err(error) => return Err(error),
    };
    if entry.lfs_oid.is_some() {
        return Err(unfit("kept in LFS"));
    }
    let content = entry.content.ok_or_else(|| unfit("too large, or no file"))?;
    let text = String::from_utf8(decode(&content)?).map_err(|_| unfit("no UTF-8"))?;
    Ok((text, entry.sha))
}
