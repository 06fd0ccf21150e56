//! No answer counts twice: what was opened is remembered until it would have expired anyway, in memory and, where
//! replicas share a folder, there too.

use std::collections::{HashSet, VecDeque};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;

use crate::{Code, ToolError};

/// Most that is remembered at once; beyond it no answer is taken until older ones have expired.
const MOST: usize = 100_000;
/// How often the folder is swept, at most.
const SWEEP: Duration = Duration::from_secs(60);

/// The answers that were used.
pub(crate) struct Used {
    lifetime: Duration,
    folder: Option<PathBuf>,
    seen: Mutex<Seen>,
}

struct Seen {
    known: HashSet<String>,
    order: VecDeque<(Instant, String)>,
    swept: Instant,
}

impl Used {
    /// `lifetime` is how long a state can be opened at all.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub(crate) fn new(lifetime: Duration, folder: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(folder) = folder {
            let what = || format!("--used-states-dir (GANTRY_USED_STATES_DIR) {}", folder.display());
            std::fs::create_dir_all(folder).with_context(what)?;
            let probe = folder.join(format!(".probe-{}", uuid::Uuid::new_v4().simple()));
            std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).with_context(what)?;
        }
        let seen = Seen { known: HashSet::new(), order: VecDeque::new(), swept: Instant::now() };
        Ok(Self { lifetime, folder: folder.map(Path::to_owned), seen: Mutex::new(seen) })
    }

    /// Uses the state of this name: true the first time.
    ///
    /// # Errors
    /// `RATE_LIMITED` when too many are remembered; `INTERNAL_ERROR` when the folder fails.
    pub(crate) fn take(&self, name: &str) -> Result<bool, ToolError> {
        let sweep = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.forget(self.lifetime);
            if seen.known.len() >= MOST {
                let message = "too many answers came at once; try again later";
                return Err(ToolError::new(Code::RateLimited, message).with("retry_after", 60));
            }
            if !seen.known.insert(name.to_owned()) {
                return Ok(false);
            }
            seen.order.push_back((Instant::now(), name.to_owned()));
            let sweep = seen.swept.elapsed() >= SWEEP;
            if sweep {
                seen.swept = Instant::now();
            }
            sweep
        };
        let Some(folder) = &self.folder else { return Ok(true) };
        if sweep {
            self.sweep(folder);
        }
        // Whoever makes the file is the first: that holds between processes, and on shared file systems.
        match OpenOptions::new().write(true).create_new(true).open(folder.join(name)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => {
                let message = "the folder of --used-states-dir cannot be written to, so no answer is taken";
                Err(ToolError::internal(message).because(&error))
            }
        }
    }

    /// Removes what has expired, with room for clocks that differ.
    fn sweep(&self, folder: &Path) {
        let Ok(files) = std::fs::read_dir(folder) else { return };
        for file in files.flatten() {
            let age =
                file.metadata().and_then(|it| it.modified()).map(|it| SystemTime::now().duration_since(it));
            if let Ok(Ok(age)) = age
                && age > 2 * self.lifetime
                && let Err(error) = std::fs::remove_file(file.path())
                && error.kind() != ErrorKind::NotFound
            {
                tracing::warn!("a used state cannot be removed: {error}");
            }
        }
    }
}

impl Seen {
    fn forget(&mut self, lifetime: Duration) {
        while self.order.front().is_some_and(|(at, _)| at.elapsed() > lifetime) {
            if let Some((_, name)) = self.order.pop_front() {
                self.known.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(600);

    #[test]
    fn the_first_is_the_only_one_in_every_process() {
        let folder = tempfile::tempdir().expect("folder");
        let replicas = [(); 2].map(|()| Used::new(LIFETIME, Some(folder.path())).expect("writable"));
        assert!(replicas[0].take("a").expect("room"));
        assert!(!replicas[1].take("a").expect("room"));
        assert!(!replicas[0].take("a").expect("room"));
        assert!(replicas[1].take("b").expect("room"));
    }

    #[test]
    fn what_has_expired_is_forgotten() {
        let used = Used::new(Duration::ZERO, None).expect("no folder");
        for at in 0..1000 {
            assert!(used.take(&at.to_string()).expect("room"));
            std::thread::sleep(Duration::from_micros(10));
        }
        assert!(used.seen.lock().expect("lock").known.len() < 10);
    }
}
