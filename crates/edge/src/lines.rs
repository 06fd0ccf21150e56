//! The HTTP/2 connections of one thread to one replica, each shared by many calls.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Mutex;
use tokio::task::spawn_local;

use crate::conn::Failure;
use crate::error::Error;
use crate::patience::Patience;
use crate::socket::Socket;
use crate::tally::Opened;
use crate::upload::Upload;

/// Calls on one connection; more get another one, so that long ones do not hold up the rest.
const MAX_CALLS: usize = 100;
/// What a server may send ahead of the client's reading, in bytes: of one call, and of all on a connection.
pub(crate) const CALL_WINDOW: u32 = 256 * 1024;
pub(crate) const LINE_WINDOW: u32 = 1024 * 1024;
/// How often the other side is asked whether it is still there, and how long it may take to say so.
pub(crate) const PING: Duration = Duration::from_secs(30);
pub(crate) const PONG: Duration = Duration::from_secs(20);

/// Runs what hyper wants run on the thread it is on.
#[derive(Clone, Copy)]
pub(crate) struct Local;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}

#[derive(Default)]
pub(crate) struct Lines {
    open: RefCell<Vec<Line>>,
    /// Held while connecting, so that calls that come together share what comes of it.
    connecting: Mutex<()>,
}

struct Line {
    sender: SendRequest<Upload>,
    calls: Rc<Calls>,
}

/// The calls on a line.
struct Calls {
    number: Cell<usize>,
    last_end: Cell<Instant>,
}

/// One call's share of a line, until its answer has ended.
pub(crate) struct Share(Rc<Calls>);

impl Share {
    fn of(calls: &Rc<Calls>) -> Self {
        calls.number.set(calls.number.get() + 1);
        Self(calls.clone())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.number.set(self.0.number.get() - 1);
        self.0.last_end.set(Instant::now());
    }
}

/// A way to send one call.
pub(crate) struct Turn {
    sender: SendRequest<Upload>,
    share: Share,
}

/// Why there is no connection.
pub(crate) enum Broken {
    Unreached(Error),
    Http(hyper::Error),
}

impl Lines {
    /// A connection with room; `connect` makes one where there is none.
    pub(crate) async fn turn(
        &self,
        connect: impl AsyncFn() -> Result<(Socket, Opened), Error>,
    ) -> Result<Turn, Broken> {
        if let Some(turn) = self.free() {
            return Ok(turn);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(turn) = self.free() {
            return Ok(turn);
        }
        let (socket, opened) = connect().await.map_err(Broken::Unreached)?;
        let mut builder = Builder::new(Local);
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .initial_stream_window_size(CALL_WINDOW)
            .initial_connection_window_size(LINE_WINDOW);
        let (sender, connection) = builder.handshake(TokioIo::new(socket)).await.map_err(Broken::Http)?;
        spawn_local(async move {
            let _opened = opened;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to a server ended");
            }
        });
        let calls = Rc::new(Calls { number: Cell::new(0), last_end: Cell::new(Instant::now()) });
        let turn = Turn { sender: sender.clone(), share: Share::of(&calls) };
        self.open.borrow_mut().push(Line { sender, calls });
        Ok(turn)
    }

    fn free(&self) -> Option<Turn> {
        let open = self.open.borrow();
        let line = open.iter().find(|it| it.sender.is_ready() && it.calls.number.get() < MAX_CALLS)?;
        Some(Turn { sender: line.sender.clone(), share: Share::of(&line.calls) })
    }

    /// Lets go of connections that have ended, or on which nothing was called for so long.
    pub(crate) fn tidy(&self, idle: Duration) {
        self.open.borrow_mut().retain(|Line { sender, calls }| {
            let used = calls.number.get() > 0 || calls.last_end.get().elapsed() < idle;
            !sender.is_closed() && used
        });
    }
}

impl Turn {
    /// Sends the call and gives the head of its answer.
    pub(crate) async fn send(
        mut self,
        mut request: Request<Upload>,
        silence: Option<Duration>,
    ) -> Result<(Response<Incoming>, Share), Failure> {
        let mut patience = silence.map(Patience::new);
        if let Some(Patience { sign, .. }) = &patience {
            request.body_mut().watch(sign);
        }
        let mut answer = pin!(self.sender.try_send_request(request));
        let answer = poll_fn(|cx| match (answer.as_mut().poll(cx), &mut patience) {
            (Poll::Ready(answer), _) => Poll::Ready(answer.map_err(|error| Failure::Http(error.into()))),
            (Poll::Pending, Some(patience)) => patience.poll_end(cx).map(|()| Err(Failure::Silence)),
            (Poll::Pending, None) => Poll::Pending,
        })
        .await?;
        Ok((answer, self.share))
    }
}
