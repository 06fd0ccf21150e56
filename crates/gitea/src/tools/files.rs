//! Files of a repository: reading them, and changing them in commits.

mod change;
mod edit;
mod read;
mod submit;
mod window;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::name::FilePath;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("get_file_contents", "Read file", "A file's text, or a part of it, and its sha.")
            .reads("", read::file)
            .classic("get_file_content"),
        Tool::new("get_dir_contents", "Read folder", "What is in a folder; path \"\" is the top.")
            .reads("", read::folder)
            .classic("get_dir_content"),
        Tool::new(
            "create_or_update_file",
            "Write files",
            "One commit: a file (path with content or edits), or several (files). Replacing a file needs its sha.",
        )
        .writes("", change::write)
        .classic("create_file")
        .classic("update_file"),
        Tool::new("delete_file", "Delete file", "Deletes a file in a commit.")
            .destroys("", change::delete)
            .classic("delete_file"),
    ]
}

/// Which file or folder, and when.
#[derive(Deserialize, JsonSchema)]
struct At {
    path: FilePath,
    /// branch, tag or commit
    #[serde(rename = "ref")]
    at: Option<String>,
}
