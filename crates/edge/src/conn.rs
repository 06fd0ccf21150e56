//! One connection to a server, moved along by the task of the request it serves, not by one of its own:
//! that saves waking another task twice per request, and dropping the request closes the connection.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;

use crate::patience::Patience;
use crate::socket::Socket;
use crate::tally::Opened;
use crate::upload::Upload;
use crate::wire::Wire;

/// Bounds what one connection holds in memory, and with it a head's size.
pub(crate) const BUFFER: usize = 64 * 1024;

type Driver = http1::Connection<TokioIo<Wire>, Upload>;

pub(crate) struct Conn {
    sender: http1::SendRequest<Upload>,
    /// Moves the bytes; `None` when the connection has ended.
    driver: Option<Driver>,
    /// `None` for a server that may take as long as it likes.
    patience: Option<Patience>,
    bell: Arc<Bell>,
    waker: Waker,
    _opened: Opened,
}

impl Conn {
    pub(crate) async fn new(
        socket: Socket,
        silence: Option<Duration>,
        opened: Opened,
    ) -> hyper::Result<Self> {
        let io = TokioIo::new(Wire::new(socket));
        let (sender, driver) = http1::Builder::new().max_buf_size(BUFFER).writev(false).handshake(io).await?;
        let bell = Arc::new(Bell { task: Mutex::new(Waker::noop().clone()), muted: AtomicBool::new(false) });
        let waker = bell.clone().into();
        Ok(Self {
            sender,
            driver: Some(driver),
            patience: silence.map(Patience::new),
            bell,
            waker,
            _opened: opened,
        })
    }

    /// Sends a request and gives the head of its answer.
    pub(crate) async fn exchange(
        &mut self,
        mut request: Request<Upload>,
    ) -> Result<Response<Incoming>, Failure> {
        if let Some(Patience { sign, .. }) = &self.patience {
            sign.of_life();
            request.body_mut().watch(sign);
        }
        let mut answer = pin!(self.sender.try_send_request(request));
        std::future::poll_fn(|cx| {
            self.bell.rings_for(cx);
            drive(&mut self.driver, &self.waker);
            // Only the driver can make it ready, and it has just been asked.
            match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answer) => Poll::Ready(answer.map_err(|error| Failure::Http(error.into()))),
                Poll::Pending => match &mut self.patience {
                    Some(patience) => patience.poll_end(cx).map(|()| Err(Failure::Silence)),
                    None => Poll::Pending,
                },
            }
        })
        .await
    }

    /// The next part of an answer's body.
    pub(crate) fn poll_body(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Poll::Ready(part) = self.poll_quietly(body) {
            return Poll::Ready(part);
        }
        self.bell.rings_for(cx);
        drive(&mut self.driver, &self.waker);
        self.poll_quietly(body)
    }

    /// Whether it can take another request, as far as the runtime knows.
    pub(crate) fn is_ready(&mut self) -> bool {
        // Nothing is awaited from an unused connection, so nobody is to be woken.
        drive(&mut self.driver, Waker::noop());
        self.driver.is_some() && self.sender.is_ready()
    }

    /// A body that was asked or has given a part tells the driver to go on; here it is asked in any case
    /// before the task waits, so that need not wake the task.
    fn poll_quietly(&self, body: &mut Incoming) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.bell.muted.store(true, Ordering::Relaxed);
        let part = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
        self.bell.muted.store(false, Ordering::Relaxed);
        part
    }
}

/// Why there is no answer.
pub(crate) enum Failure {
    Silence,
    Http(Box<TrySendError<Request<Upload>>>),
}

/// Moves whatever can be moved now. How the connection ended is told to the request it serves.
fn drive(driver: &mut Option<Driver>, waker: &Waker) {
    if let Some(running) = driver
        && Pin::new(running).poll(&mut Context::from_waker(waker)).is_ready()
    {
        *driver = None;
    }
}

/// What the driver rings: the task of the present request, unless that is at work on the connection anyway.
struct Bell {
    task: Mutex<Waker>,
    muted: AtomicBool,
}

impl Bell {
    fn rings_for(&self, cx: &Context<'_>) {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(cx.waker());
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.muted.load(Ordering::Relaxed) {
            self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
        }
    }
}
