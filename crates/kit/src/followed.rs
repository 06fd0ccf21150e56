//! Secrets from files: read again whenever the file changes. A thread of its own looks, so that it depends on no
//! runtime, and ends with its owner.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::{Duration, SystemTime};

/// How often a file is looked at for a change.
const POLL: Duration = Duration::from_secs(1);

/// What was read from a file, as it is now.
#[derive(Debug)]
pub struct Followed<T>(Arc<RwLock<T>>);

impl<T: Send + Sync + 'static> Followed<T> {
    /// A value that no file changes.
    pub fn fixed(value: T) -> Self {
        Self(Arc::new(RwLock::new(value)))
    }

    /// Reads now, and again whenever `file` changes; what cannot be read then leaves the old value.
    ///
    /// # Errors
    /// Those of the first `read`, and of starting the thread.
    pub fn read(
        file: PathBuf,
        read: impl Fn() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<Self> {
        let seen = stamp(&file);
        let this = Self::fixed(read()?);
        let value = Arc::downgrade(&this.0);
        std::thread::Builder::new().name("files".into()).spawn(move || follow(&file, seen, &value, read))?;
        Ok(this)
    }

    /// The value as it is now. Not to be held across anything slow.
    pub fn get(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn follow<T>(file: &Path, mut seen: Stamp, value: &Weak<RwLock<T>>, read: impl Fn() -> anyhow::Result<T>) {
    loop {
        std::thread::sleep(POLL);
        let Some(value) = value.upgrade() else { return };
        let now = stamp(file);
        if now == seen {
            continue;
        }
        seen = now;
        match read() {
            Ok(new) => {
                *value.write().unwrap_or_else(PoisonError::into_inner) = new;
                tracing::info!(file = %file.display(), "file read again");
            }
            Err(error) => tracing::error!("file not taken, what it said before stays: {error:#}"),
        }
    }
}

type Stamp = Option<(SystemTime, u64)>;

fn stamp(file: &Path) -> Stamp {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
