//! Where a call stands in a trace: taken from MCP's `_meta` or from HTTP's headers, and put on upstream calls.

use std::str::FromStr;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use rmcp::model::RequestMetaObject;

use super::traceparent::{TRACEPARENT, TRACESTATE, Traceparent};

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
/// Longest baggage and state that are passed on, in bytes (W3C Baggage, 3.3.2); longer ones are left out.
const MAX_BYTES: usize = 8192;

/// A place in a trace, with what travels along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) place: Option<Traceparent>,
    /// Means nothing without its place.
    pub(crate) state: Option<HeaderValue>,
    pub(crate) baggage: Option<HeaderValue>,
}

/// What a request says of its trace.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// The caller's span.
    pub(crate) parent: Context,
    /// The span of the HTTP request that brought the call, where that is another.
    pub(crate) transport: Option<Traceparent>,
}

impl Incoming {
    /// The parent is what the MCP message says; the HTTP request that carried it counts where the message says
    /// nothing, and is linked to where it says something else (MCP conventions, Context propagation).
    pub(crate) fn of(meta: &RequestMetaObject, headers: Option<&HeaderMap>) -> Self {
        let carrier = headers.map(Context::of).unwrap_or_default();
        if meta.0.is_empty() {
            return Self { parent: carrier, transport: None };
        }
        let fields = &meta.0.0;
        let message = Context::read(|name| HeaderValue::from_str(fields.get(name.as_str())?.as_str()?).ok());
        match message.place {
            Some(_) => {
                let transport = carrier.place.filter(|it| Some(*it) != message.place);
                let baggage = message.baggage.or(carrier.baggage);
                Self { parent: Context { baggage, ..message }, transport }
            }
            None => {
                let baggage = message.baggage.or(carrier.baggage);
                Self { parent: Context { baggage, ..carrier }, transport: None }
            }
        }
    }
}

impl Context {
    fn read(field: impl Fn(&HeaderName) -> Option<HeaderValue>) -> Self {
        let place = field(&TRACEPARENT).and_then(|value| Traceparent::parse(value.as_bytes()));
        let bounded = |name: &HeaderName| field(name).filter(|value| value.len() <= MAX_BYTES);
        Self { place, state: place.and_then(|_| bounded(&TRACESTATE)), baggage: bounded(&BAGGAGE) }
    }

    /// That of HTTP headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self::read(|name| only(headers, name))
    }

    /// Takes the place of what there is in a request's headers; its baggage has come with them.
    pub(super) fn replace(&self, headers: &mut HeaderMap) {
        if self.state.is_none() {
            headers.remove(TRACESTATE);
        }
        self.inject(headers);
    }

    /// Puts itself on an upstream call.
    pub(crate) fn inject(&self, headers: &mut HeaderMap) {
        if let Some(place) = self.place {
            headers.insert(TRACEPARENT, place.header());
            if let Some(state) = &self.state {
                headers.insert(TRACESTATE, state.clone());
            }
        }
        if let Some(baggage) = &self.baggage {
            headers.insert(BAGGAGE, baggage.clone());
        }
    }

    /// The same as OpenTelemetry has it.
    pub(crate) fn span_context(&self, place: Traceparent, remote: bool) -> SpanContext {
        let state = self.state.as_ref().and_then(|value| TraceState::from_str(value.to_str().ok()?).ok());
        SpanContext::new(
            place.trace.into(),
            place.span.into(),
            TraceFlags::new(place.flags),
            remote,
            state.unwrap_or_default(),
        )
    }
}

/// A header that is there exactly once; of two, neither can be trusted.
fn only(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const META: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn incoming(meta: Value, headers: &[(&'static str, &'static str)]) -> Incoming {
        let meta: RequestMetaObject = serde_json::from_value(meta).expect("object");
        let mut map = HeaderMap::new();
        for &(name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Incoming::of(&meta, Some(&map))
    }

    fn place(text: &str) -> Option<Traceparent> {
        Traceparent::parse(text.as_bytes())
    }

    #[test]
    fn the_message_comes_before_the_request_that_carried_it() {
        let headers = [("traceparent", HEADER), ("tracestate", "h=1"), ("baggage", "a=h")];
        let both = incoming(json!({"traceparent": META, "tracestate": "m=1"}), &headers);
        assert_eq!((both.parent.place, both.transport), (place(META), place(HEADER)));
        assert_eq!(both.parent.state.expect("state"), "m=1");
        assert_eq!(both.parent.baggage.expect("baggage"), "a=h");

        let headers_only = incoming(json!({"io.example/x": 1}), &headers);
        assert_eq!((headers_only.parent.place, headers_only.transport), (place(HEADER), None));
        assert_eq!(headers_only.parent.state.expect("state"), "h=1");

        let same = incoming(json!({"traceparent": HEADER, "baggage": "a=m"}), &headers);
        assert_eq!((same.parent.place, same.transport), (place(HEADER), None));
        assert_eq!((same.parent.state, same.parent.baggage), (None, Some(HeaderValue::from_static("a=m"))));
    }

    #[test]
    fn what_cannot_be_is_left_out() {
        for meta in [json!({"traceparent": 7}), json!({"traceparent": "00-0-0-0", "tracestate": "a=1"})] {
            let incoming = incoming(meta, &[]);
            assert_eq!(incoming.parent, Context::default());
        }
        let twice =
            incoming(json!({}), &[("traceparent", HEADER), ("traceparent", META), ("tracestate", "a=1")]);
        assert_eq!(twice.parent, Context::default());
        let long = "a=".to_owned() + &"x".repeat(MAX_BYTES);
        assert_eq!(incoming(json!({"baggage": long}), &[]).parent.baggage, None);
    }

    #[test]
    fn goes_out_as_it_came() {
        let headers = [("traceparent", HEADER), ("tracestate", "v=1,w=2"), ("baggage", "a=b")];
        let mut sent = HeaderMap::new();
        incoming(json!({}), &headers).parent.inject(&mut sent);
        for (name, value) in headers {
            assert_eq!(sent[name], value);
        }
        sent.clear();
        Context::default().inject(&mut sent);
        assert!(sent.is_empty());
    }
}
