//! Connections: how many there may be, how long one may keep silent, and how they end. HTTP/1.1 and HTTP/2, with TLS
//! or without.

use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::Version;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;
use tower::Service as _;

use crate::tls::Tls;

/// How long a new connection may take until the head of its first request is there, and its handshake before.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request, at least. Clients let go of an idle one after 90 seconds at
/// most, as a rule; one closed by us may have a request on its way.
const KEEP_ALIVE: Duration = Duration::from_secs(100);
/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);
/// Rest after an error that the next attempt would only meet again, as when descriptors are used up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Requests at once on one connection of HTTP/2. All such connections together have as many as there may be
/// connections, and one connection's at least; more wait: each may hold a result that nobody reads.
const MAX_STREAMS: usize = 200;
/// What hinders accepting is logged at most this often.
const COMPLAIN: Duration = Duration::from_secs(10);

/// The connections of a listener; dropping them cuts them off.
pub(crate) struct Connections {
    close: watch::Sender<()>,
    /// Until it has ended.
    all: Option<JoinHandle<()>>,
}

impl Connections {
    /// Begins to accept, at most `max` connections at once; others wait.
    pub(crate) fn accept(listener: TcpListener, tls: Option<Tls>, router: Router, max: NonZeroUsize) -> Self {
        let (close, closed) = watch::channel(());
        Self { close, all: Some(tokio::spawn(accept(listener, tls, router, max, closed))) }
    }

    /// Accepts no more; each connection ends once what it has begun is answered.
    pub(crate) fn close(&self) {
        self.close.send_replace(());
    }

    /// Waits for the end of all connections.
    ///
    /// # Errors
    /// When accepting panicked.
    pub(crate) async fn ended(&mut self) -> Result<(), JoinError> {
        let Some(all) = &mut self.all else { return Ok(()) };
        let ended = all.await;
        self.all = None;
        ended
    }

    /// Whether all connections ended within this time.
    pub(crate) async fn end_within(&mut self, time: Duration) -> bool {
        timeout(time, self.ended()).await.is_ok()
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        if let Some(all) = &self.all {
            all.abort();
        }
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    max: NonZeroUsize,
    mut closed: watch::Receiver<()>,
) {
    let _follow = tls.clone().map(|tls| AbortOnDropHandle::new(tokio::spawn(tls.follow())));
    let builder = Arc::new(builder());
    let places = Arc::new(Semaphore::new(max.get().clamp(MAX_STREAMS, Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    let mut complaints = Complaints::default();
    loop {
        tokio::select! {
            _ = closed.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < max.get() => match accepted {
                Ok((stream, _)) => {
                    // The receiver has not seen what is sent from now on.
                    let way = Way {
                        builder: builder.clone(),
                        router: router.clone(),
                        places: places.clone(),
                        closed: closed.clone(),
                    };
                    no_delay(&stream);
                    match &tls {
                        None => connections.spawn(serve(stream, FIRST_REQUEST, way)),
                        Some(tls) => connections.spawn(shake_hands(stream, tls.acceptor(), way)),
                    };
                    if connections.len() == max.get() {
                        complaints.log(format_args!("all --max-connections {max} are taken, others wait"));
                    }
                }
                Err(error) if is_the_clients(error.kind()) => {}
                Err(error) => {
                    complaints.log(format_args!("a connection could not be accepted: {error}"));
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Errors of one connection, gone before it was accepted.
fn is_the_clients(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}

/// HTTP/1.1 gets no timer: hyper's time for a head runs while a kept connection is idle too, and makes a timer for
/// each request. [`serve`] watches both at no such cost.
fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .max_concurrent_streams(MAX_STREAMS as u32);
    builder
}

/// With Nagle's algorithm each event of a stream waits for the acknowledgement of the one before.
fn no_delay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("connection without nodelay: {error}");
    }
}

/// Where a connection leads, and when it is to end.
struct Way {
    builder: Arc<Builder<TokioExecutor>>,
    router: Router,
    /// For requests over HTTP/2.
    places: Arc<Semaphore>,
    closed: watch::Receiver<()>,
}

/// Serves a connection with TLS.
async fn shake_hands(stream: TcpStream, acceptor: TlsAcceptor, mut way: Way) {
    let since = Instant::now();
    let shaken = tokio::select! {
        biased;
        shaken = timeout(FIRST_REQUEST, acceptor.accept(stream)) => shaken,
        _ = way.closed.changed() => return,
    };
    match shaken {
        Ok(Ok(stream)) => serve(stream, FIRST_REQUEST.saturating_sub(since.elapsed()), way).await,
        Ok(Err(error)) => tracing::debug!("no TLS handshake: {error}"),
        Err(_) => tracing::debug!("no TLS handshake within {} s", FIRST_REQUEST.as_secs()),
    }
}

/// Serves a connection whose first request is to come within `patience`.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut patience: Duration,
    Way { builder, router, places, mut closed }: Way,
) {
    let heard = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let heard = heard.clone();
        move |request: http::Request<Incoming>| {
            heard.store(true, Ordering::Relaxed);
            let place = (request.version() == Version::HTTP_2).then(|| places.clone().acquire_owned());
            let mut router = router.clone();
            async move {
                let Some(place) = place else { return router.call(request).await };
                let place = place.await.ok();
                let answer = router.call(request).await?;
                Ok(answer.map(|body| {
                    // Moved in, and so kept until the answer has ended.
                    Body::new(body.map_frame(move |frame| {
                        let _until_then = &place;
                        frame
                    }))
                }))
            }
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    loop {
        tokio::select! {
            // What has arrived comes before the end.
            biased;
            ended = connection.as_mut() => return end(ended),
            _ = closed.changed() => break,
            () = sleep(patience) => {
                if heard.swap(false, Ordering::Relaxed) {
                    patience = KEEP_ALIVE;
                } else if patience == KEEP_ALIVE {
                    // Without a new request: idle, or half-way through a head, or busy with a long answer, which
                    // this lets it finish.
                    break;
                } else {
                    return;
                }
            }
        }
    }
    connection.as_mut().graceful_shutdown();
    end(connection.await);
}

fn end(result: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = result {
        tracing::debug!("connection ended: {error}");
    }
}

/// What is wrong again and again is said now and then.
#[derive(Default)]
struct Complaints {
    last: Option<Instant>,
}

impl Complaints {
    fn log(&mut self, what: std::fmt::Arguments<'_>) {
        if self.last.is_none_or(|last| last.elapsed() >= COMPLAIN) {
            self.last = Some(Instant::now());
            tracing::warn!("{what}");
        }
    }
}
