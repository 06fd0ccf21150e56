//! Reading: a file's text by lines, or what is in a folder.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kit::Truncated;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::At;
use super::window::Window;
use crate::client;
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::forge::list::{Page, Paging};
use crate::model::content::Entry;
use crate::model::name::Repo;

/// Which part of a file.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Part {
    #[serde(rename = "withLines")]
    with_lines: Option<bool>,
    start_line: Option<u64>,
    end_line: Option<u64>,
    /// inside of a long line
    start_byte: Option<u64>,
    /// small binary files
    as_base64: Option<bool>,
}

/// A file, and as much of its text as was asked for and fits.
#[skip_serializing_none]
#[derive(Serialize)]
pub(super) struct File {
    #[serde(flatten)]
    entry: Entry,
    /// Lines of the whole file.
    lines: Option<u64>,
    start_line: Option<u64>,
    content: Option<String>,
    /// Said where there is no text to show: an empty text is left out of answers.
    note: Option<String>,
    truncated: Option<Truncated>,
    /// Said where the text is no UTF-8.
    encoding: Option<&'static str>,
    binary: Option<bool>,
    base64: Option<String>,
}

/// When; goes out as Gitea's query.
#[skip_serializing_none]
#[derive(Serialize)]
pub(super) struct When<'a> {
    #[serde(rename = "ref")]
    pub(super) at: Option<&'a str>,
}

/// What is at a path.
pub(super) enum Found {
    One(Box<Entry>),
    Folder(Vec<Entry>),
}

pub(super) async fn file(forge: Forge, repo: Repo, at: At, part: Part) -> Result<File> {
    let when = When { at: at.at.as_deref() };
    let mut entry = match find(&forge, &repo, &at.path, &when).await? {
        Found::One(entry) => entry,
        Found::Folder(_) => {
            return Err(Error::argument("path", "path is a folder; get_dir_contents tells what is in it"));
        }
    };
    let file = |entry: Box<Entry>| File {
        entry: *entry,
        lines: None,
        start_line: None,
        content: None,
        note: None,
        truncated: None,
        encoding: None,
        binary: None,
        base64: None,
    };
    if entry.kind != "file" {
        return Ok(file(entry));
    }
    let limit = forge.kit().text_limit();
    let mut window = part.window(limit)?;
    let mut small = None;
    match entry.content.take().filter(|_| entry.lfs_oid.is_none()) {
        Some(content) => {
            let bytes = decode(&content)?;
            window.feed(&bytes);
            small = Some(bytes);
        }
        // Too large for Gitea to tell here, or kept elsewhere (LFS).
        None => {
            let media = repo.path().at("media").below(&at.path);
            let mut response = forge.open(&media, &when).await?;
            while let Some(piece) = forge.chunk(&mut response).await? {
                window.feed(&piece);
            }
        }
    }
    if window.is_binary() {
        let asked = part.as_base64.unwrap_or(false);
        let base64 = small.filter(|_| asked).map(|bytes| BASE64_STANDARD.encode(bytes));
        let base64 = base64.filter(|text| text.len() <= limit);
        return Ok(File { binary: Some(true), base64, ..file(entry) });
    }
    let shown = window.show(limit, part.with_lines.unwrap_or(false));
    let note = shown.text.text.is_empty().then(|| match shown.lines {
        0 => "the file is empty".to_owned(),
        lines => format!("there is nothing from there on: the file has {lines} lines"),
    });
    Ok(File {
        note,
        lines: Some(shown.lines),
        start_line: Some(shown.start_line),
        content: Some(shown.text.text),
        truncated: shown.text.truncated,
        encoding: shown.is_guess.then_some("not UTF-8; read as Latin-1"),
        ..file(entry)
    })
}

impl Part {
    fn window(&self, most: usize) -> Result<Window> {
        let (first, last) = (self.start_line.unwrap_or(1), self.end_line.unwrap_or(u64::MAX));
        if first == 0 {
            return Err(Error::argument("start_line", "start_line counts from 1"));
        }
        if last < first {
            return Err(Error::argument("end_line", "end_line is before start_line"));
        }
        Ok(Window::new(first, last, self.start_byte.unwrap_or(0), most))
    }
}

pub(super) async fn folder(forge: Forge, repo: Repo, at: At, paging: Paging) -> Result<Page<Entry>> {
    match find(&forge, &repo, &at.path, &When { at: at.at.as_deref() }).await? {
        Found::Folder(entries) => forge.cut(entries, &paging),
        Found::One(_) => Err(Error::argument("path", "path is a file; get_file_contents reads it")),
    }
}

/// Gitea answers an array for a folder, and an object for anything else.
pub(super) async fn find(forge: &Forge, repo: &Repo, path: &str, when: &When<'_>) -> Result<Found> {
    let answer = forge.read(&contents(repo, path), when).await?;
    match answer.bytes.first() {
        Some(b'[') => Ok(Found::Folder(client::read(&answer.bytes)?)),
        _ => Ok(Found::One(Box::new(client::read(&answer.bytes)?))),
    }
}

fn contents(repo: &Repo, path: &str) -> Path {
    repo.path().at("contents").below(path)
}

pub(super) fn decode(content: &str) -> Result<Vec<u8>> {
    BASE64_STANDARD.decode(content).map_err(|error| Error::Unexpected(error.to_string()))
}
