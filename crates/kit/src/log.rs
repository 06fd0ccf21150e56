//! Logs: one JSON object a line on stderr, or text for people.

use std::io::IsTerminal;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub(crate) mod lines;

use lines::{Json, Text};

/// rmcp tells of every request, and takes a client that leaves for an error; what matters is told by us. A
/// filter that names it overrides this.
const QUIETER: &str = "rmcp=error,rmcp::service=off";
/// The audit is kept whatever the level.
const ALWAYS: &str = "audit=info";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere
    Auto,
    /// One JSON object a line
    Json,
    /// For people
    Text,
}

/// The logging settings of every program.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// Least level to log: error, warn, info, debug, trace; also by module, as in `info,rmcp=debug`
    #[arg(long, env = "LOG_LEVEL", value_name = "LEVEL", default_value = "info", help_heading = "Logs")]
    log_level: String,

    /// Same as --log-level debug
    #[arg(
        long,
        env = "DEBUG",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new(),
        help_heading = "Logs"
    )]
    debug: bool,

    /// How log lines look
    #[arg(long, env = "GANTRY_LOG_FORMAT", value_enum, default_value = "auto", help_heading = "Logs")]
    log_format: LogFormat,
}

/// Sends all logs to stderr from now on.
///
/// # Errors
/// When the level cannot be read; the message names the setting.
pub fn init(args: &LogArgs) -> anyhow::Result<()> {
    let level = if args.debug { "debug" } else { args.log_level.as_str() };
    // Names of levels come in either case, and Python's are among them.
    let level = match level.to_ascii_lowercase().as_str() {
        "" => "info".to_owned(),
        "warning" => "warn".to_owned(),
        "critical" | "fatal" => "error".to_owned(),
        "off" | "error" | "warn" | "info" | "debug" | "trace" => level.to_ascii_lowercase(),
        _ if level.contains('=') => level.to_owned(),
        _ => anyhow::bail!("--log-level (LOG_LEVEL) {level:?}: use error, warn, info, debug or trace"),
    };
    let filter: Targets = format!("{QUIETER},{level},{ALWAYS}")
        .parse()
        .map_err(|error| anyhow::anyhow!("--log-level (LOG_LEVEL) {level:?}: {error}"))?;
    let text = match args.log_format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry();
    let result = if text {
        registry.with(lines.event_format(Text::new()).with_filter(filter)).try_init()
    } else {
        registry.with(lines.event_format(Json).with_filter(filter)).try_init()
    };
    result.map_err(|error| anyhow::anyhow!("logging is already set up: {error}"))
}
