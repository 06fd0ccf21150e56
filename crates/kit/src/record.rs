//! What is kept of a call: its count and duration, its span, its failure in the log, and its audit line if it
//! writes. A call that is dropped half-way leaves the same traces as one that ends.

use std::time::{Duration, Instant};

use rmcp::model::{CallToolResponse, JsonObject};

use crate::ask::DECLINED;
use crate::catalog::Entry;
use crate::dispatch::Failure;
use crate::metrics::InFlight;
use crate::telemetry::{Fault, Operation};
use crate::{Code, ToolError, audit};

/// The record of one call, open until the call ends or is dropped.
pub(crate) struct Record<'a, S> {
    entry: &'a Entry<S>,
    operation: Operation<'a>,
    /// Of the tool's methods, where it has several.
    method: Option<&'static str>,
    /// As JSON with secrets masked, for a tool that writes.
    arguments: Option<String>,
    started: Instant,
    in_flight: Option<InFlight<'a>>,
}

impl<'a, S> Record<'a, S> {
    pub(crate) fn open(
        entry: &'a Entry<S>,
        operation: Operation<'a>,
        arguments: Option<&JsonObject>,
    ) -> Self {
        let chosen = entry.methods.chosen(arguments);
        if let Some(chosen) = chosen {
            chosen.calls.inc();
        }
        let arguments = chosen.map_or(&entry.gate, |it| &it.gate).writes().then(|| {
            let masked = arguments.map(|it| audit::mask(it, &entry.secrets));
            serde_json::Value::from(masked.unwrap_or_default()).to_string()
        });
        let (method, in_flight) = (chosen.map(|it| it.name), Some(entry.metrics.begin()));
        Self { entry, operation, method, arguments, started: Instant::now(), in_flight }
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
        let fault = match result {
            Ok(CallToolResponse::Complete(result)) if result.is_error == Some(true) => {
                Some(Fault::Code("tool_error"))
            }
            Ok(_) => None,
            Err(Failure::Protocol(error)) => Some(Fault::Protocol(error.code.0)),
            Err(Failure::Tool(_) | Failure::Cancelled) => Some(Fault::Code(outcome)),
        };
        self.write(outcome, failure, fault);
    }

    fn write(&mut self, outcome: &str, failure: Option<&ToolError>, fault: Option<Fault>) {
        // Whoever comes second finds it written.
        let Some(in_flight) = self.in_flight.take() else { return };
        drop(in_flight);
        let took = self.started.elapsed();
        self.entry.metrics.end(took, self.method, failure.map(|error| error.code));
        self.operation.end(took, fault);
        if failure.is_none() && self.arguments.is_none() {
            return;
        }
        // The scope puts the call's tool, caller and trace on its lines.
        self.operation.scope.enter(|| {
            if let Some(error) = failure {
                log(error, self.method, took);
            }
            if let Some(arguments) = self.arguments.take() {
                let duration_ms = milliseconds(took);
                let method = self.method;
                tracing::info!(target: "audit", method, arguments_json = arguments, outcome, duration_ms, "tool called");
            }
        });
    }
}

fn log(error: &ToolError, method: Option<&str>, took: Duration) {
    let duration_ms = milliseconds(took);
    let (code, source) = (error.code.as_str(), error.source_chain());
    let message = &error.message;
    match error.code {
        Code::InternalError => {
            tracing::error!(duration_ms, method, code, source, "{message}");
        }
        Code::ServiceError | Code::TimeoutError => {
            tracing::warn!(duration_ms, method, code, source, "{message}");
        }
        Code::ValidationError
        | Code::AuthenticationError
        | Code::Forbidden
        | Code::NotFound
        | Code::RateLimited => {
            tracing::info!(duration_ms, method, code, source, "{message}");
        }
    }
}

const CANCELLED: &str = "cancelled";

impl<S> Drop for Record<'_, S> {
    fn drop(&mut self) {
        self.write(CANCELLED, None, Some(Fault::Code(CANCELLED)));
    }
}

fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}
