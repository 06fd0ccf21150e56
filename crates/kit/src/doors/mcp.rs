//! `/mcp`: Streamable HTTP for clients of every revision since 2025-03-26. rmcp speaks the protocol; this
//! door admits the caller and forgives what real clients get wrong.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::ACCEPT;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::Full;

use super::answers::{INVALID_REQUEST, collapse, explain, is_events, protocol_error};
use super::batch::batch;
use super::plain::PlainCall;
use tokio_util::sync::DropGuard;

use crate::app::App;
use crate::ask::Mute;
use crate::service::Service;

const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const SESSION: &str = "mcp-session-id";
const METHOD: &str = "mcp-method";

pub(super) async fn serve<S: Service>(State(app): State<Arc<App<S>>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let principal = match app.admit(&mut parts).await {
        Ok(principal) => principal,
        Err(refusal) => return refusal.into_response(),
    };
    let closed = match parts.headers.get(SESSION).and_then(|id| id.to_str().ok()) {
        Some(id) => match app.sessions.enter(id, &principal.name) {
            Some(closed) => Some(closed),
            None => return protocol_error(StatusCode::NOT_FOUND, INVALID_REQUEST, "session not found", b""),
        },
        None => None,
    };
    let left = closed.map(|closed| {
        parts.extensions.insert(closed.clone());
        closed.0.drop_guard()
    });
    let body = match super::read(body, app.max_body_bytes).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    if let Some(call) = PlainCall::read(&app, &parts, &body) {
        return call.answer(&app, parts).await;
    }
    let wants_events = tidy_accept(&mut parts);
    let endless = parts.headers.get(METHOD).is_some_and(|method| method == "subscriptions/listen");
    let is_batch = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_batch || !wants_events {
        parts.extensions.insert(Mute);
    }
    if is_batch {
        return batch(&app, parts, &body).await;
    }
    let closes = parts.method == Method::DELETE;
    let mut response = forward(&app, parts, body.clone()).await;
    if closes && response.status() == StatusCode::ACCEPTED {
        // The session is gone by now; clients take 202 for a failure.
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    if let Some(id) = response.headers().get(SESSION).and_then(|id| id.to_str().ok()) {
        app.sessions.own(id, &principal.name);
    }
    if !response.status().is_success() {
        return explain(response, &body).await;
    }
    if is_events(response.headers()) && (wants_events || endless) {
        // A client that lost this stream may come back for the answer: only the session's end cancels the call.
        left.map(DropGuard::disarm);
        return response;
    }
    if is_events(response.headers()) { collapse(response, &body).await } else { response }
}

/// Hands a request to rmcp.
pub(super) async fn forward<S: Service>(app: &App<S>, parts: Parts, body: Bytes) -> Response {
    app.streamable.handle(Request::from_parts(parts, Full::new(body))).await.map(Body::new)
}

/// Clients leave out one of the two types the protocol has them accept; rmcp would answer 406. Returns
/// whether the client can read an event stream.
fn tidy_accept(parts: &mut Parts) -> bool {
    let accept = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    let wants_events = accept.contains("text/event-stream") || accept.contains("*/*");
    if parts.method == Method::POST || wants_events {
        parts.headers.insert(ACCEPT, BOTH);
    }
    wants_events
}
