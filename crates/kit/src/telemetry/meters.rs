//! The metrics that go out over OTLP: those of the MCP conventions, and how many calls run.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter, MeterProvider};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::mpsc;

use super::names::*;
use super::wire::encoded;

/// Bounds in seconds, as the MCP conventions have them.
const SECONDS: [f64; 14] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// The instruments.
pub(crate) struct Meters {
    provider: SdkMeterProvider,
    meter: Meter,
    operations: Histogram<f64>,
    sessions: Histogram<f64>,
}

impl Meters {
    pub(super) fn new(out: Outlet, interval: Duration, resource: Resource) -> Self {
        let reader = PeriodicReader::builder(out).with_interval(interval).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build();
        let meter = provider.meter_with_scope(super::scope());
        let histogram = |name, what| {
            let bounds = SECONDS.to_vec();
            meter.f64_histogram(name).with_unit("s").with_description(what).with_boundaries(bounds).build()
        };
        let operations = histogram(MCP_SERVER_OPERATION_DURATION, "Duration of MCP requests");
        let sessions = histogram(MCP_SERVER_SESSION_DURATION, "Duration of MCP sessions");
        Self { operations, sessions, meter, provider }
    }

    pub(super) fn operation(&self, took: Duration, attributes: &[KeyValue]) {
        self.operations.record(took.as_secs_f64(), attributes);
    }

    /// A session, over HTTP as all are that have one, has ended.
    pub(crate) fn session(&self, took: Duration) {
        let transport =
            [KeyValue::new(NETWORK_TRANSPORT, "tcp"), KeyValue::new(NETWORK_PROTOCOL_NAME, "http")];
        self.sessions.record(took.as_secs_f64(), &transport);
    }

    /// Looks at how many calls of a tool run whenever metrics are exported, from now on.
    pub(crate) fn watch(&self, tool: &Arc<str>, in_flight: Gauge) {
        let tool = [KeyValue::new(GEN_AI_TOOL_NAME, tool.clone())];
        self.meter
            .i64_observable_up_down_counter("gantry.tool.calls_in_flight")
            .with_unit("{call}")
            .with_description("Calls of a tool that are running")
            .with_callback(move |observer| observer.observe(in_flight.get(), &tool))
            .build();
    }

    /// Hands out what there is, and is silent from then on.
    pub(super) fn stop(&self, patience: Duration) -> OTelSdkResult {
        self.provider.shutdown_with_timeout(patience)
    }
}

/// Where the SDK's thread leaves each export for the exporter's.
pub(super) struct Outlet {
    pub(super) exports: mpsc::Sender<Bytes>,
    pub(super) temporality: Temporality,
    pub(super) dropped: Counter,
}

impl PushMetricExporter for Outlet {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let request = ExportMetricsServiceRequest::from(metrics);
        if self.exports.try_send(encoded(&request)).is_err() {
            self.dropped.inc();
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}
