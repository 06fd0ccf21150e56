//! The call that the running code serves: what its log lines say of it, and the trace its upstream calls belong to.

use std::future::Future;
use std::sync::Arc;

use opentelemetry::trace::SpanKind;

use super::context::Context;
use super::span::{Span, Tracer};

tokio::task_local! {
    static CURRENT: Arc<Scope>;
}

/// What is known of a call while it is served.
pub(crate) struct Scope {
    pub(crate) tool: Option<Arc<str>>,
    /// The method of MCP.
    pub(crate) function: &'static str,
    pub(crate) principal: Arc<str>,
    /// Where upstream calls belong.
    pub(crate) context: Context,
    /// There if the call is recorded.
    pub(crate) tracer: Option<Arc<Tracer>>,
}

impl Scope {
    /// A call that nothing but its lines is seen of.
    #[cfg(test)]
    pub(crate) fn of_test(tool: &str, principal: &str, traceparent: &str) -> Arc<Self> {
        let place = super::Traceparent::parse(traceparent.as_bytes());
        let context = Context { place, ..Context::default() };
        Arc::new(Self {
            tool: Some(tool.into()),
            function: "tools/call",
            principal: principal.into(),
            context,
            tracer: None,
        })
    }

    /// Runs work in this scope.
    pub(crate) fn run<F: Future>(self: &Arc<Self>, work: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.clone(), work)
    }

    /// The same for what does not wait.
    pub(crate) fn enter<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), work)
    }

    /// Reads the scope of the running code, if it serves a call.
    pub(crate) fn read<T>(read: impl FnOnce(&Arc<Self>) -> T) -> Option<T> {
        CURRENT.try_with(read).ok()
    }

    /// The trace it belongs to, as logs write it.
    pub(crate) fn trace_id(&self) -> Option<String> {
        self.context.place.map(|place| format!("{:032x}", place.trace))
    }

    /// A span below this call's, and its context; no span where the call is not recorded.
    pub(crate) fn child(&self, kind: SpanKind, name: impl FnOnce() -> String) -> (Context, Option<Span>) {
        let Some(tracer) = &self.tracer else { return (self.context.clone(), None) };
        let (place, span) = tracer.begin(kind, || name().into(), &self.context);
        (Context { place: Some(place), ..self.context.clone() }, span)
    }
}

/// Carries the scope of the running code over to work that another task does.
pub fn carry<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    let scope = Scope::read(Arc::clone);
    async move {
        match scope {
            Some(scope) => scope.run(work).await,
            None => work.await,
        }
    }
}
