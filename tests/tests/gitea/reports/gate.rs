//! A gate between a server and Gitea, at which requests wait, each another while, and at which the server dies: with
//! SIGKILL, when its nth request that would change something comes by. It can also hold up the next such request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use gantry_tests::program::Program;
use gantry_tests::wire;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// On which side of Gitea's work the server dies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    /// Gitea never sees the request.
    Before,
    /// Gitea has done it; the server does not learn that.
    After,
}

/// When, and who.
struct Armed {
    writes_left: usize,
    side: Side,
    victim: Program,
}

/// The gate.
#[derive(Clone)]
pub(crate) struct Gate {
    /// `http://ADDRESS:PORT`
    pub(crate) url: String,
    armed: Arc<Mutex<Option<Armed>>>,
    hold: Arc<Mutex<Option<Hold>>>,
    longest: Duration,
}

/// The gate's ends of a hold-up.
struct Hold {
    here: oneshot::Sender<()>,
    go: oneshot::Receiver<()>,
}

impl Gate {
    /// To the Gitea at `host` (`ADDRESS:PORT`); requests and answers wait for up to `longest`.
    pub(crate) async fn before(host: &str, longest: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let gate = Self {
            url: format!("http://{}", listener.local_addr()?),
            armed: Arc::default(),
            hold: Arc::default(),
            longest,
        };
        let (host, through) = (host.to_owned(), gate.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (host, gate) = (host.clone(), through.clone());
                let service = service_fn(move |request| {
                    let (host, gate) = (host.clone(), gate.clone());
                    async move { gate.pass(&host, request).await }
                });
                // It ends in an error where the server dies: that is what it is for.
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(gate)
    }

    /// The `nth` write from now on is the victim's last.
    pub(crate) fn arm(&self, victim: Program, nth: usize, side: Side) {
        *self.lock() = Some(Armed { writes_left: nth, side, victim });
    }

    /// Takes the victim back: it is alive if there were fewer writes.
    pub(crate) fn disarm(&self) -> Option<Program> {
        self.lock().take().map(|armed| armed.victim)
    }

    /// Holds up the next write: the first end tells when it is here, the second lets it go on.
    pub(crate) fn hold(&self) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((here, arrived), (release, go)) = (oneshot::channel(), oneshot::channel());
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some(Hold { here, go });
        (arrived, release)
    }

    async fn pass(&self, host: &str, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let last = if head.method == Method::GET { None } else { self.count() };
        if let Some(Side::Before) = last {
            return self.kill();
        }
        head.headers.remove(header::HOST);
        if head.method != Method::GET {
            let held = self.hold.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(Hold { here, go }) = held {
                here.send(()).ok().context("nobody waits for it")?;
                go.await?;
            }
        }
        self.wait().await;
        let answer = wire::send(host, Request::from_parts(head, Full::new(body))).await?;
        if let Some(Side::After) = last {
            return self.kill();
        }
        self.wait().await;
        let (mut head, body) = answer.into_parts();
        head.headers.remove(header::TRANSFER_ENCODING);
        Ok(Response::from_parts(head, Full::new(body)))
    }

    /// Scattered evenly enough that requests of several servers come in ever other orders.
    async fn wait(&self) {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let scattered = NUMBER.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        tokio::time::sleep(self.longest * scattered as u32 / 256).await;
    }

    /// Counts a write; on which side of it to kill, if it is the last one.
    fn count(&self) -> Option<Side> {
        let mut armed = self.lock();
        let armed = armed.as_mut()?;
        armed.writes_left = armed.writes_left.saturating_sub(1);
        (armed.writes_left == 0).then_some(armed.side)
    }

    /// Ends the server by its handle, at once, and answers nothing.
    fn kill(&self) -> Result<Response<Full<Bytes>>> {
        drop(self.lock().take().context("two last writes")?.victim);
        bail!("killed")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
