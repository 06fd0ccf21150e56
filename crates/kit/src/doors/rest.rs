//! REST: `GET /tools`, `POST /tools/{name}` and the page to read and try them. A call takes the same way as
//! over MCP, through the same handler.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::request::Parts;
use rmcp::ErrorData;
use rmcp::model::{CallToolRequestParams, CallToolResult, NumberOrString, RequestMetaObject, ServerResult};
use serde_json::{Map, Value, json};

use super::outcome::outcome;
use crate::app::{Admitted, App};
use crate::service::Service;
use crate::structure;
use crate::text::clip;
use crate::{Code, ToolError};

/// The page runs its own script and talks to its own server, nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                           connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

/// The tool's name in the path; one that is not UTF-8 is no tool's.
pub(super) struct Name(String);

impl<T: Send + Sync> FromRequestParts<T> for Name {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, Infallible> {
        Ok(Self(Path::from_request_parts(parts, state).await.map(|Path(name)| name).unwrap_or_default()))
    }
}

/// The page itself holds nothing but the server's name, and a browser cannot send a key for it: it asks its
/// reader for one and sends that with everything it shows.
pub(super) async fn docs<S: Service>(State(app): State<Arc<App<S>>>, request: Request) -> Response {
    if let Err(error) = app.guard.check(request.uri(), request.headers()) {
        return error.into_response();
    }
    let page = include_str!("docs.html").replace("{{slug}}", S::SLUG).replace("{{about}}", S::ABOUT);
    ([(CONTENT_SECURITY_POLICY, PAGE_POLICY)], Html(page)).into_response()
}

pub(super) async fn list<S: Service>(State(app): State<Arc<App<S>>>, caller: Admitted) -> Json<Value> {
    Json(json!({"tools": app.dispatch.catalog.tools(caller.0.role)}))
}

/// One tool's definition; an alias that changes nothing is called, as the earlier servers had it.
pub(super) async fn show<S: Service>(
    State(app): State<Arc<App<S>>>,
    Name(name): Name,
    request: Request,
) -> Response {
    let is_call = app.dispatch.catalog.get(&name).is_some_and(|entry| !entry.listed && !entry.gate.writes());
    if is_call && request.method() == Method::GET {
        return call(State(app), Name(name), request).await;
    }
    let (mut parts, _) = request.into_parts();
    let caller = match app.admit(&mut parts).await {
        Ok(principal) => principal,
        Err(refusal) => return refusal.into_response(),
    };
    match app.dispatch.catalog.get(&name) {
        Some(entry) if entry.gate.shows(caller.role) => Json(entry.definition(caller.role)).into_response(),
        _ => unknown(&name).into_response(),
    }
}

pub(super) async fn call<S: Service>(
    State(app): State<Arc<App<S>>>,
    Name(name): Name,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Err(refusal) = app.admit(&mut parts).await {
        return refusal.into_response();
    }
    if app.dispatch.catalog.get(&name).is_none() {
        return unknown(&name).into_response();
    }
    let body = match super::read(body, app.max_body_bytes).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    let params = match arguments(&parts, &body) {
        Ok(arguments) => CallToolRequestParams::new(name).with_arguments(arguments),
        Err(error) => return error.into_response(),
    };
    let id = NumberOrString::Number(1);
    answer(app.direct.call(id, RequestMetaObject::default(), params, parts).await)
}

fn unknown(name: &str) -> ToolError {
    ToolError::new(Code::NotFound, format!("there is no tool {}; see /tools", clip(name)))
}

/// The body is the arguments' object; none is no arguments. A form of a foreign page cannot send this content
/// type, and its origin is refused before.
fn arguments(parts: &Parts, body: &Bytes) -> Result<Map<String, Value>, ToolError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    let json = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    });
    if !json {
        return Err(ToolError::invalid("Content-Type", "send the arguments as application/json"));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err(ToolError::invalid("arguments", "the arguments must be a JSON object")),
        Err(error) => Err(ToolError::invalid("arguments", format!("the body is not JSON: {error}"))),
    }
}

fn answer(result: Result<ServerResult, ErrorData>) -> Response {
    let mut result = match outcome(result) {
        Ok(result) => result,
        Err(error) => return error.into_response(),
    };
    match (structure::take(&mut result), result) {
        (Some(written), _) => Json(written).into_response(),
        (None, CallToolResult { structured_content: Some(structured), .. }) => {
            Json(structured).into_response()
        }
        (None, result) => Json(json!({"content": result.content})).into_response(),
    }
}
