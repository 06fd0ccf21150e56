//! Pages of wikis and their revisions.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kit::Text;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A page without its content.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) title: String,
    /// Its address below the wiki's, percent-encoded.
    pub(crate) sub_url: String,
    pub(crate) html_url: Option<String>,
    pub(crate) last_commit: Option<Revision>,
}

/// A state of a page.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Revision {
    sha: String,
    message: Option<String>,
    author: Option<Author>,
}

/// Who wrote it.
#[derive(Debug, Serialize, Deserialize)]
struct Author {
    name: Option<String>,
    date: Option<String>,
}

/// A page as forges send it.
#[derive(Debug, Deserialize)]
pub(crate) struct Raw {
    #[serde(flatten)]
    pub(crate) known: Known,
    pub(crate) commit_count: Option<u64>,
    content_base64: String,
}

/// A page as an agent reads it.
#[derive(Debug, Serialize)]
pub(crate) struct PageText {
    #[serde(flatten)]
    pub(crate) page: Known,
    pub(crate) commit_count: Option<u64>,
    pub(crate) content: Text,
}

impl Known {
    /// Its address as one segment of a path; forges write it as forms are written, with a plus for a blank.
    pub(crate) fn address(&self) -> String {
        percent_decode_str(&self.sub_url.replace('+', " ")).decode_utf8_lossy().into_owned()
    }
}

impl Raw {
    /// Its content in plain text.
    pub(crate) fn text(&self) -> Result<String> {
        let bytes = BASE64_STANDARD.decode(&self.content_base64);
        let text = bytes.ok().map(String::from_utf8);
        match text {
            Some(Ok(text)) => Ok(text),
            _ => Err(Error::Unexpected(format!("the page {} is no text", kit::clip(&self.known.title)))),
        }
    }
}
