//! Which requests of a thread are under way: what a shutdown waits for, and what it ends because that never ends.

use std::cell::RefCell;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

#[derive(Default)]
pub(crate) struct Flight {
    requests: RefCell<TaskTracker>,
    cut: CancellationToken,
}

impl Flight {
    /// A request is under way until this is dropped.
    pub(crate) fn begin(&self) -> TaskTrackerToken {
        self.requests.borrow().token()
    }

    /// Waits for the requests that are under way now, not for those that begin meanwhile.
    pub(crate) fn landed(&self) -> impl Future<Output = ()> + use<> {
        let requests = self.requests.take();
        requests.close();
        async move { requests.wait().await }
    }

    /// Ends what would never end.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }

    pub(crate) fn until_cut(&self) -> WaitForCancellationFutureOwned {
        self.cut.clone().cancelled_owned()
    }
}
