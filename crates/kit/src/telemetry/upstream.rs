//! A call to an upstream over HTTP: its client span, and the trace context it takes along.

use http::{HeaderMap, Method, StatusCode};
use opentelemetry::trace::SpanKind;

use super::names::*;
use super::scope::Scope;
use super::span::Span;
use crate::Code;

/// An upstream call in flight. It ends when dropped; without an answer, it was given up.
pub struct UpstreamCall {
    span: Option<Span>,
    answered: bool,
}

impl UpstreamCall {
    /// Begins a call on behalf of what the running code serves, if it serves a call. No path and no query is
    /// recorded: both may hold what is secret.
    pub fn begin(method: &Method, host: Option<&str>, port: Option<u16>, headers: &mut HeaderMap) -> Self {
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
        Self { span: span.flatten(), answered: false }
    }

    /// The upstream answered.
    pub fn answered(mut self, status: StatusCode) {
        self.answered = true;
        if let Some(span) = &mut self.span {
            span.set(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
            if status.is_client_error() || status.is_server_error() {
                span.fail(status.as_u16().to_string());
            }
        }
    }

    /// It did not.
    pub fn failed(mut self, code: Code) {
        self.answered = true;
        if let Some(span) = &mut self.span {
            span.fail(code.as_str());
        }
    }
}

impl Drop for UpstreamCall {
    fn drop(&mut self) {
        if let Some(span) = self.span.as_mut().filter(|_| !self.answered) {
            span.fail("cancelled");
        }
    }
}
