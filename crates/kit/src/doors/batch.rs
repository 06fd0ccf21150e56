//! Batches, which only 2025-03-26 has: every request on its own, all responses in one array.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::Value;

use super::answers::{INVALID_REQUEST, JSON, explain, messages_of, parse_error, protocol_error, unanswered};
use super::mcp::forward;
use crate::app::App;
use crate::service::Service;

const VERSION: &str = "mcp-protocol-version";
/// Most requests in one batch.
const MAX_BATCH: usize = 50;

/// Answers a batch.
pub(super) async fn batch<S: Service>(app: &App<S>, parts: Parts, body: &Bytes) -> Response {
    let version = parts.headers.get(VERSION).map(HeaderValue::as_bytes);
    if version.is_some_and(|version| version != b"2025-03-26") {
        let message = "batches were removed in 2025-06-18; send one message at a time";
        return protocol_error(StatusCode::BAD_REQUEST, INVALID_REQUEST, message, b"");
    }
    let messages: Vec<Value> = match serde_json::from_slice(body) {
        Ok(messages) => messages,
        Err(error) => return parse_error(&error),
    };
    if messages.is_empty() || messages.len() > MAX_BATCH {
        let message = format!("a batch holds 1 to {MAX_BATCH} messages");
        return protocol_error(StatusCode::BAD_REQUEST, INVALID_REQUEST, &message, b"");
    }
    // The id of a session goes into a header, and a batch has no header of its own.
    if messages.iter().any(|message| message["method"] == "initialize") {
        let message = "initialize cannot be part of a batch";
        return protocol_error(StatusCode::BAD_REQUEST, INVALID_REQUEST, message, b"");
    }
    let mut ids: Vec<String> = messages.iter().filter_map(|it| it.get("id")).map(Value::to_string).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        let message = "two messages of the batch have the same id";
        return protocol_error(StatusCode::BAD_REQUEST, INVALID_REQUEST, message, b"");
    }
    let answers = messages.iter().map(|message| single(app, parts.clone(), message));
    let answers: Vec<Value> = futures::future::join_all(answers).await.into_iter().flatten().collect();
    if answers.is_empty() {
        return StatusCode::ACCEPTED.into_response();
    }
    ([(CONTENT_TYPE, JSON)], Value::from(answers).to_string()).into_response()
}

/// The answers to one message; a request has at least one.
async fn single<S: Service>(app: &App<S>, parts: Parts, message: &Value) -> Vec<Value> {
    let body = Bytes::from(message.to_string());
    let response = forward(app, parts, body.clone()).await;
    let failed = !response.status().is_success();
    let answers = messages_of(if failed { explain(response, &body).await } else { response }).await;
    let is_request = message.get("id").is_some() && message.get("method").is_some();
    if answers.is_empty() && is_request { vec![unanswered(&body)] } else { answers }
}
