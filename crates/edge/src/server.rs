//! Start and stop: the address, one thread per core, and the order in which a shutdown happens.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use anyhow::Context as _;
use kit::telemetry::Telemetry;
use kit::tls::Tls;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::Args;
use crate::client::MAX_STREAMS;
use crate::dial::Authorities;
use crate::door::BACKLOG;
use crate::fleet::Fleet;
use crate::identity::Identity;
use crate::pool::Limits;
use crate::reload::Reload;
use crate::tally::Board;
use crate::worker::{self, Farewell, Shared};

const DEFAULT_PORT: u16 = 8080;

/// What the settings come to, short of serving.
pub(crate) struct Settled {
    reload: Reload,
    pub(crate) fleet: Fleet,
    pub(crate) authorities: Arc<Authorities>,
    tls: Option<Tls>,
    identity: Identity,
    telemetry: Arc<Telemetry>,
    pub(crate) listeners: Vec<TcpListener>,
}

impl Settled {
    pub(crate) fn new(args: &Args) -> anyhow::Result<Self> {
        let config = args.config.clone().context("--config (GANTRY_CONFIG): the fleet file is not named")?;
        args.endurance.check()?;
        let (reload, fleet) = Reload::start(config)?;
        let providers = kit::http::Authorities::read(args.ca_file.as_deref())?;
        let loopback = args.listen.address(DEFAULT_PORT).ip().is_loopback();
        Ok(Self {
            reload,
            fleet,
            authorities: Arc::new(
                Authorities::read(args.ca_file.as_deref())?
                    .showing(args.client_cert.clone(), args.client_key.clone())?,
            ),
            tls: args.tls.read()?,
            telemetry: Arc::new(Telemetry::start_traces(&args.telemetry, "edge", &providers)?),
            identity: Identity::new(args.identity.clone(), loopback, args.tls.scheme(), providers)?,
            listeners: open(args)?,
        })
    }
}

/// A listener for each thread.
fn open(args: &Args) -> anyhow::Result<Vec<TcpListener>> {
    let threads = args.threads.map_or_else(thread::available_parallelism, Ok).unwrap_or(NonZeroUsize::MIN);
    let address = args.listen.address(DEFAULT_PORT);
    listen(address, threads.get()).with_context(|| format!("--listen (GANTRY_LISTEN) {address}"))
}

/// Serves until SIGTERM or SIGINT, then until the requests in flight are done.
pub(crate) fn run(args: Args, settled: Settled) -> anyhow::Result<()> {
    let Settled { reload, fleet, authorities, tls, identity, telemetry, listeners } = settled;
    raise_open_files();
    let threads = listeners.len();
    let address = listeners[0].local_addr()?;
    // Who listens on an address of its own may be asked by it.
    let own = Some(address).filter(|it| !it.ip().is_unspecified()).map(|address| address.to_string());
    let max_connections = args.endurance.max_connections.get().min(Semaphore::MAX_PERMITS);
    let servers = fleet.routes.len();
    let first = fleet.routes[0].slug.clone();
    let (fleet, routes) = watch::channel(Arc::new(fleet));
    let shared = Shared {
        guard: Arc::new(args.allowed.guard(own.into_iter().chain(identity.public_host()))),
        identity: Arc::new(identity),
        fleet: routes,
        complaint: reload.complaint.clone(),
        limits: Limits {
            response_timeout: Some(args.response_timeout).filter(|limit| !limit.is_zero()),
            idle: args.upstream_idle,
            max_idle: args.upstream_max_idle,
        },
        header_timeout: args.header_timeout,
        connect_timeout: args.connect_timeout,
        authorities,
        tls: tls.clone(),
        board: Board::default(),
        telemetry: telemetry.clone(),
        max_connections,
        room: Arc::new(Semaphore::new(max_connections)),
        streams: Arc::new(Semaphore::new(max_connections.max(MAX_STREAMS))),
        stop: CancellationToken::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = runtime.block_on(async { Signals::new() })?;
    let farewell = Farewell { delay: args.endurance.shutdown_delay, grace: args.endurance.shutdown_grace };
    let workers = start(listeners, &shared, farewell)?;
    tracing::info!(%address, servers, threads, "listening");
    if let Some(key) = shared.identity.generated_key() {
        let url = format!("{}://localhost:{}/{first}/mcp", args.tls.scheme(), address.port());
        kit::auth::introduce(address, &first, &url, key);
    }
    runtime.block_on(async {
        let certificates = tls.map(|tls| AbortOnDropHandle::new(tokio::spawn(tls.follow())));
        until_stopped(signals, reload.follow(fleet), &shared.stop).await;
        drop(certificates);
    });
    shared.stop.cancel();
    let mut left = 0;
    for worker in workers {
        left += worker.join().map_err(|_| anyhow::anyhow!("a thread has panicked"))??;
    }
    if left > 0 {
        tracing::warn!(connections = left, "stopped with requests in flight");
    } else {
        tracing::info!("stopped");
    }
    runtime.block_on(telemetry.stop());
    // A lookup of a host name may still hang in a thread of the runtime.
    runtime.shutdown_background();
    Ok(())
}

/// Runs `follow` until a signal or until a thread ends.
async fn until_stopped(mut signals: Signals, follow: impl Future<Output = ()>, stop: &CancellationToken) {
    tokio::select! {
        () = follow => {}
        () = stop.cancelled() => {}
        name = signals.next() => tracing::info!(signal = name, "stopping"),
    }
}

type Thread = thread::JoinHandle<io::Result<usize>>;

fn start(listeners: Vec<TcpListener>, shared: &Shared, farewell: Farewell) -> io::Result<Vec<Thread>> {
    let spawn = |(index, listener)| {
        let shared = shared.clone();
        let thread = thread::Builder::new().name(format!("edge-{index}"));
        thread.spawn(move || {
            // Whatever ends one thread ends all: half an edge would look like a whole one.
            let _stop = shared.stop.clone().drop_guard();
            worker::run(listener, shared, farewell)
        })
    };
    listeners.into_iter().enumerate().map(spawn).collect()
}

/// Every connection is a file; the usual soft limit of 1024 is there for programs that use `select`.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the limit of open files stays low");
    }
}

/// One listener per thread on the same address; the kernel spreads connections over them.
fn listen(address: SocketAddr, threads: usize) -> io::Result<Vec<TcpListener>> {
    if address.port() != 0 {
        // Without this, a second edge on the same address would silently take half of the connections.
        bind(address, false)?;
    }
    let first = bind(address, true)?;
    let address = first.local_addr()?;
    let rest = (1..threads).map(|_| bind(address, true));
    std::iter::once(Ok(first)).chain(rest).collect()
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if shared {
        socket.listen(BACKLOG.into())?;
    }
    Ok(socket.into())
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
