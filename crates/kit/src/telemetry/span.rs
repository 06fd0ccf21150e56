//! One span while it is recorded: its attributes, and its end, which hands it to the queue and nothing more.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use opentelemetry::trace::{Link, SpanId, SpanKind, Status};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::context::Context;
use super::queue::Queue;
use super::sampler::Sampler;
use super::traceparent::Traceparent;

/// Room for the attributes that nearly all spans have.
const ATTRIBUTES: usize = 12;

/// Makes spans.
pub(crate) struct Tracer {
    pub(super) queue: Arc<Queue>,
    pub(super) sampler: Sampler,
    pub(super) scope: InstrumentationScope,
}

impl Tracer {
    /// The place of a new span below `parent`, and the span, if it is to be recorded.
    pub(crate) fn begin(
        self: &Arc<Self>,
        kind: SpanKind,
        name: impl FnOnce() -> Cow<'static, str>,
        parent: &Context,
    ) -> (Traceparent, Option<Span>) {
        let place = self.sampler.place(parent.place);
        let span = place.is_sampled().then(|| self.record(kind, name(), parent, place));
        (place, span)
    }

    fn record(
        self: &Arc<Self>,
        span_kind: SpanKind,
        name: Cow<'static, str>,
        parent: &Context,
        place: Traceparent,
    ) -> Span {
        let data = SpanData {
            span_context: parent.span_context(place, false),
            parent_span_id: parent.place.map_or(SpanId::INVALID, |parent| parent.span.into()),
            parent_span_is_remote: span_kind == SpanKind::Server,
            span_kind,
            name,
            start_time: SystemTime::now(),
            end_time: SystemTime::UNIX_EPOCH,
            attributes: Vec::with_capacity(ATTRIBUTES),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        };
        Span { tracer: self.clone(), data: Some(data), begun: Instant::now() }
    }
}

/// A span that is recorded; it ends when dropped.
pub(crate) struct Span {
    tracer: Arc<Tracer>,
    /// Until it ends.
    data: Option<SpanData>,
    begun: Instant,
}

impl Span {
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(data) = &mut self.data {
            data.attributes.push(KeyValue::new(name, value));
        }
    }

    /// Marks it as failed. No description: an error's message may repeat arguments.
    pub(crate) fn fail(&mut self, error_type: impl Into<Value>) {
        self.set(super::names::ERROR_TYPE, error_type);
        if let Some(data) = &mut self.data {
            data.status = Status::error("");
        }
    }

    pub(crate) fn link(&mut self, place: Traceparent) {
        if let Some(data) = &mut self.data {
            let context = Context::default().span_context(place, true);
            data.links.links.push(Link::with_context(context));
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(mut data) = self.data.take() {
            // The wall clock may have been set meanwhile.
            data.end_time = data.start_time + self.begun.elapsed();
            self.tracer.queue.push(data);
        }
    }
}
