//! Ends the runs that were promised an end.
//!
//! Locust can time a run itself (`run_time`), and a timer in Locust works even when this server is gone. But
//! before 2.47 such a timer outlives a run that is stopped early and stops whatever runs when it fires, and
//! nothing in its interface takes it back. So:
//!
//! - The promise is always kept here, by a task that lives as long as the run does, whatever became of the
//!   request that started it.
//! - From 2.47 on, Locust is given the same time, so that the run ends on time even without us; our task is
//!   then a second late and normally finds the run over. It matters when somebody resizes the run in the web
//!   interface, which takes Locust's timer away.
//! - Before 2.47 Locust is given no time. When this server shuts down, it stops the run that it would else
//!   leave without an end. Killed outright, it cannot: that run goes on until somebody stops it.
//!
//! The task takes the run for over once it sees Locust idle. A run that is stopped and started anew in the web
//! interface between two looks is taken for the same one, and ends when that one would have.

use kit::telemetry;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Error, Inner};

/// Locust makes its figures afresh every two seconds.
const LOOK: Duration = Duration::from_secs(2);
/// How long past its end we try to stop a run of a Locust that does not answer.
const PERSIST: Duration = Duration::from_secs(600);
/// The same when this server is about to exit.
const PERSIST_AT_EXIT: Duration = Duration::from_secs(5);

/// The run that this server started last.
pub(super) struct Run {
    /// When it will be stopped; `None` when it runs until somebody stops it.
    pub(super) ends: Option<Instant>,
    /// Its target, as Locust has it; empty when its user classes have their own.
    pub(super) host: String,
    /// Dropped with the run, which tells the task that there is nothing left to end.
    _alive: Option<oneshot::Sender<()>>,
}

impl Run {
    /// A run that nobody has to end.
    pub(super) fn endless(host: String) -> Self {
        Self { ends: None, host, _alive: None }
    }

    /// A run that will be stopped at `ends`.
    pub(super) async fn bounded(
        host: String,
        ends: Instant,
        inner: &Arc<Inner>,
        locust_ends_it: bool,
    ) -> Self {
        let (alive, over) = oneshot::channel();
        let (begun, begins) = oneshot::channel();
        let watch = Watch { inner: inner.clone(), over, ends, locust_ends_it };
        let kit = inner.kit.clone();
        tokio::spawn(telemetry::carry(async move {
            // As a change of ours, so that a shutdown waits for its last step.
            let watched = kit.run_to_end("end of a load test", async move {
                let _nobody_waits = begun.send(());
                Ok(watch.run().await?)
            });
            if let Err(error) = watched.await {
                tracing::error!("the load test may still run: {error}");
            }
        }));
        // A shutdown now would not know of a task that has not begun.
        let _begun = begins.await;
        Self { ends: Some(ends), host, _alive: Some(alive) }
    }
}

struct Watch {
    inner: Arc<Inner>,
    over: oneshot::Receiver<()>,
    ends: Instant,
    locust_ends_it: bool,
}

impl Watch {
    async fn run(mut self) -> Result<(), Error> {
        let grace = if self.locust_ends_it { Duration::from_secs(1) } else { Duration::ZERO };
        let due = self.ends + grace;
        loop {
            tokio::select! {
                _ = &mut self.over => return Ok(()),
                () = self.inner.kit.stopping().cancelled() => {
                    return if self.locust_ends_it { Ok(()) } else { self.end(PERSIST_AT_EXIT).await };
                }
                () = sleep_until(due) => return self.end(PERSIST).await,
                () = sleep(LOOK) => if self.is_over().await { return Ok(()) },
            }
        }
    }

    /// Stops the run, trying again while Locust does not answer.
    async fn end(&mut self, patience: Duration) -> Result<(), Error> {
        let give_up = Instant::now() + patience;
        let mut told = false;
        loop {
            let changing = self.inner.changing.lock().await;
            if self.over.try_recv() == Err(oneshot::error::TryRecvError::Closed) {
                return Ok(());
            }
            match self.inner.halt().await {
                Ok(()) => {
                    *self.inner.run.lock().await = None;
                    return Ok(());
                }
                Err(error) if Instant::now() > give_up => return Err(error),
                Err(error) if !told => {
                    tracing::warn!("cannot stop the load test at its end, trying again: {error}");
                    told = true;
                }
                Err(_) => {}
            }
            drop(changing);
            sleep(LOOK).await;
        }
    }

    /// Whether the run ended without us. A Locust that does not answer now is asked again when the run is due.
    async fn is_over(&mut self) -> bool {
        // The figures are cheap to ask for, but may be from before this run; the page is neither.
        if !self.inner.stats().await.is_ok_and(|stats| stats.state.is_idle()) {
            return false;
        }
        let _changing = self.inner.changing.lock().await;
        if self.over.try_recv() == Err(oneshot::error::TryRecvError::Closed) {
            return true;
        }
        let idle = self.inner.page().await.is_ok_and(|page| page.state.is_idle());
        if idle {
            *self.inner.run.lock().await = None;
        }
        idle
    }
}
