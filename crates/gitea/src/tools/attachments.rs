//! Files that hang on issues and comments: pictures and texts in the answer, the rest on disk.

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use kit::Text;
use reqwest::Response;
use rmcp::model::ContentBlock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::download;
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge, number};
use crate::model::issue::Attachment;
use crate::model::name::{Name, Repo};
use crate::tool::{Answer, Tool};

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "attachment_read",
            "Read attachments",
            "Files on an issue or a comment. download shows pictures and text; others, or with output_path, go to disk.",
        )
        .reads("list", list)
        .reads("get", get)
        .reads("download", download),
    ]
}

/// What the files hang on.
#[derive(Deserialize, JsonSchema)]
struct On {
    issue_number: Option<u64>,
    /// instead of issue_number
    comment_id: Option<u64>,
}

/// Which file.
#[derive(Deserialize, JsonSchema)]
struct Which {
    attachment_id: u64,
}

/// Which file, and where to.
#[derive(Deserialize, JsonSchema)]
struct Download {
    attachment_id: Option<u64>,
    /// instead of attachment_id
    attachment_uuid: Option<Name>,
    /// below the server's download folder
    output_path: Option<String>,
}

/// A download.
#[derive(Debug, Serialize)]
struct Downloaded {
    name: String,
    content_type: String,
    /// Its text, where it is one.
    content: Option<Text>,
    saved: Option<download::Downloaded>,
}

impl On {
    fn path(&self, repo: &Repo) -> Result<Path> {
        let issues = repo.path().at("issues");
        match (self.issue_number, self.comment_id) {
            (Some(number), None) => Ok(issues.at(number).at("assets")),
            (None, Some(id)) => Ok(issues.at("comments").at(id).at("assets")),
            _ => Err(Error::argument("issue_number", "one of issue_number and comment_id is needed")),
        }
    }
}

async fn list(forge: Forge, repo: Repo, on: On, paging: Paging) -> Result<Page<Attachment>> {
    forge.list_whole(on.path(&repo)?, &ALL, &paging).await
}

async fn get(forge: Forge, repo: Repo, on: On, which: Which) -> Result<Attachment> {
    forge.get(on.path(&repo)?.at(which.attachment_id)).await
}

async fn download(forge: Forge, repo: Repo, on: On, wanted: Download) -> Result<Answer> {
    let (uuid, name) = match (wanted.attachment_id, wanted.attachment_uuid) {
        (Some(id), None) => {
            let found: Attachment = forge.get(on.path(&repo)?.at(id)).await?;
            let uuid = found.uuid.ok_or_else(|| Error::Unexpected("an attachment without uuid".into()))?;
            (uuid, found.name)
        }
        (None, Some(uuid)) => (uuid.to_string(), uuid.to_string()),
        _ => {
            let message = "one of attachment_id and attachment_uuid is needed";
            return Err(Error::argument("attachment_id", message));
        }
    };
    let path = Path::page(&repo.owner, &repo.repo).at("attachments").at(uuid);
    let answer = forge.open(&path, &ALL).await?;
    let header = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = header.unwrap_or("application/octet-stream").to_owned();
    let kind = Kind::of(&content_type).filter(|_| wanted.output_path.is_none());
    let fits = number(answer.headers(), CONTENT_LENGTH.as_str())
        .is_some_and(|size| size <= forge.args().max_inline_attachment_bytes as u64);
    let mut downloaded = Downloaded { name, content_type, content: None, saved: None };
    match kind.filter(|_| fits) {
        Some(Kind::Picture(kind)) => {
            let picture = BASE64_STANDARD.encode(whole(&forge, answer).await?);
            Ok(Answer::from(downloaded).and([ContentBlock::image(picture, kind)]))
        }
        Some(Kind::Text) => {
            let text = String::from_utf8_lossy(&whole(&forge, answer).await?).into_owned();
            let rest = "give output_path to have all of it on disk";
            downloaded.content = Some(Text::head(text, forge.kit().text_limit(), rest));
            Ok(downloaded.into())
        }
        None => {
            let place =
                forge.place(wanted.output_path.as_deref().unwrap_or(&file_name(&downloaded.name))).await?;
            downloaded.saved = Some(forge.save(answer, place).await?);
            Ok(downloaded.into())
        }
    }
}

/// A name that somebody else gave, as one of a file.
fn file_name(name: &str) -> String {
    let name: String =
        name.chars().map(|it| if it.is_control() || "/\\".contains(it) { '_' } else { it }).collect();
    let name = name.trim_start_matches('.').trim();
    if name.is_empty() { "attachment".to_owned() } else { name.to_owned() }
}

/// What can be shown in an answer.
enum Kind {
    /// Of this type, which models can look at.
    Picture(&'static str),
    Text,
}

impl Kind {
    fn of(content_type: &str) -> Option<Self> {
        let plain = content_type.split(';').next().unwrap_or_default().trim();
        let pictures = ["image/png", "image/jpeg", "image/gif", "image/webp"];
        match pictures.into_iter().find(|it| it.eq_ignore_ascii_case(plain)) {
            Some(kind) => Some(Self::Picture(kind)),
            None => (plain.starts_with("text/") || plain == "application/json").then_some(Self::Text),
        }
    }
}

/// All of an answer whose size is known and bounded.
async fn whole(forge: &Forge, mut answer: Response) -> Result<BytesMut> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = forge.chunk(&mut answer).await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
