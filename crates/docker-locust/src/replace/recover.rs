//! What must happen without anybody asking: replacements that a crash cut off are ended, and replaced
//! containers that were kept are removed when their time has passed. At start, and then now and again.

use std::time::Duration;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum as State};
use futures::future::join_all;
use tracing::{error, info, warn};

use super::Replacer;
use super::changes;
use super::journal::{self, Journal};
use super::settle::{self, End};
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::names::{self, Part};

/// The longest time between two sweeps.
const INTERVAL: Duration = Duration::from_secs(30);

impl Replacer {
    /// Sweeps for as long as the server lives.
    pub(crate) async fn keep_sweeping(self) {
        let interval = INTERVAL.min(self.keep_replaced / 2).max(Duration::from_secs(1));
        let mut started = false;
        loop {
            match self.sweep(!started).await {
                Ok(()) => started = true,
                // Every tool and the health check say so as well; here it would only fill the log.
                Err(Error::Unreachable { .. }) => {}
                Err(error) => warn!("looking for unfinished replacements failed: {error}"),
            }
            tokio::time::sleep(interval).await;
        }
    }

    async fn sweep(&self, first: bool) -> Result<()> {
        let containers = self.docker.list().await?;
        let now = jiff::Timestamp::now().as_second();
        let free = journal::unfinished(&containers).into_iter().filter_map(|journal| {
            let lock = match self.locks.try_acquire(&journal.name).transpose()? {
                Ok(lock) => lock,
                Err(error) => return Some(Err(error)),
            };
            if !is_ours(&journal, &lock, now) {
                let (container, seconds) = (&journal.name, journal.until - now);
                info!(
                    container,
                    seconds, "found an unfinished replacement of another server, left to it for so long"
                );
                return None;
            }
            Some(Ok(self.settle(journal, lock)))
        });
        // A failure is logged where it happens; the next sweep tries again.
        let _logged = join_all(free.collect::<Result<Vec<_>>>()?).await;
        for container in &containers {
            if let Some(at) = kept_since(container) {
                self.expire(container, now - at, first).await?;
            }
        }
        Ok(())
    }

    /// Ends one replacement that a crash cut off, with its container locked, and gives the lock back.
    pub(super) async fn settle(&self, journal: Journal, lock: Lock) -> kit::Result<Lock> {
        let (docker, timeout) = (self.docker.clone(), self.health_timeout);
        let what = format!("settle {}", journal.name);
        let settle = async move {
            // It may have ended while its lock was waited for.
            let containers = docker.list().await?;
            if !journal::unfinished(&containers).contains(&journal) {
                return Ok(lock);
            }
            let name = journal.name.clone();
            warn!(container = name, old = journal.old, new = journal.new, "found an unfinished replacement");
            match settle::settle(&docker, &journal, timeout, jiff::Timestamp::now().as_second()).await {
                Ok(End::Finished) => info!(container = name, "finished it: the new container has its place"),
                Ok(End::Undone) => info!(container = name, "undid it: the old container is back"),
                Err(error) => {
                    error!(container = name, "could not end it, will try again: {error}");
                    let (reason, trouble) = ("an earlier change was cut off".into(), error.to_string());
                    return Err(Error::Unsettled { name, reason, trouble }.into());
                }
            }
            Ok(lock)
        };
        self.kit.run_to_end(what, settle).await
    }

    async fn expire(&self, container: &ContainerSummary, age: i64, first: bool) -> Result<()> {
        let (id, name) = (names::id(container), names::of(container));
        let expired = age >= i64::try_from(self.keep_replaced.as_secs()).unwrap_or(i64::MAX);
        // One without changes is kept only because its removal failed or a crash came before it.
        let remove = expired || (first && self.has_no_changes(id).await?);
        if !remove {
            return Ok(());
        }
        match self.docker.remove(id, false).await {
            Ok(()) => info!(container = name, "removed a replaced container that was kept"),
            Err(error) => warn!(container = name, "could not remove a replaced container: {error}"),
        }
        Ok(())
    }

    async fn has_no_changes(&self, id: &str) -> Result<bool> {
        let container = self.docker.inspect(id).await?;
        Ok(changes::of(&container, &self.docker.changes(id).await?).total == 0)
    }
}

/// Whether a replacement that was cut off is ours to end. One that was not noted under our lock is another
/// server's, or our notes are lost: it has its time first.
pub(super) fn is_ours(journal: &Journal, lock: &Lock, now: i64) -> bool {
    lock.is_noted(&journal.old) || now >= journal.until
}

/// When a container was replaced; `None` for any other, and for one that somebody has started again.
fn kept_since(container: &ContainerSummary) -> Option<i64> {
    let stopped = matches!(container.state, Some(State::EXITED | State::CREATED | State::DEAD));
    match names::parse(names::of(container), names::id(container)).1 {
        Part::Replaced(at) if stopped => Some(at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stopped_container_that_says_its_own_id_expires() {
        let id = "0123456789abcdef";
        let container = |name: String, state| ContainerSummary {
            id: Some(id.into()),
            names: Some(vec![format!("/{name}")]),
            state: Some(state),
            ..ContainerSummary::default()
        };
        let name = names::replaced("web", id, 42);
        assert_eq!(kept_since(&container(name.clone(), State::EXITED)), Some(42));
        assert_eq!(kept_since(&container(name, State::RUNNING)), None);
        assert_eq!(kept_since(&container("web-gantry-replaced-ffffffffffff-42".into(), State::EXITED)), None);
        assert_eq!(kept_since(&container("web".into(), State::EXITED)), None);
    }
}
