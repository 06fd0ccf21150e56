//! How long a server may do nothing about a request: neither answer it nor take more of its body. One timer
//! serves all requests of a connection and is seldom touched; what a request costs is a look at the clock.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// When something last happened.
#[derive(Clone)]
pub(crate) struct Sign(Rc<Cell<Instant>>);

impl Sign {
    pub(crate) fn of_life(&self) {
        self.0.set(Instant::now());
    }
}

pub(crate) struct Patience {
    pub(crate) sign: Sign,
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { sign: Sign(Rc::new(Cell::new(Instant::now()))), limit, timer: Box::pin(sleep(limit)) }
    }

    /// Ready when there was no sign of life for too long.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let end = self.sign.0.get() + self.limit;
            if end <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
    }
}
