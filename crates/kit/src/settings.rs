//! Every setting that all programs share: a flag, an environment variable, a documented default.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};

use crate::ask::AskArgs;
use crate::auth::{AuthArgs, UpstreamArgs};
use crate::guard::Guard;
use crate::log::LogArgs;
use crate::policy::RateLimit;
use crate::tasks::TaskArgs;
use crate::telemetry::TelemetryArgs;
use crate::tls::TlsArgs;

/// The address a program listens on.
#[derive(Debug, Clone, Args)]
pub struct Listen {
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1 and this program's port, or that of
    /// MCP_PORT or PORT]
    #[arg(long, env = "GANTRY_LISTEN", value_name = "ADDR:PORT", help_heading = "Listening")]
    listen: Option<SocketAddr>,

    /// Changes only the port; the name that earlier servers used
    #[arg(long, env = "MCP_PORT", value_name = "PORT", hide = true)]
    mcp_port: Option<u16>,

    /// Changes only the port; the name that platforms use
    #[arg(long, env = "PORT", value_name = "PORT", hide = true)]
    port: Option<u16>,
}

impl Listen {
    /// `--listen`, else loopback with `MCP_PORT`, then `PORT`, then `default_port`.
    pub fn address(&self, default_port: u16) -> SocketAddr {
        self.listen.unwrap_or_else(|| {
            let port = self.mcp_port.or(self.port).unwrap_or(default_port);
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
        })
    }

    /// From now on any free port of the same address.
    pub(crate) fn take_free_port(&mut self, default_port: u16) {
        self.listen = Some(SocketAddr::new(self.address(default_port).ip(), 0));
    }
}

/// The hosts and origins that requests may name.
#[derive(Debug, Clone, Args)]
pub struct Allowed {
    /// Hosts a request may name besides loopback: NAME or NAME:PORT, *.NAME for those one label below, * for all
    #[arg(
        long,
        env = "GANTRY_ALLOWED_HOSTS",
        value_parser = host,
        value_delimiter = ',',
        value_name = "HOST",
        help_heading = "Listening"
    )]
    allowed_hosts: Vec<String>,

    /// Web origins a request may come from besides the allowed hosts: SCHEME://NAME[:PORT]
    #[arg(
        long,
        env = "GANTRY_ALLOWED_ORIGINS",
        value_parser = origin,
        value_delimiter = ',',
        value_name = "ORIGIN",
        help_heading = "Listening"
    )]
    allowed_origins: Vec<String>,
}

impl Allowed {
    /// The guard that allows these, loopback, and the program's `own` hosts.
    pub fn guard(&self, own: impl IntoIterator<Item = String>) -> Guard {
        Guard::new(self.allowed_hosts.iter().cloned().chain(own), self.allowed_origins.iter().cloned())
    }
}

/// What a `Host` header could say; anything else would allow nobody.
fn host(text: &str) -> Result<String, &'static str> {
    let host = text.trim().trim_end_matches('/');
    if host.contains('/') { Err("a host has no scheme and no path") } else { Ok(host.to_owned()) }
}

/// What an `Origin` header could say.
fn origin(text: &str) -> Result<String, &'static str> {
    let origin = text.trim().trim_end_matches('/');
    let legal =
        matches!(origin, "*" | "") || origin.split_once("://").is_some_and(|(_, it)| !it.contains('/'));
    if legal { Ok(origin.to_owned()) } else { Err("not in the form SCHEME://NAME[:PORT]") }
}

/// An address that documents can give to clients.
///
/// # Errors
/// For what is no address of HTTP, or has parts that would be lost.
pub fn public_url(text: &str) -> anyhow::Result<url::Url> {
    let url: url::Url = text.parse()?;
    anyhow::ensure!(
        url.username().is_empty() && url.password().is_none(),
        "holds a user name or a password, which every document would show"
    );
    anyhow::ensure!(
        matches!(url.scheme(), "http" | "https") && url.query().or(url.fragment()).is_none(),
        "not an http or https address without query and fragment"
    );
    Ok(url)
}

/// How many connections a program bears, and how it takes its leave of them: from the signal on it is not ready, but
/// goes on accepting until the requests that the signal found are done, and for `shutdown_delay` at least; after
/// `shutdown_grace` all that is left is cut off.
#[derive(Debug, Clone, Args)]
pub struct Endurance {
    /// Most connections at once; others wait to be accepted
    #[arg(
        long,
        env = "GANTRY_MAX_CONNECTIONS",
        value_name = "N",
        default_value = "4096",
        help_heading = "Listening"
    )]
    pub max_connections: NonZeroUsize,

    /// On SIGTERM, how long requests in flight may take to finish; those that have not are cut off
    #[arg(
        long,
        env = "GANTRY_SHUTDOWN_GRACE",
        value_parser = humantime::parse_duration,
        value_name = "TIME",
        default_value = "25s",
        help_heading = "Listening"
    )]
    pub shutdown_grace: Duration,

    /// On SIGTERM, how much of that time to go on accepting at least, not ready, for balancers that need it
    #[arg(
        long,
        env = "GANTRY_SHUTDOWN_DELAY",
        value_parser = humantime::parse_duration,
        value_name = "TIME",
        default_value = "0s",
        help_heading = "Listening"
    )]
    pub shutdown_delay: Duration,
}

impl Endurance {
    /// # Errors
    /// For a delay that is longer than the grace that it is part of.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.shutdown_delay <= self.shutdown_grace,
            "--shutdown-delay (GANTRY_SHUTDOWN_DELAY) is part of --shutdown-grace and cannot be longer"
        );
        Ok(())
    }
}

/// How a client reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// All network doors on one port
    Http,
    /// MCP on stdin and stdout, logs on stderr
    Stdio,
}

/// A switch that is spelled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

/// Makes a variable that is set to nothing count as not set, as compose files leave them, and names variables of
/// ours that no program here knows: a typing error in one would leave a door open.
#[expect(clippy::disallowed_methods, reason = "looks at whether variables are set, not at what they say")]
pub fn tidy(command: clap::Command) -> (clap::Command, Vec<String>) {
    let mut known: Vec<std::ffi::OsString> = vec![];
    let command = command.mut_args(|argument| match argument.get_env().map(std::ffi::OsStr::to_owned) {
        Some(name) => {
            let empty = std::env::var_os(&name).is_some_and(|value| value.is_empty());
            known.push(name);
            if empty { argument.env(None::<&str>) } else { argument }
        }
        None => argument,
    });
    let unknown = std::env::vars_os()
        .filter(|(name, _)| name.to_string_lossy().starts_with("GANTRY_") && !known.contains(name))
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .collect();
    (command, unknown)
}

/// Tells of variables that mean nothing here.
pub fn warn_of(unknown: &[String]) {
    for variable in unknown {
        tracing::warn!(variable, "no setting of this program has this name; --help lists those there are");
    }
}

/// The settings of every server. Some are secret, so they are not printable.
#[derive(Clone, Args)]
pub struct Settings {
    #[command(flatten)]
    pub(crate) listen: Listen,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,

    /// How clients reach this server
    #[arg(long, env = "GANTRY_TRANSPORT", value_enum, default_value = "http", help_heading = "Listening")]
    pub(crate) transport: Transport,

    #[command(flatten)]
    pub(crate) allowed: Allowed,

    /// What the world sees as this server's address, for generated documents
    #[arg(
        long,
        env = "GANTRY_PUBLIC_URL",
        value_parser = public_url,
        value_name = "URL",
        help_heading = "Listening"
    )]
    pub(crate) public_url: Option<url::Url>,

    /// Largest request body, in bytes
    #[arg(
        long,
        env = "GANTRY_MAX_BODY_BYTES",
        value_name = "BYTES",
        default_value_t = 4 * 1024 * 1024,
        help_heading = "Listening"
    )]
    pub(crate) max_body_bytes: usize,

    #[command(flatten)]
    pub(crate) endurance: Endurance,

    /// Sessions for MCP clients of 2025; off lets any replica serve any request
    #[arg(long, env = "GANTRY_SESSIONS", value_enum, default_value = "on", help_heading = "MCP")]
    pub(crate) sessions: Switch,

    /// Most sessions at once
    #[arg(long, env = "GANTRY_MAX_SESSIONS", value_name = "N", default_value_t = 1000, help_heading = "MCP")]
    pub(crate) max_sessions: usize,

    /// A session nobody used for this long is closed
    #[arg(
        long,
        env = "GANTRY_SESSION_MAX_IDLE",
        value_parser = humantime::parse_duration,
        value_name = "TIME",
        default_value = "30m",
        help_heading = "MCP"
    )]
    pub(crate) session_max_idle: Duration,

    /// Do not serve the HTTP+SSE transport of 2024-11-05 on /sse
    #[arg(
        long,
        env = "GANTRY_NO_LEGACY_SSE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new(),
        help_heading = "MCP"
    )]
    pub(crate) no_legacy_sse: bool,

    #[command(flatten)]
    pub(crate) auth: AuthArgs,

    /// File with the keys that an edge signs callers with, one a line; a caller it vouches for is let in. Read
    /// again when it changes
    #[arg(long, env = "GANTRY_TRUST_EDGE_KEY_FILE", value_name = "FILE", help_heading = "Who may call")]
    pub(crate) trust_edge_key_file: Option<PathBuf>,

    /// Offer only tools, and methods of tools, that change nothing
    #[arg(
        long,
        env = "GANTRY_READ_ONLY",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new(),
        help_heading = "What may be called"
    )]
    pub(crate) read_only: bool,

    /// Offer no tool, and no method of a tool, that may destroy something
    #[arg(
        long,
        env = "GANTRY_DISABLE_DESTRUCTIVE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new(),
        help_heading = "What may be called"
    )]
    pub(crate) disable_destructive: bool,

    /// Offer only these tools, or methods as TOOL.METHOD (globs, separated by commas)
    #[arg(
        long,
        env = "GANTRY_ALLOW_TOOLS",
        value_delimiter = ',',
        value_name = "GLOB",
        help_heading = "What may be called"
    )]
    pub(crate) allow_tools: Vec<String>,

    /// Never offer these tools, or methods as TOOL.METHOD (globs, separated by commas)
    #[arg(
        long,
        env = "GANTRY_DENY_TOOLS",
        value_delimiter = ',',
        value_name = "GLOB",
        help_heading = "What may be called"
    )]
    pub(crate) deny_tools: Vec<String>,

    /// Most calls of a tool by one caller, as GLOB=N/s, GLOB=N/min or GLOB=N/h; the glob may name methods
    #[arg(
        long,
        env = "GANTRY_RATE_LIMIT",
        value_delimiter = ',',
        value_name = "GLOB=RATE",
        help_heading = "What may be called"
    )]
    pub(crate) rate_limit: Vec<RateLimit>,

    #[command(flatten)]
    pub(crate) ask: AskArgs,

    #[command(flatten)]
    pub(crate) tasks: TaskArgs,

    /// Longest a call may take; changes half done still run to their end
    #[arg(
        long,
        env = "GANTRY_DEADLINE",
        value_parser = humantime::parse_duration,
        value_name = "TIME",
        default_value = "2m",
        help_heading = "What may be called"
    )]
    pub(crate) deadline: Duration,

    /// Largest result of a tool, in bytes; long text is cut to fit
    #[arg(
        long,
        env = "GANTRY_MAX_OUTPUT_BYTES",
        value_name = "BYTES",
        default_value_t = 256 * 1024,
        help_heading = "What may be called"
    )]
    pub(crate) max_output_bytes: usize,

    /// Certificates of further authorities, in PEM, that upstreams' certificates may come from
    #[arg(long, env = "GANTRY_CA_FILE", value_name = "FILE", help_heading = "Upstreams")]
    pub(crate) ca_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) upstream: UpstreamArgs,

    #[command(flatten)]
    pub(crate) log: LogArgs,

    #[command(flatten)]
    pub(crate) telemetry: TelemetryArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse(args: &[&str]) -> Result<Settings, clap::Error> {
        Program::try_parse_from([&["test"], args].concat()).map(|program| program.settings)
    }

    #[test]
    fn listens_on_loopback_by_default() {
        let settings = parse(&[]).expect("defaults");
        assert_eq!(settings.listen.address(8002).to_string(), "127.0.0.1:8002");
        let settings = parse(&["--mcp-port", "9", "--port", "8"]).expect("ports");
        assert_eq!(settings.listen.address(8002).to_string(), "127.0.0.1:9");
    }

    #[test]
    fn a_bad_value_names_its_setting() {
        for (args, name) in [
            (["--listen", "nowhere"], "--listen"),
            (["--rate-limit", "docker_restart=fast"], "--rate-limit"),
            (["--deadline", "soon"], "--deadline"),
            (["--auth", "magic"], "--auth"),
            (["--allowed-hosts", "https://ops.example"], "--allowed-hosts"),
            (["--allowed-origins", "ops.example"], "--allowed-origins"),
            (["--public-url", "ftp://ops.example"], "--public-url"),
            (["--public-url", "https://ops.example/?x"], "--public-url"),
            (["--public-url", "https://u:p@ops.example/"], "--public-url"),
        ] {
            let error = parse(&args).err().expect("refused").to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
