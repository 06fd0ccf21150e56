//! The connections of one thread to one replica: reused while fresh, replaced when stale, never shared.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use crate::conn::{BUFFER, Conn, Failure};
use crate::dial::{Dialer, Protocol};
use crate::error::Error;
use crate::lines::{Broken, Lines, Share};
use crate::relay::Relay;
use crate::replica::Replica;
use crate::socket::Socket;
use crate::tally::Tally;
use crate::turn;
use crate::upload::Upload;

/// What happened to a connection this long unused may not have been noticed yet.
const FRESH: Duration = Duration::from_millis(2);

/// How connections are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// `None` for as long as it takes.
    pub(crate) response_timeout: Option<Duration>,
    pub(crate) idle: Duration,
    pub(crate) max_idle: usize,
}

/// One thread's way to a replica.
pub(crate) struct Pool {
    pub(crate) replica: Arc<Replica>,
    dialer: Rc<Dialer>,
    limits: Limits,
    tally: Arc<Tally>,
    /// The last used is the last; it is the first to be used again.
    idle: RefCell<Vec<(Instant, Box<Conn>)>>,
    /// Requests whose answers have not ended.
    busy: Cell<usize>,
    probing: Cell<bool>,
    /// Connections that broke under a request. A server that dies closes the others one after the other, and who is
    /// sent on one of them would be lost too: none is kept that was there before.
    breaks: Cell<u64>,
    lines: Lines,
}

/// One request's hold on its replica, until its answer has ended.
pub(crate) struct Hold {
    pool: Rc<Pool>,
    /// When it began.
    breaks: u64,
}

impl Hold {
    fn new(pool: &Rc<Pool>) -> Self {
        pool.busy.set(pool.busy.get() + 1);
        Self { pool: pool.clone(), breaks: pool.breaks.get() }
    }

    /// Gives a connection back.
    pub(crate) fn keep(&self, conn: Box<Conn>) {
        if self.breaks == self.pool.breaks.get() {
            self.pool.keep(conn);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.pool.busy.set(self.pool.busy.get() - 1);
    }
}

/// The body of an answer to a call.
pub(crate) struct Called {
    pub(crate) body: Incoming,
    _share: Share,
    _hold: Hold,
}

/// Why there is no answer, and the request where another replica may be asked: it was never sent, or sending it
/// twice is harmless.
pub(crate) struct Lost {
    pub(crate) error: Error,
    pub(crate) again: Option<Box<Request<Upload>>>,
}

impl Pool {
    pub(crate) fn new(replica: Arc<Replica>, dialer: Rc<Dialer>, limits: Limits, tally: Arc<Tally>) -> Self {
        let (idle, busy, probing) = (RefCell::default(), Cell::default(), Cell::default());
        let (breaks, lines) = (Cell::default(), Lines::default());
        Self { replica, dialer, limits, tally, idle, busy, probing, breaks, lines }
    }

    pub(crate) fn busy(&self) -> usize {
        self.busy.get()
    }

    /// Sends `request` and gives the answer's head as soon as it is there.
    ///
    /// A kept connection may turn out to be closed: then the request is sent once more, on a new one, if it
    /// was never sent or if its method allows that and no body was read for it. With `others`, which could be
    /// asked too, it is given back where it fails on a new connection under the same condition.
    pub(crate) async fn send(
        self: &Rc<Self>,
        mut request: Request<Upload>,
        others: bool,
    ) -> Result<Response<Relay>, Lost> {
        let large = is_large(request.body());
        let hold = Hold::new(self);
        turn::end().await;
        if let Some(mut conn) = self.reuse().await {
            let spare = Spare::of(&request);
            match conn.exchange(request).await {
                Ok(response) => return self.relay(response, conn, hold, large),
                Err(Failure::Http(mut failure)) => match again(&mut failure, spare) {
                    Some(again) if !failure.error().is_parse() => request = again,
                    _ => return Err(self.failure(failure.into_error()).into()),
                },
                Err(Failure::Silence) => return Err(self.silence().into()),
            }
        }
        let mut conn = match self.connect().await {
            Ok(conn) => conn,
            Err(error) => return Err(Lost { error, again: Some(Box::new(request)) }),
        };
        let spare = if others { Spare::of(&request) } else { None };
        match conn.exchange(request).await {
            Ok(response) => self.relay(response, conn, hold, large),
            Err(Failure::Http(mut failure)) => {
                let again = again(&mut failure, spare).filter(|_| !failure.error().is_parse());
                Err(Lost { error: self.failure(failure.into_error()), again: again.map(Box::new) })
            }
            Err(Failure::Silence) => Err(self.silence().into()),
        }
    }

    /// Sends a call over HTTP/2 and gives the answer's head as soon as it is there. A call that was never sent is
    /// given back.
    pub(crate) async fn call(
        self: &Rc<Self>,
        mut request: Request<Upload>,
    ) -> Result<Response<Called>, Lost> {
        let hold = Hold::new(self);
        let connect = || async { Ok((self.dial(Protocol::Http2).await?, self.tally.opened())) };
        let mut first = true;
        loop {
            let turn = match self.lines.turn(&connect).await {
                Ok(turn) => turn,
                Err(Broken::Unreached(error)) => return Err(Lost { error, again: Some(Box::new(request)) }),
                Err(Broken::Http(error)) => return Err(self.failure(error).into()),
            };
            match turn.send(request, self.limits.response_timeout).await {
                Ok((response, share)) => {
                    return Ok(response.map(|body| Called { body, _share: share, _hold: hold }));
                }
                Err(Failure::Silence) => return Err(self.silence().into()),
                Err(Failure::Http(mut failure)) => match failure.take_message() {
                    // The connection turned out to be ending.
                    Some(again) if first => request = again,
                    again => {
                        let error = self.failure(failure.into_error());
                        return Err(Lost { error, again: again.map(Box::new) });
                    }
                },
            }
            first = false;
        }
    }

    /// Finds out whether a replica that is down takes connections again, so that no request has to.
    pub(crate) async fn probe(self: Rc<Self>) {
        if !self.probing.replace(true) {
            if let Ok(conn) = self.connect().await {
                self.keep(conn);
            }
            self.probing.set(false);
        }
    }

    /// Takes back a connection.
    fn keep(&self, conn: Box<Conn>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < self.limits.max_idle {
            idle.push((Instant::now(), conn));
        }
    }

    /// Closes connections that are too old or were closed by the server.
    pub(crate) fn tidy(&self) {
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|(since, conn)| conn.is_ready() && since.elapsed() < self.limits.idle);
        self.lines.tidy(self.limits.idle);
    }

    /// A kept connection. Whether the server has closed it shows before a request is sent on it.
    async fn reuse(&self) -> Option<Box<Conn>> {
        let (since, conn) = self.idle.borrow_mut().pop()?;
        let unused = since.elapsed();
        if unused >= self.limits.idle {
            // It was the one used last; the others are older.
            self.idle.borrow_mut().clear();
            return None;
        }
        if unused > FRESH {
            // Lets the runtime ask the kernel, so that a close which has arrived is seen.
            tokio::task::yield_now().await;
        }
        Some(conn)
    }

    async fn connect(&self) -> Result<Box<Conn>, Error> {
        let socket = self.dial(Protocol::Http1).await?;
        Conn::new(socket, self.limits.response_timeout, self.tally.opened())
            .await
            .map(Box::new)
            .map_err(|error| self.failure(error))
    }

    async fn dial(&self, protocol: Protocol) -> Result<Socket, Error> {
        match self.dialer.dial(&self.replica.url, protocol).await {
            Ok(socket) => {
                self.replica.up();
                Ok(socket)
            }
            Err(source) => {
                self.replica.down(&source.to_string());
                self.tally.unreached();
                Err(Error::Unreachable { slug: self.replica.slug.clone(), source })
            }
        }
    }

    fn relay(
        &self,
        response: Response<Incoming>,
        conn: Box<Conn>,
        hold: Hold,
        large: bool,
    ) -> Result<Response<Relay>, Lost> {
        let refused =
            |why: &str| Err(Error::NotHttp { slug: self.replica.slug.clone(), why: why.into() }.into());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return refused("it switched protocols unasked");
        }
        if crate::headers::has_strange_coding(response.headers()) {
            return refused("its body has a transfer coding besides chunked");
        }
        // A server that refuses a body unread closes the connection, which may not have been noticed yet.
        let refused = large && (response.status().is_client_error() || response.status().is_server_error());
        Ok(response.map(|body| Relay::new(body, conn, hold, !refused)))
    }

    fn silence(&self) -> Error {
        let limit = self.limits.response_timeout.unwrap_or_default();
        Error::Silent { slug: self.replica.slug.clone(), limit }
    }

    /// The error that a broken connection is; what was connected before it is used no more.
    fn failure(&self, source: hyper::Error) -> Error {
        let slug = self.replica.slug.clone();
        if source.is_user() {
            return Error::Request(source);
        }
        if source.is_parse() {
            return Error::NotHttp { slug, why: source.to_string() };
        }
        self.breaks.set(self.breaks.get() + 1);
        self.idle.borrow_mut().clear();
        Error::Closed { slug, source }
    }
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self { error, again: None }
    }
}

/// Whether the body may be more than what a server takes in with the head.
fn is_large(body: &Upload) -> bool {
    body.size_hint().upper().is_none_or(|size| size > BUFFER as u64)
}

/// The request to send again: the one that was not sent, or the copy of it.
fn again(failure: &mut TrySendError<Request<Upload>>, spare: Option<Spare>) -> Option<Request<Upload>> {
    failure.take_message().or_else(|| spare.map(Spare::into_request))
}

/// A copy of a request without a body, where sending it twice is harmless. Nearly all are dropped unused, and a list
/// is cheaper to make than a map.
struct Spare {
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Spare {
    fn of(request: &Request<Upload>) -> Option<Self> {
        if !request.method().is_idempotent() || !request.body().is_end_stream() {
            return None;
        }
        let headers = request.headers().iter().map(|(name, value)| (name.clone(), value.clone()));
        Some(Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: headers.collect(),
        })
    }

    fn into_request(self) -> Request<Upload> {
        let mut request = Request::new(Upload::empty());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        self.headers.into_iter().for_each(|(name, value)| {
            request.headers_mut().append(name, value);
        });
        request
    }
}
