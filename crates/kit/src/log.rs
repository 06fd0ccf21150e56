//! Logs: one JSON object a line on stderr, or text for people.

use std::fmt;
use std::io::IsTerminal;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

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
    /// Least level to log: error, warn, info, debug, trace, or a tracing filter
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
        "warning" => "warn".to_owned(),
        "critical" | "fatal" => "error".to_owned(),
        other => other.to_owned(),
    };
    let filter = EnvFilter::builder()
        .parse(format!("{QUIETER},{level},{ALWAYS}"))
        .map_err(|error| anyhow::anyhow!("--log-level (LOG_LEVEL) {level:?}: {error}"))?;
    let text = match args.log_format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = if text {
        tracing::subscriber::set_global_default(builder.with_target(false).finish())
    } else {
        tracing::subscriber::set_global_default(builder.event_format(Json).finish())
    };
    result.map_err(|error| anyhow::anyhow!("logging is already set up: {error}"))
}

/// Formats an event as one JSON object; an event's own field wins over the built-in one of that name.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("timestamp".into(), crate::health::now().into());
        line.insert("level".into(), metadata.level().as_str().into());
        line.insert("logger".into(), metadata.target().into());
        line.insert("message".into(), "".into());
        line.insert("module".into(), metadata.module_path().into());
        if let Some(span) = context.lookup_current() {
            line.insert("function".into(), span.name().into());
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                line.insert("span".into(), fields.to_string().into());
            }
        }
        line.insert("line".into(), metadata.line().into());
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // A field named `…_json` holds JSON text and is written as the value it is.
        match field.name().strip_suffix("_json").map(|name| (name, serde_json::from_str(value))) {
            Some((name, Ok(json))) => {
                self.0.insert(name.to_owned(), json);
            }
            Some((_, Err(_))) | None => self.put(field, value),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}
