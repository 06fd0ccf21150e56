//! The edge: `/{slug}/…` goes, byte for byte and streaming, to that slug's server, and nothing else does.
//!
//! One thread per core, each with its own listener, runtime and upstream connections; threads share only
//! the routes, which they are sent when the fleet file changes.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use kit::log::LogArgs;
use kit::settings::{Allowed, Endurance, Listen};
use kit::tls::TlsArgs;

use identity::IdentityArgs;

mod answer;
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
mod upload;
mod upstream;
mod wire;
mod worker;

/// The settings of the edge. Some are secret, so they are not printable.
#[derive(Clone, clap::Parser)]
#[command(name = "gantry-edge", version = kit::VERSION, about = "Routes by slug to MCP servers")]
pub struct Args {
    /// File with one [[server]] table each: slug, and url as http://HOST:PORT[/BASE], or
    /// urls with one for each replica; read again when it changes
    #[arg(long, env = "GANTRY_CONFIG", value_name = "FILE", help_heading = "Routing")]
    config: PathBuf,

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

    #[command(flatten)]
    log: LogArgs,
}

/// A time where zero is none.
fn limit(text: &str) -> Result<Duration, humantime::DurationError> {
    if text == "none" { Ok(Duration::ZERO) } else { humantime::parse_duration(text) }
}

/// Runs the edge until SIGTERM or SIGINT, then until the requests in flight are done.
///
/// # Errors
/// When a setting or the fleet file cannot be used, or the address is taken.
pub fn run(args: Args) -> anyhow::Result<()> {
    kit::log::init(&args.log)?;
    server::run(args)
}
