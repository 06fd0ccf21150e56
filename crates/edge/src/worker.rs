//! One thread of the edge: its listener, its view of the routes, its connections. Nothing here is shared.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use kit::Guard;
use kit::telemetry::Telemetry;
use kit::tls::Tls;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::{self, Speech};
use crate::dial::{Authorities, Dialer};
use crate::door::{Door, Guest};
use crate::error::Error;
use crate::fleet::Fleet;
use crate::flight::Flight;
use crate::identity::Identity;
use crate::pool::Limits;
use crate::reload::Complaint;
use crate::tally::{Board, Tally};
use crate::upstream::{Terms, Upstream};

/// How often unused connections are looked at.
const TIDY: Duration = Duration::from_secs(1);
/// Between closing the door and ending idle connections: requests already on the wire are still served.
const LAME_DUCK: Duration = Duration::from_millis(100);

/// What every thread is given.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) guard: Arc<Guard>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) fleet: watch::Receiver<Arc<Fleet>>,
    pub(crate) complaint: Complaint,
    pub(crate) limits: Limits,
    pub(crate) header_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) authorities: Arc<Authorities>,
    /// `None` where clients come without TLS.
    pub(crate) tls: Option<Tls>,
    pub(crate) board: Board,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) max_connections: usize,
    /// For the connections of clients.
    pub(crate) room: Arc<Semaphore>,
    /// For the requests of clients over HTTP/2.
    pub(crate) streams: Arc<Semaphore>,
    /// From here on the edge is not ready.
    pub(crate) stop: CancellationToken,
}

/// One thread's state.
pub(crate) struct Worker {
    shared: Shared,
    upstreams: RefCell<HashMap<String, Rc<Upstream>>>,
    terms: Terms,
    pub(crate) speech: Speech,
    /// Counts what concerns no server.
    pub(crate) tally: Arc<Tally>,
    pub(crate) flight: Flight,
    connections: TaskTracker,
    /// No more requests.
    drain: CancellationToken,
}

impl Worker {
    fn new(shared: Shared) -> Self {
        let dialer = Dialer::new(shared.connect_timeout, shared.authorities.clone());
        let worker = Self {
            terms: Terms { dialer: Rc::new(dialer), limits: shared.limits, board: shared.board.clone() },
            upstreams: RefCell::default(),
            speech: Speech::new(shared.header_timeout),
            tally: shared.board.tally(""),
            shared,
            flight: Flight::default(),
            connections: TaskTracker::new(),
            drain: CancellationToken::new(),
        };
        worker.adopt(&worker.fleet());
        worker
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.shared.guard
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// A place for a request over HTTP/2, which takes as much of the edge as a connection of HTTP/1.1 does.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.shared.streams.clone().acquire_owned().await.ok()
    }

    /// The routes as they are now.
    pub(crate) fn fleet(&self) -> Arc<Fleet> {
        self.shared.fleet.borrow().clone()
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.shared.tls.as_ref()
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.shared.telemetry
    }

    pub(crate) fn header_timeout(&self) -> Duration {
        self.shared.header_timeout
    }

    /// Resolves when no more requests are taken.
    pub(crate) fn drained(&self) -> impl Future<Output = ()> {
        self.drain.cancelled()
    }

    /// What all threads have counted.
    pub(crate) fn metrics(&self) -> String {
        let connections = self.shared.max_connections - self.shared.room.available_permits();
        self.shared.board.render(connections, &self.telemetry().dropped())
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
            let upstream = match before.remove(&route.slug) {
                Some(same) if Arc::ptr_eq(&same.route, route) => same,
                old => Rc::new(Upstream::new(route.clone(), old.as_deref(), &self.terms)),
            };
            (route.slug.clone(), upstream)
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

    /// Serves whoever comes until told to stop. From then on not ready, but still open until the requests under
    /// way are done, so that those who have not heard of it lose nothing; then closed, with time for the last.
    async fn serve(self: Rc<Self>, door: Door, Farewell { delay, grace }: Farewell) -> usize {
        let enter = |guest| self.enter(guest);
        door.open(self.shared.stop.cancelled(), enter).await;
        let end = Instant::now() + grace;
        let landed = self.flight.landed();
        let last_calls = async { tokio::join!(sleep(delay), landed) };
        door.open(timeout_at(end, last_calls), enter).await;
        door.close(enter).await;
        self.connections.close();
        let drained = async {
            sleep(LAME_DUCK).await;
            self.drain.cancel();
            self.flight.landed().await;
            self.flight.cut();
            self.connections.wait().await;
        };
        let _ = timeout_at(end, drained).await;
        self.connections.len()
    }

    fn enter(self: &Rc<Self>, (stream, address, room): Guest) {
        // A socket that refuses this is as good as closed; serving it will say so.
        let _ = stream.set_nodelay(true);
        let connection = client::serve(self.clone(), stream, address);
        spawn_local(self.connections.track_future(async move {
            connection.await;
            drop(room);
        }));
    }
}

/// How one thread stops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Farewell {
    /// Of the grace.
    pub(crate) delay: Duration,
    pub(crate) grace: Duration,
}

/// Serves on `listener` until told to stop, then until its requests are done. Gives how many connections were
/// not.
pub(crate) fn run(listener: std::net::TcpListener, shared: Shared, farewell: Farewell) -> io::Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .build_local(tokio::runtime::LocalOptions::default())?;
    let left = runtime.block_on(async {
        let door = Door::new(listener, shared.room.clone())?;
        let worker = Rc::new(Worker::new(shared));
        spawn_local(worker.clone().follow());
        spawn_local(worker.clone().tidy());
        Ok(worker.serve(door, farewell).await)
    });
    runtime.shutdown_background();
    left
}
