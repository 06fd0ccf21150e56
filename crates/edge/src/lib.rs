//! The edge: `/{slug}/…` goes, byte for byte and streaming, to that slug's server, and nothing else does.
//!
//! One thread per core, each with its own listener, runtime and upstream connections; threads share only
//! the routes, which they are sent when the fleet file changes.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory;
use kit::cli::{self, Common, Invocation};
use kit::log::LogArgs;
use kit::settings::{Allowed, Endurance, Listen};
use kit::telemetry::TelemetryArgs;
use kit::tls::TlsArgs;

use identity::IdentityArgs;
use server::Settled;

mod answer;
mod check;
mod client;
mod config;
mod conn;
mod dial;
mod door;
mod error;
mod fate;
mod fleet;
mod flight;
mod grpc;
mod headers;
mod identity;
mod lines;
mod own;
mod path;
mod patience;
mod peer;
mod pool;
mod proxy;
mod relay;
mod reload;
mod replica;
mod server;
mod socket;
mod sticky;
mod tally;
mod trace;
mod turn;
mod upload;
mod upstream;
mod wire;
mod worker;

/// The settings of the edge. Some are secret, so they are not printable.
#[derive(Clone, clap::Parser)]
#[command(name = NAME, version = kit::VERSION, about = "Routes by slug to MCP servers")]
pub struct Args {
    /// File with one [[server]] table each: slug, and url as http://HOST:PORT[/BASE], or
    /// urls with one for each replica; read again when it changes
    #[arg(long, env = "GANTRY_CONFIG", value_name = "FILE", help_heading = "Routing")]
    config: Option<PathBuf>,

    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    allowed: Allowed,

    #[command(flatten)]
    tls: TlsArgs,

    /// Threads that serve, each on its own [default: as many as there are cores]
    #[arg(long, env = "GANTRY_THREADS", value_name = "N", help_heading = "Listening")]
    threads: Option<NonZeroUsize>,

    /// A client that sends no whole request head within this time, idle connections too, is let go
    #[arg(
        long,
        env = "GANTRY_HEADER_TIMEOUT",
        value_parser = humantime::parse_duration,
        value_name = "TIME",
        default_value = "10s",
        help_heading = "Listening"
    )]
    header_timeout: Duration,

    #[command(flatten)]
    endurance: Endurance,

    #[command(flatten)]
    identity: IdentityArgs,

    /// A server that takes no connection within this time is down; all its addresses share it
    #[arg(
        long,
        env = "GANTRY_CONNECT_TIMEOUT",
        value_parser = humantime::parse_duration,
        value_name = "TIME",
        default_value = "800ms",
        help_heading = "Servers"
    )]
    connect_timeout: Duration,

    /// A server that neither answers nor takes more of a request for this time is given up: above the 2m
    /// that a tool may take; 0 or none for no limit
    #[arg(
        long,
        env = "GANTRY_RESPONSE_TIMEOUT",
        value_parser = limit,
        value_name = "TIME",
        default_value = "150s",
        help_heading = "Servers"
    )]
    response_timeout: Duration,

    /// An unused connection to a server is closed after this time: below the 5 s of uvicorn and Node
    #[arg(
        long,
        env = "GANTRY_UPSTREAM_IDLE",
        value_parser = humantime::parse_duration,
        value_name = "TIME",
        default_value = "4s",
        help_heading = "Servers"
    )]
    upstream_idle: Duration,

    /// Most unused connections kept to one server, per thread
    #[arg(
        long,
        env = "GANTRY_UPSTREAM_MAX_IDLE",
        value_name = "N",
        default_value_t = 128,
        help_heading = "Servers"
    )]
    upstream_max_idle: usize,

    /// Certificates of further authorities, in PEM, that servers' certificates may come from
    #[arg(long, env = "GANTRY_CA_FILE", value_name = "FILE", help_heading = "Servers")]
    ca_file: Option<PathBuf>,

    /// The edge's own certificate chain in PEM, for servers that ask clients for one; read again when it changes
    #[arg(long, env = "GANTRY_CLIENT_CERT", value_name = "FILE", help_heading = "Servers")]
    client_cert: Option<PathBuf>,

    /// Private key of --client-cert in PEM; read again when it changes
    #[arg(long, env = "GANTRY_CLIENT_KEY", value_name = "FILE", help_heading = "Servers")]
    client_key: Option<PathBuf>,

    #[command(flatten)]
    log: LogArgs,

    #[command(flatten)]
    telemetry: TelemetryArgs,

    #[command(subcommand)]
    verb: Option<Verb>,
}

const NAME: &str = "gantry-edge";

/// What the edge can be asked for instead of serving.
#[derive(Debug, Clone, clap::Subcommand)]
enum Verb {
    /// Show every setting and where it came from, try them as a start would, and dial each server
    ///
    /// Exit code 0 when an edge started like this would be ready, 1 when it would not start.
    Check {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    #[command(flatten)]
    Common(Common),
}

/// A time where zero is none.
fn limit(text: &str) -> Result<Duration, humantime::DurationError> {
    if text == "none" { Ok(Duration::ZERO) } else { humantime::parse_duration(text) }
}

/// Runs the edge until SIGTERM or SIGINT, then until the requests in flight are done; or does what its subcommand
/// says. Exit code 2 for settings that cannot be read or that a start refuses, 1 for what fails.
pub fn run() -> ExitCode {
    let invocation = Invocation::read(Args::command());
    let args: Args = invocation.arguments();
    let refused = |error| (error, 2);
    let failed = |error| (error, 1);
    let ended = kit::log::init(&args.log).map_err(refused).and_then(|()| {
        invocation.warn();
        match &args.verb {
            None => {
                let settled = Settled::new(&args).map_err(refused)?;
                server::run(args, settled).map(|()| ExitCode::SUCCESS).map_err(failed)
            }
            Some(verb) => perform(verb, &args, &invocation).map_err(failed),
        }
    });
    ended.unwrap_or_else(|(error, code)| {
        eprintln!("{NAME}: {error:#}");
        ExitCode::from(code)
    })
}

fn perform(verb: &Verb, args: &Args, invocation: &Invocation) -> anyhow::Result<ExitCode> {
    let (text, good) = match verb {
        Verb::Check { json } => {
            let report = check::check(args, invocation)?;
            let text = if *json { format!("{:#}\n", report.json()) } else { report.text() };
            (text.into_bytes(), report.is_good())
        }
        Verb::Common(common) => (common.text(Args::command())?, true),
    };
    cli::print(&text)?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
