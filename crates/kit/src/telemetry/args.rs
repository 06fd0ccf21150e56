//! The telemetry settings, by the names that OpenTelemetry and New Relic gave them.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};
use url::Url;

/// How OTLP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Protocol {
    /// Protobuf over HTTP
    #[value(name = "http/protobuf")]
    Http,
    /// gRPC
    Grpc,
}

/// Where a signal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Exporter {
    /// To the endpoint, if there is one
    Otlp,
    /// Nowhere
    None,
}

/// Whether a metric tells all since the start, or since it was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Temporality {
    /// Since the start
    Cumulative,
    /// Since the last export
    Delta,
    /// Whichever takes less memory
    Lowmemory,
}

/// Which traces are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum SamplerName {
    /// All
    AlwaysOn,
    /// None
    AlwaysOff,
    /// A share of all
    Traceidratio,
    /// As the caller does; all that begin here
    ParentbasedAlwaysOn,
    /// As the caller does; none that begin here
    ParentbasedAlwaysOff,
    /// As the caller does; a share of those that begin here
    ParentbasedTraceidratio,
}

/// The telemetry settings of every program. Some are secret, so they are not printable.
#[derive(Clone, Args)]
#[command(next_help_heading = "Telemetry")]
pub struct TelemetryArgs {
    /// Where traces and metrics go, over OTLP; paths /v1/traces and /v1/metrics are added for http/protobuf
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub(super) otlp_endpoint: Option<Url>,

    /// Where traces go, if elsewhere; taken as it is
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value_name = "URL")]
    pub(super) otlp_traces_endpoint: Option<Url>,

    /// Where metrics go, if elsewhere; taken as it is
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", value_name = "URL")]
    pub(super) otlp_metrics_endpoint: Option<Url>,

    /// How OTLP travels
    #[arg(long, env = "OTEL_EXPORTER_OTLP_PROTOCOL", value_enum, default_value = "http/protobuf")]
    pub(super) otlp_protocol: Protocol,

    /// Headers of every export, as NAME=VALUE,…; values percent-encoded
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", hide_env_values = true, value_name = "HEADERS")]
    pub(super) otlp_headers: Option<String>,

    /// File with the headers; read again when it changes
    #[arg(long, env = "GANTRY_OTLP_HEADERS_FILE", value_name = "FILE", conflicts_with = "otlp_headers")]
    pub(super) otlp_headers_file: Option<PathBuf>,

    /// How long one export may take, in milliseconds
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TIMEOUT", value_name = "MS", value_parser = milliseconds, default_value = "10000")]
    pub(super) otlp_timeout: Duration,

    /// Since when metrics count [default: cumulative; delta for New Relic]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", value_enum, ignore_case = true)]
    pub(super) otlp_temporality: Option<Temporality>,

    /// Whether traces are exported
    #[arg(long, env = "OTEL_TRACES_EXPORTER", value_enum, default_value = "otlp")]
    pub(super) traces_exporter: Exporter,

    /// Whether metrics are exported
    #[arg(long, env = "OTEL_METRICS_EXPORTER", value_enum, default_value = "otlp")]
    pub(super) metrics_exporter: Exporter,

    /// Export nothing, whatever else is set; trace context is still passed on
    #[arg(
        long,
        env = "OTEL_SDK_DISABLED",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub(super) otel_sdk_disabled: bool,

    /// The name that telemetry goes by [default: NEW_RELIC_APP_NAME, service.name of the resource, or the server's
    /// token, as in docker-locust]
    #[arg(long, env = "OTEL_SERVICE_NAME", value_name = "NAME")]
    pub(super) otel_service_name: Option<String>,

    /// What else telemetry says of this program, as NAME=VALUE,…; values percent-encoded
    #[arg(long, env = "OTEL_RESOURCE_ATTRIBUTES", value_name = "ATTRIBUTES")]
    pub(super) otel_resource_attributes: Option<String>,

    /// Which traces are recorded
    #[arg(long, env = "OTEL_TRACES_SAMPLER", value_enum, default_value = "parentbased_always_on")]
    pub(super) traces_sampler: SamplerName,

    /// The share of the traceidratio samplers, from 0 to 1
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", value_name = "SHARE", default_value = "1")]
    pub(super) traces_sampler_arg: String,

    /// Longest a span waits for others to be exported with it, in milliseconds
    #[arg(long, env = "OTEL_BSP_SCHEDULE_DELAY", value_name = "MS", value_parser = milliseconds, default_value = "5000")]
    pub(super) otel_bsp_schedule_delay: Duration,

    /// Longest a batch of spans is offered to the collector before it is dropped, in milliseconds
    #[arg(long, env = "OTEL_BSP_EXPORT_TIMEOUT", value_name = "MS", value_parser = milliseconds, default_value = "30000")]
    pub(super) otel_bsp_export_timeout: Duration,

    /// Most spans that wait to be exported; further ones are dropped and counted
    #[arg(long, env = "OTEL_BSP_MAX_QUEUE_SIZE", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), default_value = "2048")]
    pub(super) otel_bsp_max_queue_size: u32,

    /// Most spans in one export
    #[arg(long, env = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), default_value = "512")]
    pub(super) otel_bsp_max_export_batch_size: u32,

    /// How often metrics are exported, in milliseconds
    #[arg(long, env = "OTEL_METRIC_EXPORT_INTERVAL", value_name = "MS", value_parser = milliseconds, default_value = "60000")]
    pub(super) otel_metric_export_interval: Duration,

    /// Sends traces and metrics to New Relic; with --otlp-endpoint, to that address
    #[arg(long, env = "NEW_RELIC_LICENSE_KEY", hide_env_values = true, value_name = "KEY")]
    pub(super) new_relic_license_key: Option<String>,

    /// File with the key; read again when it changes
    #[arg(
        long,
        env = "NEW_RELIC_LICENSE_KEY_FILE",
        value_name = "FILE",
        conflicts_with = "new_relic_license_key"
    )]
    pub(super) new_relic_license_key_file: Option<PathBuf>,

    /// The name that telemetry goes by, as New Relic's agents have it
    #[arg(long, env = "NEW_RELIC_APP_NAME", value_name = "NAME")]
    pub(super) new_relic_app_name: Option<String>,
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a whole number of milliseconds, at least 1".to_owned()),
        Ok(milliseconds) => Ok(Duration::from_millis(milliseconds)),
    }
}
