//! Files and folders as `/contents` tells them.

use serde::{Deserialize, Serialize};

/// A file, folder, symbolic link or submodule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) path: String,
    /// `file`, `dir`, `symlink`, `submodule`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Of the blob; what a change of the file expects.
    pub(crate) sha: String,
    pub(crate) size: u64,
    pub(crate) last_commit_sha: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) submodule_git_url: Option<String>,
    pub(crate) lfs_oid: Option<String>,
    pub(crate) lfs_size: Option<u64>,
    /// In base64; not told of what is large or no file.
    #[serde(skip_serializing)]
    pub(crate) content: Option<String>,
}
