//! Answers of rmcp made readable: a body for its plain texts, one JSON object instead of a stream.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::sessions::FULL;
use crate::{Code, ToolError};

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// JSON-RPC: not JSON; not a request; a fault of ours.
const PARSE_ERROR: i32 = -32700;
pub(super) const INVALID_REQUEST: i32 = -32600;
const INTERNAL_ERROR: i32 = -32603;

/// Whether an answer is an event stream.
pub(super) fn is_events(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// Gives a client that reads only JSON the response alone, without what came before it.
pub(super) async fn collapse(response: Response, request: &[u8]) -> Response {
    let (mut parts, body) = response.into_parts();
    let response = Response::from_parts(parts.clone(), body);
    let message = messages_of(response).await.pop();
    if message.is_none() {
        parts.status = StatusCode::INTERNAL_SERVER_ERROR;
    }
    parts.headers.insert(CONTENT_TYPE, JSON);
    Response::from_parts(parts, Body::from(message.unwrap_or_else(|| unanswered(request)).to_string()))
}

/// The JSON-RPC responses in an answer of either type.
pub(super) async fn messages_of(response: Response) -> Vec<Value> {
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
pub(super) async fn explain(response: Response, request: &[u8]) -> Response {
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
    let mut answer =
        if status == StatusCode::UNSUPPORTED_MEDIA_TYPE && text.starts_with("fail to deserialize") {
            match serde_json::from_slice::<Value>(request) {
                Err(error) => parse_error(&error),
                Ok(_) => protocol_error(
                    StatusCode::BAD_REQUEST,
                    INVALID_REQUEST,
                    "not a JSON-RPC 2.0 message of MCP",
                    request,
                ),
            }
        } else {
            protocol_error(status, INVALID_REQUEST, &text, request)
        };
    if let Some(allow) = parts.headers.get(http::header::ALLOW) {
        answer.headers_mut().insert(http::header::ALLOW, allow.clone());
    }
    answer
}

/// The error for a body that is not JSON.
pub(super) fn parse_error(error: &serde_json::Error) -> Response {
    protocol_error(StatusCode::BAD_REQUEST, PARSE_ERROR, &format!("the body is not JSON: {error}"), b"")
}

/// An error of JSON-RPC, with our error object as its data and the id of the request where there is one.
pub(super) fn protocol_error(status: StatusCode, code: i32, message: &str, request: &[u8]) -> Response {
    (status, [(CONTENT_TYPE, JSON)], error(status, code, message, request).to_string()).into_response()
}

/// The answer to a request whose stream ended without one.
pub(super) fn unanswered(request: &[u8]) -> Value {
    let message = "the call ended without a result";
    error(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL_ERROR, message, request)
}

fn error(status: StatusCode, code: i32, message: &str, request: &[u8]) -> Value {
    let kind = match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        status if status.is_server_error() => Code::InternalError,
        _ => Code::ValidationError,
    };
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    // Only what MCP knows as an id: a fraction might be another number when it is written again.
    let id = request.get("id").filter(|id| id.is_string() || id.is_i64() || id.is_u64());
    let data = ToolError::new(kind, message);
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, "data": data}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_id_of_its_request_if_that_is_one() {
        let id = |request: &str| {
            error(StatusCode::BAD_REQUEST, INVALID_REQUEST, "no", request.as_bytes())["id"].clone()
        };
        for (request, expected) in [
            (r#"{"id": "a"}"#, json!("a")),
            (r#"{"id": 18446744073709551615}"#, json!(u64::MAX)),
            (r#"{"id": 0.1}"#, Value::Null),
            (r#"{"id": 222222222222222222222222222}"#, Value::Null),
            (r#"{"id": {}}"#, Value::Null),
            ("[", Value::Null),
        ] {
            assert_eq!(id(request), expected, "{request}");
        }
    }
}
