//! One thread of the edge: its listener, its view of the routes, its connections. Nothing here is shared.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kit::Guard;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::conn::BUFFER;
use crate::error::Error;
use crate::fleet::Fleet;
use crate::peer::Peer;
use crate::pool::{Limits, Upstream};
use crate::proxy;
use crate::reload::Complaint;

/// How often unused connections are looked at.
const TIDY: Duration = Duration::from_secs(1);
/// How many connections the kernel lets in before they are accepted, per thread.
pub(crate) const BACKLOG: u16 = 1024;
/// A pause when the process can take no more connections.
const BREATH: Duration = Duration::from_millis(50);

/// What every thread is given.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) guard: Arc<Guard>,
    pub(crate) fleet: watch::Receiver<Arc<Fleet>>,
    pub(crate) complaint: Complaint,
    pub(crate) limits: Limits,
    pub(crate) header_timeout: Duration,
    /// No more connections.
    pub(crate) stop: CancellationToken,
    /// No more requests.
    pub(crate) drain: CancellationToken,
}

/// One thread's state.
pub(crate) struct Worker {
    shared: Shared,
    upstreams: RefCell<HashMap<String, Rc<Upstream>>>,
    http: http1::Builder,
}

impl Worker {
    fn new(shared: Shared) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(shared.header_timeout)
            .max_buf_size(BUFFER)
            .writev(false);
        let worker = Self { shared, upstreams: RefCell::default(), http };
        worker.adopt(&worker.fleet());
        worker
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.shared.guard
    }

    /// The routes as they are now.
    pub(crate) fn fleet(&self) -> Arc<Fleet> {
        self.shared.fleet.borrow().clone()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.shared.stop.is_cancelled()
    }

    /// Whether the fleet file as it is now is in use.
    pub(crate) fn file_state(&self) -> Result<String, String> {
        self.shared.complaint.get().map_or(Ok("in use".to_owned()), Err)
    }

    pub(crate) fn upstream(&self, slug: &str) -> Result<Rc<Upstream>, Error> {
        self.upstreams.borrow().get(slug).cloned().ok_or_else(|| {
            let slug = slug.chars().take(64).collect();
            Error::NoSuchServer { slug, slugs: self.fleet().slugs() }
        })
    }

    /// Takes over the routes of `fleet`; unchanged ones keep their connections, and requests under way theirs.
    fn adopt(&self, fleet: &Fleet) {
        let mut upstreams = self.upstreams.borrow_mut();
        let mut before = std::mem::take(&mut *upstreams);
        upstreams.extend(fleet.routes.iter().map(|route| {
            let kept = before.remove(&route.slug).filter(|it| Arc::ptr_eq(&it.route, route));
            let upstream = || Rc::new(Upstream::new(route.clone(), self.shared.limits));
            (route.slug.clone(), kept.unwrap_or_else(upstream))
        }));
    }

    async fn follow(self: Rc<Self>) {
        let mut fleet = self.shared.fleet.clone();
        while fleet.changed().await.is_ok() {
            let next = fleet.borrow_and_update().clone();
            self.adopt(&next);
        }
    }

    async fn tidy(self: Rc<Self>) {
        loop {
            tokio::time::sleep(TIDY).await;
            self.upstreams.borrow().values().for_each(|upstream| upstream.tidy());
        }
    }

    async fn connection(self: Rc<Self>, stream: TcpStream, peer: Rc<Peer>) {
        let service = service_fn(|request| {
            let (worker, peer) = (self.clone(), peer.clone());
            async move { Ok::<_, Infallible>(proxy::serve(&worker, &peer, request).await) }
        });
        let mut connection = self.http.serve_connection(TokioIo::new(stream), service);
        let result = tokio::select! {
            biased;
            result = &mut connection => result,
            () = self.shared.drain.cancelled() => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
        };
        let Err(error) = result else { return };
        tracing::debug!(%error, "connection ended early");
        if error.is_user() && peer.is_old.get() {
            // HTTP/1.0 tells the end of an answer by the end of the connection: one cut short must be reset.
            let _ = connection.into_parts().io.into_inner().set_zero_linger();
        }
    }
}

/// Serves on `listener` until told to stop, then until its requests are done. Gives how many were not.
pub(crate) fn run(listener: std::net::TcpListener, shared: Shared, grace: Duration) -> io::Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .build_local(tokio::runtime::LocalOptions::default())?;
    let left = runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let connections = TaskTracker::new();
        let worker = Rc::new(Worker::new(shared));
        spawn_local(worker.clone().follow());
        spawn_local(worker.clone().tidy());
        accept(listener, &worker, &connections).await;
        connections.close();
        worker.shared.drain.cancelled().await;
        let _ = tokio::time::timeout(grace, connections.wait()).await;
        Ok(connections.len())
    });
    runtime.shutdown_background();
    left
}

async fn accept(listener: TcpListener, worker: &Rc<Worker>, connections: &TaskTracker) {
    let start = |stream: TcpStream, address| {
        // A socket that refuses this is as good as closed; serving it will say so.
        let _ = stream.set_nodelay(true);
        let connection = worker.clone().connection(stream, Rc::new(Peer::new(address)));
        spawn_local(connections.track_future(connection));
    };
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => start(stream, address),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            },
            () = worker.shared.stop.cancelled() => break,
        }
    }
    // Closing the listener would reset those that the kernel has already let in.
    tokio::task::yield_now().await;
    for _ in 0..BACKLOG {
        match tokio::time::timeout(Duration::ZERO, listener.accept()).await {
            Ok(Ok((stream, address))) => start(stream, address),
            Ok(Err(_)) | Err(_) => break,
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
