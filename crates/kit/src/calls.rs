//! The calls in flight, as a shutdown sees them: those it found, those that came later, and what cuts them off.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The calls in flight. Under steady load there is no moment without any, so a shutdown waits first for those
/// that it found.
#[derive(Default)]
pub(crate) struct Calls {
    found: TaskTracker,
    later: TaskTracker,
    cut: CancellationToken,
}

impl Calls {
    /// A call is in flight as long as its token lives.
    pub(crate) fn begin(&self) -> TaskTrackerToken {
        if self.found.is_closed() { self.later.token() } else { self.found.token() }
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len() + self.later.len()
    }

    /// From now on a call that begins is a later one.
    pub(crate) fn stop(&self) {
        self.found.close();
        self.later.close();
    }

    /// Waits for the calls that [`Calls::stop`] found.
    pub(crate) async fn found_ended(&self) {
        self.found.wait().await;
    }

    /// Waits for a moment without any call, once [`Calls::stop`] was called.
    pub(crate) async fn ended(&self) {
        while self.len() > 0 {
            self.found.wait().await;
            self.later.wait().await;
        }
    }

    /// Cuts off every call.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }

    /// Resolves when calls are cut off.
    pub(crate) async fn are_cut(&self) {
        self.cut.cancelled().await;
    }
}
