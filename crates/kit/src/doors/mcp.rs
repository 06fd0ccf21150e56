//! `/mcp`: Streamable HTTP for clients of every revision since 2025-03-26. rmcp speaks the protocol; this
//! door admits the caller, forgives what real clients get wrong, and gives errors a body clients can read.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::plain::PlainCall;
use super::sessions::FULL;
use crate::app::App;
use crate::service::Service;
use crate::{Code, ToolError};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const SESSION: &str = "mcp-session-id";
const METHOD: &str = "mcp-method";
const VERSION: &str = "mcp-protocol-version";
/// JSON-RPC: not JSON; not a request.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
/// Most requests in one batch of a 2025-03-26 client.
const MAX_BATCH: usize = 50;

pub(super) async fn serve<S: Service>(State(app): State<Arc<App<S>>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let principal = match app.admit(&mut parts) {
        Ok(principal) => principal,
        Err(refusal) => return refusal.into_response(),
    };
    let session = parts.headers.get(SESSION).and_then(|id| id.to_str().ok());
    if session.is_some_and(|id| !app.sessions.may_use(id, &principal.name)) {
        return protocol_error(StatusCode::NOT_FOUND, INVALID_REQUEST, "session not found");
    }
    let wants_events = tidy_accept(&mut parts);
    let endless = parts.headers.get(METHOD).is_some_and(|method| method == "subscriptions/listen");
    let body = match super::read(body, app.max_body_bytes).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    if let Some(call) = PlainCall::read(&app, &parts, &body) {
        return call.answer(&app, parts).await;
    }
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
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
    if !wants_events && !endless && is_events(response.headers()) {
        collapse(response).await
    } else {
        response
    }
}

async fn forward<S: Service>(app: &App<S>, parts: Parts, body: Bytes) -> Response {
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

fn is_events(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// Answers a batch, which only 2025-03-26 has: every request on its own, all responses in one array.
async fn batch<S: Service>(app: &App<S>, parts: Parts, body: &Bytes) -> Response {
    let version = parts.headers.get(VERSION).map(HeaderValue::as_bytes);
    if version.is_some_and(|version| version != b"2025-03-26") {
        let message = "batches were removed in 2025-06-18; send one message at a time";
        return protocol_error(StatusCode::BAD_REQUEST, INVALID_REQUEST, message);
    }
    let messages: Vec<Value> = match serde_json::from_slice(body) {
        Ok(messages) => messages,
        Err(error) => return parse_error(&error),
    };
    if messages.is_empty() || messages.len() > MAX_BATCH {
        let message = format!("a batch holds 1 to {MAX_BATCH} messages");
        return protocol_error(StatusCode::BAD_REQUEST, INVALID_REQUEST, &message);
    }
    // The id of a session goes into a header, and a batch has no header of its own.
    if messages.iter().any(|message| message["method"] == "initialize") {
        let message = "initialize cannot be part of a batch";
        return protocol_error(StatusCode::BAD_REQUEST, INVALID_REQUEST, message);
    }
    let answers = messages.iter().map(|message| {
        let parts = parts.clone();
        async move {
            let body = Bytes::from(message.to_string());
            let response = forward(app, parts, body.clone()).await;
            let failed = !response.status().is_success();
            messages_of(if failed { explain(response, &body).await } else { response }).await
        }
    });
    let answers: Vec<Value> = futures::future::join_all(answers).await.into_iter().flatten().collect();
    if answers.is_empty() {
        return StatusCode::ACCEPTED.into_response();
    }
    ([(CONTENT_TYPE, JSON)], Value::from(answers).to_string()).into_response()
}

/// Gives a client that reads only JSON the response alone, without what came before it.
async fn collapse(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let response = Response::from_parts(parts.clone(), body);
    let body = match messages_of(response).await.pop() {
        Some(message) => Body::from(message.to_string()),
        None => Body::empty(),
    };
    parts.headers.insert(CONTENT_TYPE, JSON);
    Response::from_parts(parts, body)
}

/// The JSON-RPC responses in an answer of either type.
async fn messages_of(response: Response) -> Vec<Value> {
    let events = is_events(response.headers());
    let Ok(body) = response.into_body().collect().await else { return vec![] };
    let body = body.to_bytes();
    if !events {
        return serde_json::from_slice(&body).into_iter().collect();
    }
    String::from_utf8_lossy(&body)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?).ok())
        .filter(|message| message.get("result").is_some() || message.get("error").is_some())
        .collect()
}

/// rmcp says some things in plain text only: give them a body that a client can read.
async fn explain(response: Response, request: &Bytes) -> Response {
    let status = response.status();
    let json =
        response.headers().get(CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"application/json"));
    if json {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = match body.collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(error) => error.to_string(),
    };
    if text.contains(FULL) {
        return ToolError::new(Code::RateLimited, FULL).with("retry_after", 60).into_response();
    }
    let mut answer = if status == StatusCode::UNSUPPORTED_MEDIA_TYPE
        && text.starts_with("fail to deserialize")
    {
        match serde_json::from_slice::<Value>(request) {
            Err(error) => parse_error(&error),
            Ok(_) => {
                protocol_error(StatusCode::BAD_REQUEST, INVALID_REQUEST, "not a JSON-RPC 2.0 message of MCP")
            }
        }
    } else {
        protocol_error(status, INVALID_REQUEST, &text)
    };
    if let Some(allow) = parts.headers.get(http::header::ALLOW) {
        answer.headers_mut().insert(http::header::ALLOW, allow.clone());
    }
    answer
}

fn parse_error(error: &serde_json::Error) -> Response {
    protocol_error(StatusCode::BAD_REQUEST, PARSE_ERROR, &format!("the body is not JSON: {error}"))
}

fn protocol_error(status: StatusCode, code: i32, message: &str) -> Response {
    let error = ToolError::new(Code::ValidationError, message);
    let body = json!({
        "jsonrpc": "2.0",
        "id": null,
        "error": {"code": code, "message": message, "data": error},
    });
    (status, [(CONTENT_TYPE, JSON)], body.to_string()).into_response()
}
