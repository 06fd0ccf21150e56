//! Telemetry: traces and metrics over OTLP, and the trace context that calls carry along, exported or not.
//!
//! A call pays for making its span and one push to a bounded queue; a thread of its own does the rest. The SDK's own
//! batch processor and exporter are not used: they hide what they drop, and know nothing of proxies in gRPC.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::metrics::Temporality;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

mod args;
mod context;
mod exchange;
mod export;
mod meters;
mod names;
mod operation;
mod plan;
mod queue;
mod sampler;
mod scope;
mod span;
mod traceparent;
mod wire;

pub use args::TelemetryArgs;
pub use exchange::Exchange;
pub use scope::carry;
pub use traceparent::{TRACEPARENT, TRACESTATE, Traceparent};

pub(crate) use meters::Meters;
pub(crate) use operation::{Fault, Operation, Target};
pub(crate) use scope::Scope;

use crate::http::Authorities;
use export::{Carrier, Work};
use plan::Signal;
use queue::Queue;
use sampler::Sampler;
use span::Tracer;
use wire::Wire;

/// How long a shutdown waits for what is still to be exported.
const FLUSH: Duration = Duration::from_secs(2);
/// Exports of metrics that may wait for a collector.
const WAITING_EXPORTS: usize = 2;

type Labels = Vec<(&'static str, String)>;

/// The telemetry of a program; with nothing set, it exports nothing and costs next to nothing.
#[derive(Default)]
pub struct Telemetry {
    tracer: Option<Arc<Tracer>>,
    pub(crate) meters: Option<Meters>,
    /// By signal.
    pub(crate) dropped: Family<Labels, Counter>,
    exporter: Mutex<Option<Exporter>>,
}

/// The thread that exports.
struct Exporter {
    stop: CancellationToken,
    /// Resolves at the thread's end.
    ended: oneshot::Receiver<()>,
}

impl Telemetry {
    /// Begins to export where the settings say so. No collector is asked for anything yet.
    ///
    /// # Errors
    /// When a setting cannot be; the message names it.
    pub fn start(args: &TelemetryArgs, slug: &str, authorities: &Authorities) -> anyhow::Result<Self> {
        let sampler = Sampler::new(args.traces_sampler, &args.traces_sampler_arg)?;
        let resource = args.resource(slug)?;
        let mut telemetry = Self::default();
        let stop = CancellationToken::new();
        let mut work = Work { traces: None, metrics: None, stop: stop.clone() };
        if let Some(carrier) = telemetry.carrier(args, Signal::Traces, authorities)? {
            let size = |number: u32| number as usize;
            let (most, batch) =
                (size(args.otel_bsp_max_queue_size), size(args.otel_bsp_max_export_batch_size));
            let queue = Arc::new(Queue::new(most, batch, carrier.dropped.clone()));
            telemetry.tracer = Some(Arc::new(Tracer { queue: queue.clone(), sampler, scope: scope() }));
            let delay = args.otel_bsp_schedule_delay;
            work.traces = Some(export::Traces { queue, delay, resource: resource.clone(), carrier });
        }
        if let Some(carrier) = telemetry.carrier(args, Signal::Metrics, authorities)? {
            let (sender, exports) = mpsc::channel(WAITING_EXPORTS);
            let temporality = if args.delta() { Temporality::Delta } else { Temporality::Cumulative };
            let outlet = meters::Outlet { exports: sender, temporality, dropped: carrier.dropped.clone() };
            telemetry.meters = Some(Meters::new(outlet, args.otel_metric_export_interval, resource));
            work.metrics = Some(export::Metrics { exports, carrier });
        }
        if telemetry.is_on() {
            let ended = spawn(work).context("the thread that exports telemetry")?;
            *telemetry.exporter.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Exporter { stop, ended });
        }
        Ok(telemetry)
    }

    /// The same for a program whose metrics are scraped only.
    ///
    /// # Errors
    /// Those of [`Telemetry::start`].
    pub fn start_traces(args: &TelemetryArgs, slug: &str, authorities: &Authorities) -> anyhow::Result<Self> {
        let args = TelemetryArgs { metrics_exporter: args::Exporter::None, ..args.clone() };
        Self::start(&args, slug, authorities)
    }

    fn carrier(
        &self,
        args: &TelemetryArgs,
        signal: Signal,
        authorities: &Authorities,
    ) -> anyhow::Result<Option<Carrier>> {
        let Some(target) = args.target(signal)? else { return Ok(None) };
        let wire = Wire::new(target, authorities);
        let dropped = self.dropped.get_or_create_owned(&labels(signal));
        Ok(Some(Carrier { signal, wire, patience: args.otel_bsp_export_timeout, dropped, down: None }))
    }

    /// How many spans, and exports of metrics, no collector took; by signal, for those that are exported.
    #[must_use]
    pub fn dropped(&self) -> Vec<(&'static str, u64)> {
        [(Signal::Traces, self.tracer.is_some()), (Signal::Metrics, self.meters.is_some())]
            .into_iter()
            .filter(|(_, on)| *on)
            .map(|(signal, _)| (signal.name(), self.dropped.get_or_create_owned(&labels(signal)).get()))
            .collect()
    }

    fn is_on(&self) -> bool {
        self.tracer.is_some() || self.meters.is_some()
    }

    /// Exports what there is, for two seconds at most.
    pub async fn stop(&self) {
        let exporter = self.exporter.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Exporter { stop, ended }) = exporter else { return };
        if let Some(meters) = &self.meters
            && let Err(error) = meters.stop(FLUSH)
        {
            tracing::debug!("the last metrics could not be read: {error}");
        }
        stop.cancel();
        if tokio::time::timeout(FLUSH, ended).await.is_err() {
            tracing::warn!("telemetry could not be exported in time; the rest of it is lost");
        }
    }
}

fn spawn(work: Work) -> std::io::Result<oneshot::Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (sender, ended) = oneshot::channel();
    std::thread::Builder::new().name("telemetry".to_owned()).spawn(move || {
        runtime.block_on(work.run());
        // Nobody waits any more if the program has ended first.
        let _late = sender.send(());
    })?;
    Ok(ended)
}

fn labels(signal: Signal) -> Labels {
    vec![("signal", signal.name().to_owned())]
}

/// Who made the spans and metrics.
fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("gantry").with_version(crate::VERSION).build()
}
