//! One MCP request as telemetry sees it: its server span, its duration, and the scope of the code that serves it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use opentelemetry::trace::SpanKind;
use opentelemetry::{KeyValue, StringValue};
use rmcp::model::{ProtocolVersion, RequestId};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};

use super::Telemetry;
use super::context::{Context, Incoming};
use super::names::*;
use super::scope::Scope;
use super::span::Span;
use crate::auth::Principal;

/// Longest name or id of a client's own choosing that is recorded, in bytes: the queue of spans is bounded by their
/// number.
const MAX_CHOSEN: usize = 128;

/// What a request asks for.
#[derive(Clone)]
pub(crate) enum Target {
    Tool(Arc<str>),
    Prompt(Arc<str>),
    None,
}

/// A request that is being served.
pub(crate) struct Operation<'a> {
    telemetry: &'a Telemetry,
    pub(crate) scope: Arc<Scope>,
    span: Option<Span>,
    method: &'static str,
    target: Target,
    carrier: Carrier,
}

/// How the request came.
#[derive(Clone, Copy, Default)]
struct Carrier {
    http: Option<&'static str>,
    revision: Option<&'static str>,
}

/// How a request that failed did so.
pub(crate) enum Fault {
    /// By one of our codes, or a word as short.
    Code(&'static str),
    /// By JSON-RPC's code.
    Protocol(i32),
}

impl Telemetry {
    /// Begins to serve a request.
    pub(crate) fn begin(
        &self,
        method: &'static str,
        target: Target,
        principal: &Principal,
        request: &RequestContext<RoleServer>,
    ) -> Operation<'_> {
        let parts = request.extensions.get::<Parts>();
        let incoming = Incoming::of(&request.meta, parts.map(|it| &it.headers));
        let carrier = match self.is_on() {
            true => Carrier::of(parts, request),
            false => Carrier::default(),
        };
        let Incoming { parent, transport } = incoming;
        let (context, mut span) = match &self.tracer {
            Some(tracer) => {
                let (place, span) = tracer.begin(SpanKind::Server, || target.span_name(method), &parent);
                (Context { place: Some(place), ..parent }, span)
            }
            None => (parent, None),
        };
        if let Some(span) = &mut span {
            describe(span, method, &target, carrier, parts, request);
            transport.into_iter().for_each(|place| span.link(place));
        }
        let scope = Scope {
            tool: target.tool(),
            function: method,
            principal: principal.name.clone(),
            context,
            tracer: self.tracer.as_ref().filter(|_| span.is_some()).cloned(),
        };
        Operation { telemetry: self, scope: Arc::new(scope), span, method, target, carrier }
    }
}

impl Operation<'_> {
    /// Does the work of a request in its scope, and ends it by what came of it.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) async fn serve<R>(
        mut self,
        work: impl Future<Output = Result<R, ErrorData>>,
    ) -> Result<R, ErrorData> {
        let begun = Instant::now();
        let result = self.scope.run(work).await;
        self.end(begun.elapsed(), result.as_ref().err().map(|error| Fault::Protocol(error.code.0)));
        result
    }

    /// Ends it.
    pub(crate) fn end(&mut self, took: Duration, fault: Option<Fault>) {
        if let Some(meters) = &self.telemetry.meters {
            self.measure(meters, took, fault.as_ref());
        }
        if let Some(mut span) = self.span.take()
            && let Some(fault) = fault
        {
            if let Fault::Protocol(code) = fault {
                span.set(RPC_RESPONSE_STATUS_CODE, code.to_string());
            }
            span.fail(fault.name());
        }
    }

    /// The same order each time: the SDK finds a series quickest by attributes in an order it has seen.
    fn measure(&self, meters: &super::Meters, took: Duration, fault: Option<&Fault>) {
        let mut attributes = Vec::with_capacity(8);
        attributes.push(KeyValue::new(MCP_METHOD_NAME, self.method));
        if let Target::Tool(tool) = &self.target {
            attributes.push(KeyValue::new(GEN_AI_OPERATION_NAME, EXECUTE_TOOL));
            attributes.push(KeyValue::new(GEN_AI_TOOL_NAME, tool.clone()));
        }
        self.carrier.each(|name, value| attributes.push(KeyValue::new(name, value)));
        if let Some(fault) = fault {
            attributes.push(KeyValue::new(ERROR_TYPE, fault.name()));
        }
        meters.operation(took, &attributes);
    }
}

impl Target {
    /// A prompt, under the name that the client gives it, whether there is one or not.
    pub(crate) fn prompt(name: &str) -> Self {
        if name.len() <= MAX_CHOSEN { Self::Prompt(name.into()) } else { Self::None }
    }

    fn span_name(&self, method: &'static str) -> Cow<'static, str> {
        match self {
            Self::Tool(name) | Self::Prompt(name) => [method, " ", name].concat().into(),
            Self::None => method.into(),
        }
    }

    fn tool(&self) -> Option<Arc<str>> {
        match self {
            Self::Tool(name) => Some(name.clone()),
            Self::Prompt(_) | Self::None => None,
        }
    }
}

impl Fault {
    fn name(&self) -> StringValue {
        match self {
            Self::Code(code) => StringValue::from(*code),
            Self::Protocol(code) => StringValue::from(code.to_string()),
        }
    }
}

impl Carrier {
    fn of(parts: Option<&Parts>, request: &RequestContext<RoleServer>) -> Self {
        Self {
            http: parts.map(|parts| if parts.version == http::Version::HTTP_2 { "2" } else { "1.1" }),
            revision: parts.is_none_or(speaks_mcp).then(|| revision(parts, request)).flatten(),
        }
    }

    fn each(self, mut put: impl FnMut(&'static str, &'static str)) {
        put(NETWORK_TRANSPORT, if self.http.is_some() { "tcp" } else { "pipe" });
        if let Some(version) = self.http {
            put(NETWORK_PROTOCOL_NAME, "http");
            put(NETWORK_PROTOCOL_VERSION, version);
        }
        if let Some(revision) = self.revision {
            put(MCP_PROTOCOL_VERSION, revision);
        }
    }
}

fn describe(
    span: &mut Span,
    method: &'static str,
    target: &Target,
    carrier: Carrier,
    parts: Option<&Parts>,
    request: &RequestContext<RoleServer>,
) {
    span.set(MCP_METHOD_NAME, method);
    match target {
        Target::Tool(name) => {
            span.set(GEN_AI_OPERATION_NAME, EXECUTE_TOOL);
            span.set(GEN_AI_TOOL_NAME, name.clone());
        }
        Target::Prompt(name) => span.set(GEN_AI_PROMPT_NAME, name.clone()),
        Target::None => {}
    }
    carrier.each(|name, value| span.set(name, value));
    if parts.is_none_or(speaks_mcp) {
        match &request.id {
            RequestId::Number(number) => span.set(JSONRPC_REQUEST_ID, number.to_string()),
            RequestId::String(id) if id.len() <= MAX_CHOSEN => span.set(JSONRPC_REQUEST_ID, id.clone()),
            RequestId::String(_) => {}
        }
    }
    let session = parts.and_then(|parts| parts.headers.get("mcp-session-id")?.to_str().ok());
    if let Some(session) = session.filter(|id| id.len() <= MAX_CHOSEN) {
        span.set(MCP_SESSION_ID, session.to_owned());
    }
}

/// REST and gRPC call the same tools without MCP's ids and revisions.
fn speaks_mcp(parts: &Parts) -> bool {
    matches!(parts.uri.path(), "/mcp" | "/messages")
}

/// The revision in use, of those there are: an attribute must not hold whatever a client sends.
fn revision(parts: Option<&Parts>, request: &RequestContext<RoleServer>) -> Option<&'static str> {
    let header = parts.and_then(|parts| parts.headers.get("mcp-protocol-version")?.to_str().ok());
    let known = |said: &str| ProtocolVersion::KNOWN_VERSIONS.iter().find(|it| it.as_str() == said);
    match header {
        Some(said) => known(said),
        None => known(request.protocol_version()?.as_str()),
    }
    .map(ProtocolVersion::as_str)
}

#[cfg(test)]
mod tests {
    use super::super::queue::Queue;
    use super::super::span::Tracer;
    use super::super::{Sampler, scope};
    use super::*;
    use crate::doors::direct::nobody;

    #[tokio::test]
    async fn no_span_grows_with_what_a_client_sends() {
        let queue = Arc::new(Queue::new(1, 1, Default::default()));
        let tracer = Arc::new(Tracer { queue: queue.clone(), sampler: Sampler::all(), scope: scope() });
        let long = "x".repeat(100_000);
        let request = http::Request::get("/mcp").header("mcp-session-id", &long).body(()).expect("request");
        let (parts, ()) = request.into_parts();
        let context = RequestContext::new(RequestId::String(long.as_str().into()), nobody());
        let target = Target::prompt(&long);
        let name = || target.span_name("prompts/get");
        let (_, span) = tracer.begin(SpanKind::Server, name, &Context::default());
        let mut span = span.expect("recorded");
        describe(&mut span, "prompts/get", &target, Carrier::default(), Some(&parts), &context);
        drop(span);
        let span = queue.take().remove(0);
        assert!(format!("{span:?}").len() < 5_000, "{} attributes", span.attributes.len());
    }
}
