//! How long a call may take: its deadline, without the time in which it waits for a human.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a call that waits is looked at again.
const LOOK: Duration = Duration::from_secs(1);

/// The time a call has waited for answers.
#[derive(Clone, Default)]
pub(crate) struct Patience(Arc<Mutex<Waited>>);

#[derive(Default)]
struct Waited {
    total: Duration,
    waiting: u32,
    since: Option<Instant>,
}

impl Patience {
    /// Counts as waiting until dropped.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        let mut waited = self.lock();
        waited.waiting += 1;
        waited.since.get_or_insert_with(Instant::now);
        Waiting(self)
    }

    /// Resolves when a call that begins now has worked for so long.
    pub(crate) async fn ends(&self, deadline: Duration) {
        let started = Instant::now();
        loop {
            let (waited, waits) = self.waited();
            let worked = started.elapsed().saturating_sub(waited);
            let left = deadline.saturating_sub(worked);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(if waits { left.max(LOOK) } else { left }).await;
        }
    }

    fn waited(&self) -> (Duration, bool) {
        let waited = self.lock();
        (waited.total + waited.since.map(|since| since.elapsed()).unwrap_or_default(), waited.since.is_some())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Waiting<'a>(&'a Patience);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waited = self.0.lock();
        waited.waiting -= 1;
        if waited.waiting == 0
            && let Some(since) = waited.since.take()
        {
            waited.total += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_time_of_a_human_is_not_the_calls() {
        let patience = Patience::default();
        let started = Instant::now();
        let human = async {
            let _waiting = patience.wait();
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        tokio::join!(human, patience.ends(Duration::from_millis(100)));
        assert!(started.elapsed() >= Duration::from_millis(400), "{:?}", started.elapsed());
    }
}
