//! The shape nearly all calls have: `tools/call` of a 2026-07-28 client that asks for no progress. It is read in
//! one pass and answered directly; whatever differs from it in the least is left to rmcp, errors included.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ErrorCode, JsonObject, JsonRpcVersion2_0, ProtocolVersion,
    RequestId, RequestMetaObject, ServerJsonRpcMessage, ServerResult,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::app::App;
use crate::service::Service;
use crate::structure;

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const REVISION: ProtocolVersion = ProtocolVersion::V_2026_07_28;
const CALL: &str = "tools/call";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A call of this shape.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlainCall {
    #[serde(rename = "jsonrpc")]
    _jsonrpc: JsonRpcVersion2_0,
    id: RequestId,
    method: String,
    params: Params,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    name: String,
    #[serde(default)]
    arguments: Option<JsonObject>,
    #[serde(rename = "_meta")]
    meta: RequestMetaObject,
}

impl PlainCall {
    /// Reads a request, if it has the shape and its headers say the same as its body.
    pub(super) fn read<S: Service>(app: &App<S>, parts: &Parts, body: &[u8]) -> Option<Self> {
        let headers = &parts.headers;
        let said = |name: &HeaderName, value: &str| only(headers, name).is_some_and(|it| it == value);
        if parts.method != Method::POST
            || !said(&METHOD, CALL)
            || !said(&VERSION, REVISION.as_str())
            || !said(&CONTENT_TYPE, "application/json")
        {
            return None;
        }
        let call: Self = serde_json::from_slice(body).ok()?;
        let (params, meta) = (&call.params, &call.params.meta);
        let plain = call.method == CALL
            && said(&NAME, &params.name)
            && meta.protocol_version().as_ref() == Some(&REVISION)
            && meta.missing_required_keys(&REVISION).is_empty()
            && meta.get_progress_token().is_none()
            && meta.log_level().is_none()
            && app.dispatch.catalog.get(&params.name).is_some_and(|entry| !entry.arguments_in_headers);
        plain.then_some(call)
    }

    pub(super) async fn answer<S: Service>(self, app: &App<S>, parts: Parts) -> Response {
        let mut params = CallToolRequestParams::new(self.params.name);
        params.arguments = self.params.arguments;
        let id = self.id;
        let result = app.direct.call(id.clone(), self.params.meta, params, parts).await;
        let (status, body) = match result {
            Ok(result) => (StatusCode::OK, Reply::write(id, result)),
            Err(error) => {
                (status(error.code), serde_json::to_vec(&ServerJsonRpcMessage::error(error, Some(id))))
            }
        };
        match body {
            Ok(body) => (status, [(CONTENT_TYPE, JSON)], body).into_response(),
            Err(error) => {
                tracing::error!("a result could not be written: {error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// A result on its way out, with a structure that is written already.
#[derive(Serialize)]
struct Reply {
    jsonrpc: JsonRpcVersion2_0,
    id: RequestId,
    result: Written,
}

#[derive(Serialize)]
struct Written {
    #[serde(flatten)]
    rest: CallToolResult,
    #[serde(rename = "structuredContent")]
    structure: Box<RawValue>,
}

impl Reply {
    fn write(id: RequestId, mut result: ServerResult) -> serde_json::Result<Vec<u8>> {
        if let ServerResult::CallToolResult(rest) = &mut result
            && let Some(structure) = structure::take(rest)
        {
            let result = Written { rest: std::mem::take(rest), structure };
            return serde_json::to_vec(&Self { jsonrpc: JsonRpcVersion2_0, id, result });
        }
        serde_json::to_vec(&ServerJsonRpcMessage::response(result, id))
    }
}

/// The header's value, if it is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// The status that goes with an error of the protocol (2026-07-28, Streamable HTTP).
fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY | ErrorCode::UNSUPPORTED_PROTOCOL_VERSION => {
            StatusCode::BAD_REQUEST
        }
        _ => StatusCode::OK,
    }
}
