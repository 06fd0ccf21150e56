//! Packages and their files.

use serde::{Deserialize, Serialize};

use crate::model::named::name;
use crate::model::user::login;

/// A version of a package.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Package {
    id: u64,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    version: String,
    #[serde(default, with = "login")]
    creator: Option<String>,
    #[serde(default, with = "name")]
    repository: Option<String>,
    html_url: Option<String>,
    created_at: Option<String>,
}

/// A file of it; `size` in bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct File {
    name: String,
    size: Option<u64>,
    sha256: Option<String>,
}

/// A version and what is in it.
#[derive(Debug, Serialize)]
pub(crate) struct WithFiles {
    #[serde(flatten)]
    pub(crate) package: Package,
    pub(crate) files: Vec<File>,
}
