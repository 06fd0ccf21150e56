//! `/metrics`: calls, errors by code, durations and calls in flight, per tool; calls and errors also per method.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Once, OnceLock};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::Code;
use crate::telemetry::Telemetry;

type Labels = Vec<(&'static str, String)>;
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 120.0];

/// Content type of [`Metrics::render`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All series of a program.
pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<Labels, Counter>,
    method_calls: Family<Labels, Counter>,
    errors: Family<Labels, Counter>,
    in_flight: Family<Labels, Gauge>,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    refused: Family<Labels, Counter>,
    /// Open MCP sessions, of either transport.
    sessions: Gauge,
    telemetry: Arc<Telemetry>,
}

impl Metrics {
    pub(crate) fn new(service: &str, telemetry: Arc<Telemetry>) -> Self {
        let mut registry = Registry::with_prefix("gantry");
        let calls = Family::default();
        let method_calls = Family::default();
        let errors = Family::default();
        let refused = Family::default();
        let in_flight = Family::default();
        let durations: Family<Labels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let sessions = Gauge::default();
        let build = Info::new(vec![("service", service.to_owned()), ("version", crate::VERSION.to_owned())]);
        registry.register("build", "The running program", build);
        registry.register("tool_calls", "Calls of a tool", calls.clone());
        let several = "Calls of one method of a tool that has several";
        registry.register("tool_method_calls", several, method_calls.clone());
        registry.register("tool_errors", "Failed calls of a tool, by code", errors.clone());
        registry.register("tool_calls_in_flight", "Calls of a tool that are running", in_flight.clone());
        registry.register("tool_duration_seconds", "How long calls of a tool took", durations.clone());
        registry.register("requests_refused", "Requests that were not let in, by code", refused.clone());
        registry.register("mcp_sessions", "Open MCP sessions", sessions.clone());
        let lost = "Spans, and exports of metrics, that no collector took";
        registry.register("telemetry_dropped", lost, telemetry.dropped.clone());
        Self { registry, calls, method_calls, errors, in_flight, durations, refused, sessions, telemetry }
    }

    fn series(&self, tool: &str) -> Series {
        let labels: Labels = vec![("tool", tool.to_owned())];
        Series {
            calls: self.calls.get_or_create_owned(&labels),
            in_flight: self.in_flight.get_or_create_owned(&labels),
            duration: self.durations.get_or_create_owned(&labels),
        }
    }

    /// The calls of one method of a tool, looked up once.
    pub(crate) fn method(&self, tool: &str, method: &str) -> Counter {
        self.method_calls.get_or_create_owned(&vec![("tool", tool.to_owned()), ("method", method.to_owned())])
    }

    /// Counts a request that was not let in.
    pub(crate) fn refuse(&self, code: Code) {
        self.refused.get_or_create(&vec![("code", code.as_str().to_owned())]).inc();
    }

    /// Counts an MCP session as open until what this returns goes.
    pub(crate) fn session(self: &Arc<Self>) -> OpenSession {
        self.sessions.inc();
        OpenSession { metrics: self.clone(), opened: Instant::now() }
    }

    /// The text a scraper reads.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!("metrics could not be written: {error}");
        }
        text
    }
}

/// The metrics of one tool.
pub(crate) struct ToolMetrics {
    name: Arc<str>,
    metrics: Arc<Metrics>,
    series: OnceLock<Series>,
    watched: Once,
}

/// Its series, looked up once.
struct Series {
    calls: Counter<u64, AtomicU64>,
    in_flight: Gauge<i64, AtomicI64>,
    duration: Histogram,
}

impl ToolMetrics {
    /// A tool that is `listed` shows its zeros; an alias has series from its first call on.
    pub(crate) fn new(metrics: &Arc<Metrics>, name: Arc<str>, listed: bool) -> Self {
        let (series, watched) = (OnceLock::new(), Once::new());
        let tool = Self { name, metrics: metrics.clone(), series, watched };
        if listed {
            tool.series();
        }
        tool
    }

    fn series(&self) -> &Series {
        self.series.get_or_init(|| self.metrics.series(&self.name))
    }

    /// Counts a call until the guard goes, however it goes.
    pub(crate) fn begin(&self) -> InFlight<'_> {
        let series = self.series();
        series.calls.inc();
        series.in_flight.inc();
        if let Some(meters) = &self.metrics.telemetry.meters {
            self.watched.call_once(|| meters.watch(&self.name, series.in_flight.clone()));
        }
        InFlight(&series.in_flight)
    }

    pub(crate) fn end(&self, took: Duration, method: Option<&str>, failure: Option<Code>) {
        self.series().duration.observe(took.as_secs_f64());
        if let Some(code) = failure {
            let mut labels = vec![("tool", self.name.to_string()), ("code", code.as_str().to_owned())];
            labels.extend(method.map(|method| ("method", method.to_owned())));
            self.metrics.errors.get_or_create(&labels).inc();
        }
    }
}

/// One call in flight.
pub(crate) struct InFlight<'a>(&'a Gauge<i64, AtomicI64>);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// One open MCP session.
pub(crate) struct OpenSession {
    metrics: Arc<Metrics>,
    opened: Instant,
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.metrics.sessions.dec();
        if let Some(meters) = &self.metrics.telemetry.meters {
            meters.session(self.opened.elapsed());
        }
    }
}
