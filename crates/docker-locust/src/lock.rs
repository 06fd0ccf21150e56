//! One change per container at a time, among the calls of this process and among processes: a locked file
//! per container name, which the kernel unlocks when its holder dies. The file keeps the id of the container
//! last replaced under it, by which the next holder knows a replacement that was cut off as its own.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};

/// How long a change waits for another one of the same container.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);
/// Longer names share locks, which costs no more than a wait.
const MAX_FILE_NAME: usize = 200;

/// The folder of locks.
#[derive(Debug, Clone)]
pub(crate) struct Locks(PathBuf);

/// A held lock; dropping it unlocks.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Locks {
    /// Locks in this folder, which is made when the first one is taken.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self(state_dir.join("locks"))
    }

    /// Waits for the lock of this container name.
    pub(crate) async fn acquire(&self, name: &str) -> Result<Lock> {
        let wait = async {
            loop {
                if let Some(lock) = self.try_acquire(name)? {
                    return Ok(lock);
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| Err(Error::Busy(name.to_owned())))
    }

    /// Takes the lock, or `None` when another holds it.
    pub(crate) fn try_acquire(&self, name: &str) -> Result<Option<Lock>> {
        // The engine's names are safe as file names; nothing else may become one.
        let safe = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if !safe {
            return Err(Error::Unexpected("a container name that is none".into()));
        }
        let name = &name[..name.len().min(MAX_FILE_NAME)];
        let path = self.0.join(format!("{name}.lock"));
        let open = || {
            std::fs::create_dir_all(&self.0)?;
            File::options().create(true).truncate(false).write(true).open(&path)
        };
        let file = open().map_err(|error| unusable(&self.0, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unusable(&self.0, &error)),
        }
    }
}

impl Lock {
    /// Notes which container is being replaced, before anything is done to it.
    pub(crate) fn note(&mut self, id: &str) -> Result<()> {
        let write = self.file.set_len(0).and_then(|()| self.file.write_all(id.as_bytes()));
        write.map_err(|error| unusable(&self.path, &error))
    }

    /// Whether this container was noted last.
    pub(crate) fn is_noted(&self, id: &str) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|noted| noted == id)
    }
}

fn unusable(folder: &Path, error: &io::Error) -> Error {
    Error::State { folder: folder.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (Locks::new(folder.path()), Locks::new(folder.path()));
        let held = ours.acquire("web").await.unwrap();
        assert!(theirs.try_acquire("web").unwrap().is_none());
        assert!(theirs.try_acquire("db").unwrap().is_some());
        let waiting = tokio::spawn(async move { theirs.acquire("web").await.map(drop) });
        tokio::time::sleep(PAUSE * 2).await;
        assert!(!waiting.is_finished());
        drop(held);
        waiting.await.unwrap().unwrap();
    }

    #[test]
    fn what_was_noted_is_known_to_the_next_holder() {
        let folder = tempfile::tempdir().unwrap();
        let locks = Locks::new(folder.path());
        let mut first = locks.try_acquire("web").unwrap().unwrap();
        first.note("a longer id").unwrap();
        drop(first);
        let mut second = locks.try_acquire("web").unwrap().unwrap();
        assert!(second.is_noted("a longer id"));
        second.note("short").unwrap();
        assert!(second.is_noted("short") && !locks.try_acquire("db").unwrap().unwrap().is_noted("short"));
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Locks::new(file.path()).try_acquire("web").unwrap_err();
        assert!(
            matches!(&error, Error::State { .. }) && error.to_string().contains("--state-dir"),
            "{error}"
        );
    }
}
