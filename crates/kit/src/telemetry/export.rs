//! What carries telemetry out: a thread of its own, so that neither a slow collector nor a dead one is felt by a
//! call. What it cannot deliver in time is dropped and counted; the log is told when that begins and when it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use prometheus_client::metrics::counter::Counter;
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::plan::Signal;
use super::queue::Queue;
use super::wire::{Failure, Wire, encoded};

/// The pause after a failure, doubled each time up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The thread's work.
pub(super) struct Work {
    pub(super) traces: Option<Traces>,
    pub(super) metrics: Option<Metrics>,
    /// Cancelled when what is there should be sent at once, and then no more.
    pub(super) stop: CancellationToken,
}

/// Spans on their way out.
pub(super) struct Traces {
    pub(super) queue: Arc<Queue>,
    pub(super) delay: Duration,
    pub(super) resource: Resource,
    pub(super) carrier: Carrier,
}

/// Metrics on their way out, already encoded.
pub(super) struct Metrics {
    pub(super) exports: mpsc::Receiver<Bytes>,
    pub(super) carrier: Carrier,
}

impl Work {
    /// Runs until told to stop.
    pub(super) async fn run(self) {
        let Self { traces, metrics, stop } = self;
        let traces = async {
            if let Some(traces) = traces {
                traces.run(&stop).await;
            }
        };
        let metrics = async {
            if let Some(metrics) = metrics {
                metrics.run(&stop).await;
            }
        };
        tokio::join!(traces, metrics);
    }
}

impl Traces {
    async fn run(mut self, stop: &CancellationToken) {
        let resource = ResourceAttributesWithSchema::from(&self.resource);
        while !stop.is_cancelled() {
            tokio::select! {
                _ = timeout(self.delay, self.queue.full_batch()) => {}
                () = stop.cancelled() => {}
            }
            loop {
                let batch = self.queue.take();
                let count = batch.len();
                if count == 0 {
                    break;
                }
                let request = ExportTraceServiceRequest {
                    resource_spans: group_spans_by_resource_and_scope(batch, &resource),
                };
                let rejected = |answer: Bytes| {
                    ExportTraceServiceResponse::decode(answer)
                        .ok()?
                        .partial_success
                        .map(|it| it.rejected_spans)
                };
                self.carrier.deliver(encoded(&request), count, rejected, stop).await;
                if !stop.is_cancelled() && count < self.queue.batch() {
                    break;
                }
            }
        }
    }
}

impl Metrics {
    async fn run(mut self, stop: &CancellationToken) {
        loop {
            let export = tokio::select! {
                biased;
                export = self.exports.recv() => export,
                () = stop.cancelled() => self.exports.try_recv().ok(),
            };
            let Some(export) = export else { return };
            let rejected = |answer: Bytes| {
                let answer = ExportMetricsServiceResponse::decode(answer).ok()?;
                answer.partial_success.map(|it| i64::from(it.rejected_data_points > 0))
            };
            self.carrier.deliver(export, 1, rejected, stop).await;
        }
    }
}

/// Delivers one signal, and remembers how the last delivery went.
pub(super) struct Carrier {
    pub(super) signal: Signal,
    pub(super) wire: Wire,
    /// How long one batch is offered.
    pub(super) patience: Duration,
    pub(super) dropped: Counter,
    /// What the log was told last; nothing yet is like success.
    pub(super) down: Option<String>,
}

impl Carrier {
    /// Offers a batch of `count` until it is taken, refused for good, or too old.
    async fn deliver(
        &mut self,
        body: Bytes,
        count: usize,
        rejected: impl Fn(Bytes) -> Option<i64>,
        stop: &CancellationToken,
    ) {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.wire.send(body.clone()).await {
                Ok(answer) => {
                    let lost = rejected(answer).and_then(|lost| u64::try_from(lost).ok()).unwrap_or_default();
                    self.dropped.inc_by(lost.min(count as u64));
                    return self.tell_up();
                }
                Err(failure) => failure,
            };
            self.tell_down(&failure);
            let rest = failure.pause.unwrap_or(pause);
            if !failure.passes || begun.elapsed() + rest > self.patience {
                break;
            }
            tokio::select! {
                () = sleep(rest) => {}
                () = stop.cancelled() => break,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.dropped.inc_by(count as u64);
    }

    /// Once per change: a log full of the collector's trouble would be a second one.
    fn tell_down(&mut self, failure: &Failure) {
        if self.down.as_ref() == Some(&failure.reason) {
            return;
        }
        let (signal, collector) = (self.signal.name(), self.wire.name());
        if self.down.is_none() {
            tracing::warn!(
                signal,
                collector,
                reason = failure.reason,
                "telemetry does not reach its collector"
            );
        } else {
            tracing::debug!(
                signal,
                collector,
                reason = failure.reason,
                "telemetry still does not reach its collector"
            );
        }
        self.down = Some(failure.reason.clone());
    }

    fn tell_up(&mut self) {
        if self.down.take().is_some() {
            let (signal, collector, dropped) = (self.signal.name(), self.wire.name(), self.dropped.get());
            tracing::info!(signal, collector, dropped, "telemetry reaches its collector again");
        }
    }
}
