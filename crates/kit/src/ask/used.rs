//! No answer counts twice: what was opened is remembered until it would have expired anyway, in memory and, where
//! replicas share a folder, there too.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;

use crate::{Code, ToolError};

/// Most that is remembered at once; beyond it no answer is taken until older ones have expired.
const MOST: usize = 100_000;
/// Most of one caller's, so that no caller takes the room of all.
const MOST_OF_ONE: usize = 10_000;
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
    order: VecDeque<(Instant, Arc<str>, String)>,
    /// How many of them are a caller's.
    of: HashMap<Arc<str>, usize>,
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
        let (known, order, of) = (HashSet::new(), VecDeque::new(), HashMap::new());
        let seen = Seen { known, order, of, swept: Instant::now() };
        Ok(Self { lifetime, folder: folder.map(Path::to_owned), seen: Mutex::new(seen) })
    }

    /// Uses the caller's state of this name: true the first time.
    ///
    /// # Errors
    /// `RATE_LIMITED` when too many are remembered, of this caller or in all; `INTERNAL_ERROR` when the folder fails.
    pub(crate) fn take(&self, caller: &Arc<str>, name: &str) -> Result<bool, ToolError> {
        let sweep = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.forget(self.lifetime);
            let own = seen.of.get(caller).copied().unwrap_or_default();
            if seen.known.len() >= MOST || own >= MOST_OF_ONE {
                let message = "too many answers came at once; try again later";
                return Err(ToolError::new(Code::RateLimited, message).with("retry_after", 60));
            }
            if !seen.known.insert(name.to_owned()) {
                return Ok(false);
            }
            seen.order.push_back((Instant::now(), caller.clone(), name.to_owned()));
            seen.of.insert(caller.clone(), own + 1);
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

    /// Removes what has expired, with room for clocks that differ; and nothing that is not ours, whatever folder this is.
    fn sweep(&self, folder: &Path) {
        let Ok(files) = std::fs::read_dir(folder) else { return };
        let ours = |name: &OsStr| name.to_str().is_some_and(|it| uuid::Uuid::try_parse(it).is_ok());
        for file in files.flatten().filter(|file| ours(&file.file_name())) {
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
        while self.order.front().is_some_and(|(at, ..)| at.elapsed() > lifetime) {
            let Some((_, caller, name)) = self.order.pop_front() else { return };
            self.known.remove(&name);
            match self.of.get_mut(&caller) {
                Some(more @ 2..) => *more -= 1,
                _ => drop(self.of.remove(&caller)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(600);

    fn ops() -> Arc<str> {
        "ops".into()
    }

    #[test]
    fn the_first_is_the_only_one_in_every_process() {
        let folder = tempfile::tempdir().expect("folder");
        let replicas = [(); 2].map(|()| Used::new(LIFETIME, Some(folder.path())).expect("writable"));
        assert!(replicas[0].take(&ops(), "a").expect("room"));
        assert!(!replicas[1].take(&ops(), "a").expect("room"));
        assert!(!replicas[0].take(&ops(), "a").expect("room"));
        assert!(replicas[1].take(&ops(), "b").expect("room"));
    }

    #[test]
    fn what_has_expired_is_forgotten() {
        let used = Used::new(Duration::ZERO, None).expect("no folder");
        for at in 0..1000 {
            assert!(used.take(&ops(), &at.to_string()).expect("room"));
            std::thread::sleep(Duration::from_micros(10));
        }
        let seen = used.seen.lock().expect("lock");
        assert!(seen.known.len() < 10 && seen.of[&ops()] == seen.known.len());
    }

    #[test]
    fn a_caller_cannot_take_the_room_of_others() {
        let used = Used::new(LIFETIME, None).expect("no folder");
        let eve = Arc::from("eve");
        let taken = (0..=MOST_OF_ONE).take_while(|at| used.take(&eve, &at.to_string()).is_ok()).count();
        assert_eq!(taken, MOST_OF_ONE);
        assert!(used.take(&ops(), "a").expect("room"));
    }

    #[test]
    fn a_sweep_leaves_what_is_not_ours() {
        let folder = tempfile::tempdir().expect("folder");
        let used = Used::new(Duration::ZERO, Some(folder.path())).expect("writable");
        let [ours, foreign] =
            [&*uuid::Uuid::new_v4().simple().to_string(), "data.db"].map(|it| folder.path().join(it));
        std::fs::write(&ours, "").expect("written");
        std::fs::write(&foreign, "").expect("written");
        std::thread::sleep(Duration::from_millis(20));
        used.sweep(folder.path());
        assert!(!ours.exists() && foreign.exists());
    }
}
