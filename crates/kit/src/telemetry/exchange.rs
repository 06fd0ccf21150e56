//! One HTTP exchange as a span: a call to an upstream, or a request that is passed on, with the trace context that
//! goes along. No path and no query is recorded: both may hold what is secret.

use http::{HeaderMap, Method, StatusCode};
use opentelemetry::trace::SpanKind;

use super::Telemetry;
use super::context::Context;
use super::names::*;
use super::scope::Scope;
use super::span::Span;
use crate::Code;

/// An exchange in flight. One that is dropped without an answer was given up.
#[derive(Default)]
pub struct Exchange {
    /// Boxed, as it moves about with its request.
    span: Option<Box<Span>>,
    /// An answer that blames the asker is a failure to it, and none to who is asked.
    asks: bool,
}

impl Exchange {
    /// Begins a call on behalf of what the running code serves, if it serves a call; `headers` are the call's.
    pub fn upstream(method: &Method, host: Option<&str>, port: Option<u16>, headers: &mut HeaderMap) -> Self {
        let span = Scope::read(|scope| {
            let (context, mut span) = scope.child(SpanKind::Client, || method.to_string());
            context.inject(headers);
            if let Some(span) = &mut span {
                span.set(HTTP_REQUEST_METHOD, method.to_string());
                host.into_iter().for_each(|host| span.set(SERVER_ADDRESS, host.to_owned()));
                port.into_iter().for_each(|port| span.set(SERVER_PORT, i64::from(port)));
            }
            span
        });
        Self { span: span.flatten().map(Box::new), asks: true }
    }

    /// There is an answer.
    pub fn answered(mut self, status: StatusCode) {
        let Some(mut span) = self.span.take() else { return };
        span.set(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
        if status.is_server_error() || (self.asks && status.is_client_error()) {
            span.fail(status.as_u16().to_string());
        }
    }

    /// There will be none.
    pub fn failed(mut self, code: Code) {
        if let Some(mut span) = self.span.take() {
            span.fail(code.as_str());
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(span) = &mut self.span {
            span.fail("cancelled");
        }
    }
}

impl Telemetry {
    /// Begins to pass a request on: its headers' trace goes on below a span of ours. `None` where no traces are
    /// exported, and the headers are left as they are. `route` says which requests are alike, as `/{slug}/*`.
    #[must_use]
    pub fn hop(
        &self,
        method: &Method,
        route: impl FnOnce() -> String,
        headers: &mut HeaderMap,
    ) -> Option<Exchange> {
        let tracer = self.tracer.as_ref()?;
        let parent = Context::of(headers);
        let route = route();
        let (place, mut span) =
            tracer.begin(SpanKind::Server, || format!("{method} {route}").into(), &parent);
        Context { place: Some(place), ..parent }.replace(headers);
        if let Some(span) = &mut span {
            span.set(HTTP_REQUEST_METHOD, method.to_string());
            span.set(HTTP_ROUTE, route);
        }
        Some(Exchange { span: span.map(Box::new), asks: false })
    }
}
