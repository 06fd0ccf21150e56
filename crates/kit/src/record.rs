//! What is kept of a call: its count and duration, its failure in the log, and its audit line if it writes. A call
//! that is dropped half-way leaves the same traces as one that ends.

use std::time::{Duration, Instant};

use rmcp::model::{CallToolResponse, JsonObject};

use crate::ask::DECLINED;
use crate::auth::Principal;
use crate::catalog::Entry;
use crate::dispatch::Failure;
use crate::metrics::InFlight;
use crate::{Code, ToolError, audit};

/// The record of one call, open until the call ends or is dropped.
pub(crate) struct Record<'a, S> {
    entry: &'a Entry<S>,
    caller: &'a Principal,
    trace: Option<String>,
    /// As JSON with secrets masked, for a tool that writes.
    arguments: Option<String>,
    started: Instant,
    in_flight: Option<InFlight<'a>>,
}

impl<'a, S> Record<'a, S> {
    pub(crate) fn open(
        entry: &'a Entry<S>,
        caller: &'a Principal,
        trace: Option<&str>,
        arguments: Option<&JsonObject>,
    ) -> Self {
        let arguments = entry.gate.writes.then(|| {
            let masked = arguments.map(|it| audit::mask(it, &entry.secrets));
            serde_json::Value::from(masked.unwrap_or_default()).to_string()
        });
        Self {
            entry,
            caller,
            trace: trace.map(str::to_owned),
            arguments,
            started: Instant::now(),
            in_flight: Some(entry.metrics.begin()),
        }
    }

    pub(crate) fn close(mut self, result: &Result<CallToolResponse, Failure>) {
        let outcome = match result {
            Ok(CallToolResponse::Complete(result)) if result.is_error == Some(true) => "failed",
            Ok(CallToolResponse::Complete(_)) => "ok",
            Ok(CallToolResponse::InputRequired(_)) => "asked back",
            Ok(CallToolResponse::Task(_)) => "task",
            Ok(_) => "other",
            Err(Failure::Tool(error)) if error.details.contains_key(DECLINED) => DECLINED,
            Err(Failure::Tool(error)) => error.code.as_str(),
            Err(Failure::Protocol(_)) => "protocol error",
            Err(Failure::Cancelled) => CANCELLED,
        };
        let failure = match result {
            Err(Failure::Tool(error)) => Some(error),
            _ => None,
        };
        self.write(outcome, failure);
    }

    fn write(&mut self, outcome: &str, failure: Option<&ToolError>) {
        // Whoever comes second finds it written.
        let Some(in_flight) = self.in_flight.take() else { return };
        drop(in_flight);
        let took = self.started.elapsed();
        self.entry.metrics.end(took, failure.map(|error| error.code));
        if let Some(error) = failure {
            self.log(error, took);
        }
        if let Some(arguments) = self.arguments.take() {
            tracing::info!(
                target: "audit",
                tool = &*self.entry.route.attr.name,
                principal = &*self.caller.name,
                trace_id = self.trace,
                arguments_json = arguments,
                outcome,
                duration_ms = milliseconds(took),
                "tool called"
            );
        }
    }

    fn log(&self, error: &ToolError, took: Duration) {
        let tool = &*self.entry.route.attr.name;
        let (principal, trace_id) = (&*self.caller.name, self.trace.as_deref());
        let duration_ms = milliseconds(took);
        let (code, source) = (error.code.as_str(), error.source_chain());
        let message = &error.message;
        match error.code {
            Code::InternalError => {
                tracing::error!(tool, principal, trace_id, duration_ms, code, source, "{message}");
            }
            Code::ServiceError | Code::TimeoutError => {
                tracing::warn!(tool, principal, trace_id, duration_ms, code, source, "{message}");
            }
            Code::ValidationError
            | Code::AuthenticationError
            | Code::Forbidden
            | Code::NotFound
            | Code::RateLimited => {
                tracing::info!(tool, principal, trace_id, duration_ms, code, source, "{message}");
            }
        }
    }
}

const CANCELLED: &str = "cancelled";

impl<S> Drop for Record<'_, S> {
    fn drop(&mut self) {
        self.write(CANCELLED, None);
    }
}

fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}
