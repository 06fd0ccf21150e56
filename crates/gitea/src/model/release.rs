//! Releases and the files attached to them.

use serde::{Deserialize, Serialize};

use crate::forge::once::Marked;
use crate::model::user::login;

/// A release.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Release {
    pub(crate) id: u64,
    pub(crate) tag_name: String,
    pub(crate) target_commitish: Option<String>,
    #[serde(rename(deserialize = "name"))]
    pub(crate) title: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) draft: bool,
    pub(crate) prerelease: bool,
    #[serde(default, with = "login")]
    pub(crate) author: Option<String>,
    pub(crate) created_at: Option<String>,
    pub(crate) published_at: Option<String>,
    pub(crate) html_url: Option<String>,
    #[serde(default)]
    pub(crate) assets: Vec<Asset>,
}

impl Marked for Release {
    fn text(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    fn number(&self) -> u64 {
        self.id
    }
}

/// A file of a release.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Asset {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) download_count: Option<u64>,
    pub(crate) created_at: Option<String>,
    pub(crate) browser_download_url: Option<String>,
}
