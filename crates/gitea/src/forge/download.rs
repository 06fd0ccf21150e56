//! Downloads to disk: into the operator's folder and nowhere else, whole or not at all, over nothing that is there.

use std::io;
use std::path::{Component, Path, PathBuf};

use reqwest::Response;
use serde::Serialize;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use crate::error::{Error, Result};
use crate::forge::Forge;

/// The argument that says where to.
const FIELD: &str = "output_path";

/// A file that does not exist yet, in a folder that does.
#[derive(Debug)]
pub(crate) struct Destination {
    folder: PathBuf,
    name: PathBuf,
}

/// What was written.
#[derive(Debug, Serialize)]
pub(crate) struct Saved {
    /// On the server's disk.
    path: PathBuf,
    bytes: u64,
}

impl Forge {
    /// Where a download may go: `output_path`, taken from `--download-dir`, or there under the object's own name.
    ///
    /// # Errors
    /// Where no downloads are wanted, for a way out of the folder, and for a file that is there.
    pub(crate) async fn destination(&self, output_path: Option<&str>, name: &str) -> Result<Destination> {
        let Some(root) = self.args().download_dir.clone() else {
            let message = "the operator gave no folder for downloads (--download-dir, GANTRY_DOWNLOAD_DIR)";
            return Err(Error::argument(FIELD, message));
        };
        let wanted = PathBuf::from(output_path.map_or_else(|| file_name(name), str::to_owned));
        let found = tokio::task::spawn_blocking(move || Destination::find(&root, &wanted)).await;
        found.unwrap_or_else(|error| Err(Error::Unexpected(error.to_string())))
    }

    /// Writes an answer there as it comes.
    pub(crate) async fn save(&self, mut answer: Response, to: Destination) -> Result<Saved> {
        let unwritable = |error: io::Error| {
            Error::Kit(kit::ToolError::internal("cannot write the download").because(&error))
        };
        let part = NamedTempFile::new_in(&to.folder).map_err(unwritable)?;
        let mut file = tokio::fs::File::from_std(part.reopen().map_err(unwritable)?);
        let mut bytes = 0;
        while let Some(chunk) = self.chunk(&mut answer).await? {
            file.write_all(&chunk).await.map_err(unwritable)?;
            bytes += chunk.len() as u64;
        }
        file.flush().await.map_err(unwritable)?;
        let path = to.folder.join(&to.name);
        match part.persist_noclobber(&path) {
            Ok(_) => Ok(Saved { path, bytes }),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(there_already(&to.name)),
            Err(error) => Err(unwritable(error.error)),
        }
    }
}

impl Destination {
    /// `wanted` below `root`, also where it is written as a whole path. Folders are made on the way; links that lead
    /// out of `root` are not followed.
    fn find(root: &Path, wanted: &Path) -> Result<Self> {
        let outside = || Error::argument(FIELD, "output_path leads out of the folder for downloads");
        let unusable = |error: io::Error| {
            Error::Kit(kit::ToolError::internal("cannot use --download-dir").because(&error))
        };
        let base = root.canonicalize().map_err(unusable)?;
        let below = wanted.strip_prefix(root).or_else(|_| wanted.strip_prefix(&base)).unwrap_or(wanted);
        if !below.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(outside());
        }
        let name = below.file_name().ok_or_else(|| Error::argument(FIELD, "output_path names no file"))?;
        let mut folder = base.clone();
        for part in below.parent().into_iter().flat_map(Path::components) {
            folder.push(part);
            match std::fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(unusable(error)),
                _ => folder = folder.canonicalize().map_err(unusable)?,
            }
            if !folder.starts_with(&base) {
                return Err(outside());
            }
        }
        if folder.join(name).symlink_metadata().is_ok() {
            return Err(there_already(Path::new(name)));
        }
        Ok(Self { folder, name: name.into() })
    }
}

fn there_already(name: &Path) -> Error {
    let name = kit::clip(&name.to_string_lossy());
    Error::argument(FIELD, format!("there is a file {name} already; give another output_path"))
}

/// A name that somebody else gave, as one of a file in this folder.
fn file_name(name: &str) -> String {
    let plain = |letter: char| if letter.is_control() || matches!(letter, '/' | '\\') { '_' } else { letter };
    let name: String = name.chars().map(plain).collect();
    let name = name.trim_start_matches('.').trim();
    if name.is_empty() { "download".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("link")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("new"), root.path().join("dangling")).unwrap();
        std::fs::write(root.path().join("there"), "").unwrap();
        let absolute = elsewhere.path().join("x");
        for bad in [
            "../x",
            "a/../../x",
            "/etc/x",
            "link/x",
            "dangling",
            "there",
            "",
            "a/..",
            absolute.to_str().unwrap(),
        ] {
            assert!(Destination::find(root.path(), Path::new(bad)).is_err(), "{bad}");
        }
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        let whole = root.path().join("a/b");
        for good in ["x", "a/b", "./a/b", whole.to_str().unwrap()] {
            let found = Destination::find(root.path(), Path::new(good)).unwrap();
            assert!(found.folder.starts_with(root.path().canonicalize().unwrap()), "{good}");
        }
    }

    #[test]
    fn a_name_from_elsewhere_is_one_of_a_file() {
        assert_eq!(file_name("../../etc/passwd"), "_.._etc_passwd");
        assert_eq!(file_name("..\\x"), "_x");
        assert_eq!(file_name(".."), "download");
    }
}
