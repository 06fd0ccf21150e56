//! The connections of one thread to one server: reused while fresh, replaced when stale, never shared.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use tokio::net::TcpStream;

use crate::conn::Conn;
use crate::error::Error;
use crate::fleet::Route;
use crate::relay::Relay;
use crate::upload::Upload;

/// What happened to a connection this long unused may not have been noticed yet.
const FRESH: Duration = Duration::from_millis(2);

/// How connections are made and kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connect_timeout: Duration,
    pub(crate) idle: Duration,
    pub(crate) max_idle: usize,
}

/// One thread's way to a server.
pub(crate) struct Upstream {
    pub(crate) route: Arc<Route>,
    limits: Limits,
    /// The last used is the last; it is the first to be used again.
    idle: RefCell<Vec<(Instant, Box<Conn>)>>,
}

impl Upstream {
    pub(crate) fn new(route: Arc<Route>, limits: Limits) -> Self {
        Self { route, limits, idle: RefCell::default() }
    }

    /// Sends `request` and gives the answer's head as soon as it is there.
    ///
    /// A kept connection may turn out to be closed: then the request is sent once more, on a new one, if it
    /// was never sent or if its method allows that and no body was read for it.
    pub(crate) async fn send(
        self: &Rc<Self>,
        mut request: Request<Upload>,
    ) -> Result<Response<Relay>, Error> {
        if let Some(mut conn) = self.reuse().await {
            let spare = spare(&request);
            match conn.exchange(request).await {
                Ok(response) => return self.relay(response, conn),
                Err(mut failure) => match failure.take_message().or(spare) {
                    Some(again) if !failure.error().is_parse() => request = again,
                    _ => return Err(self.failure(failure.into_error())),
                },
            }
        }
        let mut conn = self.connect().await?;
        match conn.exchange(request).await {
            Ok(response) => self.relay(response, conn),
            Err(failure) => Err(self.failure(failure.into_error())),
        }
    }

    /// Takes back a connection.
    pub(crate) fn keep(&self, conn: Box<Conn>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < self.limits.max_idle {
            idle.push((Instant::now(), conn));
        }
    }

    /// Closes connections that are too old or were closed by the server.
    pub(crate) fn tidy(&self) {
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|(since, conn)| conn.is_ready() && since.elapsed() < self.limits.idle);
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
        let Limits { connect_timeout: limit, .. } = self.limits;
        let slug = || self.route.slug.clone();
        let stream = match tokio::time::timeout(limit, dial(&self.route, limit)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(source)) => {
                self.route.down(&source.to_string());
                return Err(Error::Unreachable { slug: slug(), source });
            }
            Err(_) => {
                self.route.down("timed out");
                return Err(Error::ConnectTimeout { slug: slug(), limit });
            }
        };
        self.route.up();
        Conn::new(stream).await.map(Box::new).map_err(|error| self.failure(error))
    }

    fn relay(
        self: &Rc<Self>,
        response: Response<Incoming>,
        conn: Box<Conn>,
    ) -> Result<Response<Relay>, Error> {
        let refused = |why: &str| Err(Error::NotHttp { slug: self.route.slug.clone(), why: why.into() });
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return refused("it switched protocols unasked");
        }
        if crate::headers::has_strange_coding(response.headers()) {
            return refused("its body has a transfer coding besides chunked");
        }
        Ok(response.map(|body| Relay::new(body, conn, self.clone())))
    }

    fn failure(&self, source: hyper::Error) -> Error {
        let slug = self.route.slug.clone();
        if source.is_user() {
            return Error::Request(source);
        }
        if source.is_parse() {
            return Error::NotHttp { slug, why: source.to_string() };
        }
        Error::Closed { slug, source }
    }
}

/// The same request once more, where sending it twice is harmless.
fn spare(request: &Request<Upload>) -> Option<Request<Upload>> {
    if !request.method().is_idempotent() || !request.body().is_end_stream() {
        return None;
    }
    let mut spare = Request::new(Upload::empty());
    *spare.method_mut() = request.method().clone();
    *spare.uri_mut() = request.uri().clone();
    *spare.headers_mut() = request.headers().clone();
    Some(spare)
}

/// Connects to the first address that answers; each gets its share of the time.
async fn dial(route: &Route, limit: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<_> = tokio::net::lookup_host((route.url.host(), route.url.port())).await?.collect();
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}
