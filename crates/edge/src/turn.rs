//! The order in which a thread's tasks do what is ready.

use std::future::poll_fn;
use std::task::Poll;

/// Lets the tasks go first that are ready now, without asking the kernel for more of them.
///
/// Requests that have come together are sent on together after this: a server is woken once for many, where it would
/// fall asleep in between, and a wakeup on another core costs about as much as the rest of a request.
pub(crate) async fn end() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
