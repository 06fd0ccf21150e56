//! Downloads: what a caller has put on the server's disk lands inside one folder, whole, and over nothing.

use std::io;
use std::path::{Component, Path, PathBuf};

use kit::{Code, ToolError};
use reqwest::Response;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use crate::error::{Error, Result};
use crate::forge::Forge;

/// A file that is not there yet, in a folder that is.
#[derive(Debug)]
pub(crate) struct Place {
    folder: PathBuf,
    file: PathBuf,
    /// Below the folder of downloads.
    path: String,
}

/// A file that was written.
#[derive(Debug, Serialize)]
pub(crate) struct Downloaded {
    /// Below the folder of downloads.
    path: String,
    bytes: u64,
    sha256: String,
}

impl Forge {
    /// Where a download of this name may go. Asked before anything is requested.
    pub(crate) async fn place(&self, output_path: &str) -> Result<Place> {
        let Some(root) = self.args().download_dir.clone() else {
            let message =
                "nothing is downloaded to disk: the server has no --download-dir (GANTRY_DOWNLOAD_DIR)";
            return Err(ToolError::new(Code::Forbidden, message)
                .with("setting", "GANTRY_DOWNLOAD_DIR")
                .into());
        };
        let path = output_path.to_owned();
        blocking(move || Ok(Place::below(&root, path))).await?
    }

    /// Writes an answer to its place.
    ///
    /// # Errors
    /// When it is larger than the operator allows, or cannot be written; nothing is left of it then.
    pub(crate) async fn save(&self, mut response: Response, place: Place) -> Result<Downloaded> {
        let Place { folder, file, path } = place;
        let most = self.args().max_download_bytes;
        let fits = |bytes: u64| if bytes > most { Err(too_large(most)) } else { Ok(()) };
        fits(response.content_length().unwrap_or(0))?;
        let (begun, handle) = blocking(move || {
            let begun = NamedTempFile::new_in(folder)?;
            let handle = begun.reopen()?;
            Ok((begun, handle))
        })
        .await?;
        let mut handle = tokio::fs::File::from_std(handle);
        let (mut bytes, mut digest) = (0, Sha256::new());
        while let Some(chunk) = self.chunk(&mut response).await? {
            bytes += chunk.len() as u64;
            fits(bytes)?;
            handle.write_all(&chunk).await.map_err(|error| failure(&error))?;
            digest.update(&chunk);
        }
        handle.sync_all().await.map_err(|error| failure(&error))?;
        match blocking(move || Ok(begun.persist_noclobber(file))).await? {
            Ok(_) => {
                let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
                Ok(Downloaded { path, bytes, sha256 })
            }
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(taken(&path)),
            Err(error) => Err(failure(&error.error)),
        }
    }
}

impl Place {
    /// Makes the folders on the way, and follows no link out of `root`.
    fn below(root: &Path, path: String) -> Result<Self> {
        let wrong = |message: String| Error::argument("output_path", message);
        let names: Option<Vec<_>> = Path::new(&path)
            .components()
            .map(|part| if let Component::Normal(name) = part { Some(name) } else { None })
            .collect();
        let Some((name, folders)) =
            names.as_deref().and_then(<[_]>::split_last).filter(|_| !path.ends_with('/'))
        else {
            return Err(wrong("output_path is no path of a file below the folder of downloads".into()));
        };
        let root = root.canonicalize().map_err(|error| failure(&error))?;
        let mut folder = root.clone();
        for name in folders {
            folder.push(name);
            match std::fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failure(&error)),
                _ => folder = folder.canonicalize().map_err(|error| failure(&error))?,
            }
            if !folder.starts_with(&root) || !folder.is_dir() {
                return Err(wrong(format!("{} is no folder below that of downloads", kit::clip(&path))));
            }
        }
        let file = folder.join(name);
        if file.symlink_metadata().is_ok() {
            return Err(taken(&path));
        }
        Ok(Self { folder, file, path })
    }
}

fn too_large(most: u64) -> Error {
    let message =
        format!("it is larger than the {most} bytes of --max-download-bytes (GANTRY_MAX_DOWNLOAD_BYTES)");
    ToolError::new(Code::Forbidden, message).with("setting", "GANTRY_MAX_DOWNLOAD_BYTES").into()
}

fn taken(path: &str) -> Error {
    Error::argument(
        "output_path",
        format!("there is a file {} already; choose another name", kit::clip(path)),
    )
}

fn failure(error: &io::Error) -> Error {
    let message = format!("the folder of downloads (--download-dir) cannot be written: {}", error.kind());
    ToolError::internal(message).because(error).into()
}

/// Work on the disk, beside the threads that serve calls.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten();
    done.map_err(|error| failure(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_inside_and_overwrites_nothing() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = root.path();
        std::os::unix::fs::symlink(outside.path(), root.join("out")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("new"), root.join("dangling")).unwrap();
        std::fs::write(root.join("there"), "").unwrap();
        for bad in [
            "",
            ".",
            "..",
            "../a",
            "a/../../b",
            "/etc/a",
            "a/",
            "out/a",
            "out/deep/a",
            "there/a",
            "there",
            "dangling",
        ] {
            let error = Place::below(root, bad.into()).expect_err(bad);
            assert!(
                matches!(&error, Error::Argument { field, .. } if field == "output_path"),
                "{bad}: {error}"
            );
        }
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        let place = Place::below(root, "a/b/c.log".into()).unwrap();
        assert_eq!(place.file, root.canonicalize().unwrap().join("a/b/c.log"));
        assert!(place.folder.is_dir());
    }
}
