//! From the command line to an open server: `run::<Service>()` is a server's whole `main`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use anyhow::Context;
use clap::{Command, CommandFactory, Parser};
use rmcp::transport::streamable_http_server::tower::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod verbs;

use crate::app::App;
use crate::ask::Rounds;
use crate::auth::upstream::Source;
use crate::auth::{self, Auth, Place, Principal, Resource, UpstreamAuth, Verifier};
use crate::calls::Calls;
use crate::catalog::Catalog;
use crate::changes::Changes;
use crate::cli::{Invocation, Verb};
use crate::dispatch::Dispatch;
use crate::doors::direct::Direct;
use crate::doors::sessions::Sessions;
use crate::doors::sse::SseSessions;
use crate::guard::Guard;
use crate::handler::Handler;
use crate::health::Health;
use crate::http::Authorities;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::service::{Kit, Service};
use crate::settings::{Settings, Switch, Transport};
use crate::shutdown::Server;
use crate::tasks::Tasks;
use crate::telemetry::Telemetry;

#[derive(Parser)]
struct Program<A: clap::Args> {
    #[command(flatten)]
    service: A,
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// Runs a server until it is told to stop, or does what its subcommand says. Exit code 2 for settings that cannot
/// be, 1 for what fails later, and that of a shell for a second signal, which ends the program at once.
pub fn run<S: Service>() -> ExitCode {
    let name = format!("gantry-{}", S::SLUG);
    let invocation = Invocation::read(command::<S>());
    let program: Program<S::Args> = invocation.arguments();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&name, &error.into(), 1),
    };
    let ended = crate::log::init(&program.settings.log)
        .map_err(|error| (error, 2))
        .inspect(|()| invocation.warn())
        .and_then(|()| {
            runtime.block_on(async {
                match &program.verb {
                    None => {
                        // What only a start needs makes room for what a server keeps.
                        drop(invocation);
                        serve::<S>(program.service, &program.settings).await
                    }
                    Some(verb) => verbs::perform::<S>(verb, &invocation).await.map_err(|error| (error, 2)),
                }
            })
        });
    let code = ended.unwrap_or_else(|(error, code)| failed(&name, &error, code));
    // A read of stdin cannot be interrupted; nothing else is left.
    runtime.shutdown_background();
    code
}

/// The program's command line.
fn command<S: Service>() -> Command {
    Program::<S::Args>::command().name(format!("gantry-{}", S::SLUG)).about(S::ABOUT).version(crate::VERSION)
}

/// The whole life of a server; an error comes with its exit code.
async fn serve<S: Service>(args: S::Args, settings: &Settings) -> Result<ExitCode, (anyhow::Error, u8)> {
    // Before anything says that the server is there: whoever hears it may send a signal.
    let mut signals = Signals::new().map_err(|error| (error.into(), 1))?;
    let server = tokio::select! {
        server = start::<S>(args, settings) => server.map_err(|error| (error, 2))?,
        _ = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let stop = CancellationToken::new();
    let impatience = async {
        signals.next().await;
        stop.cancel();
        signals.next().await
    };
    tokio::select! {
        ended = server.run(stop.cancelled()) => ended.map(|()| ExitCode::SUCCESS).map_err(|error| (error, 1)),
        (name, code) = impatience => {
            tracing::warn!(signal = name, "told again to stop: ends at once, whatever is under way");
            Ok(ExitCode::from(code))
        }
    }
}

/// On a single core a second thread would only be in the way.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let alone = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let mut builder = if alone {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    builder.enable_all().build()
}

fn failed(name: &str, error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("{name}: {error:#}");
    ExitCode::from(code)
}

async fn start<S: Service>(args: S::Args, settings: &Settings) -> anyhow::Result<Server<S>> {
    let (server, generated) = prepare(args, settings).await?;
    if let Some(listener) = &server.listener {
        let address = listener.local_addr()?;
        tracing::info!(address = %address, tls = server.tls.is_some(), version = crate::VERSION, "listening");
        if let Some(key) = generated {
            let url = format!("{}://localhost:{}/mcp", settings.tls.scheme(), address.port());
            auth::introduce(address, S::SLUG, &url, &key);
        }
    }
    Ok(server)
}

/// A server with all that it needs, which nobody hears of yet, and the key that was made for it, if any.
async fn prepare<S: Service>(
    args: S::Args,
    settings: &Settings,
) -> anyhow::Result<(Server<S>, Option<String>)> {
    settings.endurance.check()?;
    let listener = match settings.transport {
        Transport::Http => Some(bind(settings.listen.address(S::PORT)).await?),
        Transport::Stdio => None,
    };
    let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;
    let loopback = address.is_none_or(|address| address.ip().is_loopback());
    let tls = settings.tls.read()?;
    let authorities = Authorities::read(settings.ca_file.as_deref())?;
    let auth = Auth::new(&settings.auth, place::<S>(settings, loopback, &authorities)?)?;
    let upstream = Source::new(&settings.upstream, &settings.auth, S::UPSTREAM_AUTH, &authorities)?;
    anyhow::ensure!(
        listener.is_some() || upstream.is_own(),
        "--upstream-auth (GANTRY_UPSTREAM_AUTH): on stdio there is no caller but the operator, so it must be `own`"
    );
    let generated = auth.generated_key().map(str::to_owned);
    let telemetry = Arc::new(Telemetry::start(&settings.telemetry, S::SLUG, &authorities)?);
    let metrics = Arc::new(Metrics::new(S::SLUG, telemetry.clone()));
    let catalog = Catalog::new(&args, &Policy::new(settings, S::read_only(&args))?, &metrics)?;
    let kit = Kit {
        max_output_bytes: settings.max_output_bytes,
        read_only: settings.read_only || S::read_only(&args).is_some(),
        changes: TaskTracker::new(),
        news: Arc::new(Changes::new(settings.max_sessions)),
        authorities,
        open: CancellationToken::new(),
        stopping: CancellationToken::new(),
    };
    let service = S::connect(args, kit.clone()).await?;
    let dispatch = Arc::new(Dispatch {
        service,
        catalog,
        deadline: settings.deadline,
        max_output_bytes: settings.max_output_bytes,
        operator: listener.is_none().then(Principal::local),
        calls: Calls::default(),
        rounds: Rounds::new(S::SLUG, &settings.ask)?,
        tasks: Tasks::new(settings.tasks.clone()),
        telemetry,
    });
    let handler = Handler::new(dispatch.clone(), auth.is_on(), kit.news.clone())?;
    let streams = CancellationToken::new();
    let sessions = Arc::new(Sessions::new(settings.max_sessions, settings.session_max_idle, metrics.clone()));
    let app = App {
        direct: Direct::new(handler.clone()),
        streamable: StreamableHttpService::new(
            {
                let handler = handler.clone();
                move || Ok(handler.clone())
            },
            sessions.clone(),
            streamable_config(settings, &streams),
        ),
        dispatch,
        handler,
        sessions,
        sse: SseSessions::new(settings.max_sessions),
        auth,
        upstream,
        guard: guard(settings, address),
        public: settings.public_url.as_ref().map(Resource::public),
        scheme: settings.tls.scheme(),
        health: Health::default(),
        metrics,
        max_body_bytes: settings.max_body_bytes,
        told_refusal: AtomicI64::default(),
        streams,
    };
    let server = Server {
        app: Arc::new(app),
        listener,
        tls,
        kit,
        legacy_sse: !settings.no_legacy_sse,
        max_connections: settings.endurance.max_connections,
        grace: settings.endurance.shutdown_grace,
        delay: settings.endurance.shutdown_delay,
    };
    Ok((server, generated))
}

/// What identity needs to know of this server.
fn place<S: Service>(
    settings: &Settings,
    loopback: bool,
    authorities: &Authorities,
) -> anyhow::Result<Place> {
    let edge = settings
        .trust_edge_key_file
        .clone()
        .map(|file| Verifier::read("--trust-edge-key-file (GANTRY_TRUST_EDGE_KEY_FILE)", file, S::SLUG));
    Ok(Place {
        loopback,
        takes_upstream_token: S::UPSTREAM_AUTH.contains(&UpstreamAuth::Caller),
        edge: edge.transpose()?,
        authorities: authorities.clone(),
    })
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("--listen (GANTRY_LISTEN) {address}"))
}

/// Hosts, origins and body size are this crate's to check, once for all doors.
fn streamable_config(settings: &Settings, streams: &CancellationToken) -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .with_legacy_session_mode(settings.sessions == Switch::On)
        .with_json_response(true)
        .with_max_request_body_bytes(usize::MAX)
        .with_cancellation_token(streams.clone())
}

fn guard(settings: &Settings, address: Option<SocketAddr>) -> Guard {
    let own = address.filter(|it| !it.ip().is_unspecified()).map(|address| address.to_string());
    let public = settings.public_url.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
    settings.allowed.guard(own.into_iter().chain(public))
}

/// What tells a program to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next one's name, and the exit code that shells give a program which it ended.
    async fn next(&mut self) -> (&'static str, u8) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", 128 + 15),
            _ = self.interrupt.recv() => ("SIGINT", 128 + 2),
        }
    }
}

/// A server inside a test, on a free loopback port.
#[cfg(feature = "testing")]
pub mod testing {
    use super::*;
    pub use crate::auth::verify_token;
    use tokio_util::sync::DropGuard;

    /// Stops when dropped.
    pub struct Running {
        /// `http://127.0.0.1:PORT`, or `https:` with TLS
        pub url: String,
        stop: DropGuard,
        ended: tokio::task::JoinHandle<anyhow::Result<()>>,
    }

    impl Running {
        /// Asks the server to stop, as a signal does, and gives what to await its end with.
        pub fn stop(self) -> tokio::task::JoinHandle<anyhow::Result<()>> {
            drop(self.stop);
            self.ended
        }
    }

    /// Starts a server with these arguments.
    ///
    /// # Errors
    /// What the program would say on such a start.
    pub async fn start<S: Service>(args: &[&str]) -> anyhow::Result<Running> {
        let args = ["test", "--listen", "127.0.0.1:0"].iter().chain(args);
        let program = Program::<S::Args>::try_parse_from(args)?;
        let server = super::start::<S>(program.service, &program.settings).await?;
        let address = server.listener.as_ref().context("no network door")?.local_addr()?;
        let scheme = program.settings.tls.scheme();
        let stop = CancellationToken::new();
        let ended = tokio::spawn(server.run(stop.clone().cancelled_owned()));
        Ok(Running { url: format!("{scheme}://{address}"), stop: stop.drop_guard(), ended })
    }

    /// What a server with these arguments is made from, for tests of its parts.
    ///
    /// # Errors
    /// What the program would say on such a start.
    pub async fn lent<S: Service>(args: &[&str]) -> anyhow::Result<(S::Args, Kit)>
    where
        S::Args: Clone,
    {
        let args = ["test", "--listen", "127.0.0.1:0"].iter().chain(args);
        let program = Program::<S::Args>::try_parse_from(args)?;
        let (server, _) = prepare::<S>(program.service.clone(), &program.settings).await?;
        Ok((program.service, server.kit))
    }

    /// All doors of a server, to be asked in this process and behind no socket.
    ///
    /// # Errors
    /// What the program would say on such a start.
    pub async fn router<S: Service>(args: &[&str]) -> anyhow::Result<axum::Router> {
        let args = ["test", "--listen", "127.0.0.1:0"].iter().chain(args);
        let program = Program::<S::Args>::try_parse_from(args)?;
        let (server, _) = prepare::<S>(program.service, &program.settings).await?;
        server.kit.open.cancel();
        crate::doors::router(server.app, server.legacy_sse)
    }
}
