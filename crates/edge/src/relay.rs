//! A server's answer on its way to the client. It carries its connection along and drives it, so that one
//! task does all of a request: nothing has to be woken, and whatever drops the answer drops the connection.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::conn::Conn;
use crate::pool::Hold;

type Item = Option<Result<Frame<Bytes>, hyper::Error>>;

pub(crate) struct Relay {
    body: Incoming,
    conn: Option<Box<Conn>>,
    hold: Hold,
    /// Whether the connection may serve again.
    reusable: bool,
    failed: Option<hyper::Error>,
}

impl Relay {
    /// The body that arrives over `conn`, which is given back, if it is reusable, when all of it has.
    pub(crate) fn new(body: Incoming, conn: Box<Conn>, hold: Hold, reusable: bool) -> Self {
        let mut relay = Self { body, conn: Some(conn), hold, reusable, failed: None };
        if relay.body.is_end_stream() {
            relay.done();
        }
        relay
    }

    /// The whole body is here: the connection can serve again, if both sides are through with it.
    fn done(&mut self) {
        if let Some(mut conn) = self.conn.take()
            && self.reusable
            && conn.is_ready()
        {
            self.hold.keep(conn);
        }
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        match &mut self.conn {
            Some(conn) => conn.poll_body(&mut self.body, cx),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Item> {
        let this = self.get_mut();
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match this.poll_item(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Err(error))) => {
                this.conn = None;
                this.failed = Some(error);
                // The error ends the client's connection at once; what came before it is flushed first.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(item) => {
                if item.is_none() || this.body.is_end_stream() {
                    this.done();
                }
                Poll::Ready(item)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failed.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
