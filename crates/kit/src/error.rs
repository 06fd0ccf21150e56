//! The closed list of error codes, and the one shape in which they leave on every door.

use http::StatusCode;
use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, ErrorCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::ask::Raised;

/// What a tool returns. Name it `Result` in tool signatures: rmcp's macro infers the output schema from
/// the spelling `Result<Json<T>>`.
pub type Result<T, E = ToolError> = std::result::Result<T, E>;

/// Why a call failed, as far as a caller could act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// Bad arguments, or an upstream's 400, 404, 409, 422.
    ValidationError,
    /// A credential is missing, expired or refused; an upstream's 401, 403.
    AuthenticationError,
    /// A known caller that our policy does not allow this tool or object.
    Forbidden,
    /// No such route, slug or tool.
    NotFound,
    /// Our rate limit.
    RateLimited,
    /// Our deadline, or an upstream's 408, 504.
    TimeoutError,
    /// An upstream is down or answered 429 or 5xx; a command failed.
    ServiceError,
    /// Our bug, or our database.
    InternalError,
}

impl Code {
    /// Every code, for metrics and tests.
    pub const ALL: [Self; 8] = [
        Self::ValidationError,
        Self::AuthenticationError,
        Self::Forbidden,
        Self::NotFound,
        Self::RateLimited,
        Self::TimeoutError,
        Self::ServiceError,
        Self::InternalError,
    ];

    /// The code's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ValidationError => "VALIDATION_ERROR",
            Self::AuthenticationError => "AUTHENTICATION_ERROR",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::RateLimited => "RATE_LIMITED",
            Self::TimeoutError => "TIMEOUT_ERROR",
            Self::ServiceError => "SERVICE_ERROR",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }

    /// The HTTP status it travels with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::ValidationError => StatusCode::BAD_REQUEST,
            Self::AuthenticationError => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::TimeoutError => StatusCode::GATEWAY_TIMEOUT,
            Self::ServiceError => StatusCode::BAD_GATEWAY,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code for an upstream's HTTP status (4xx or 5xx).
    pub fn of_upstream(status: StatusCode) -> Self {
        match status.as_u16() {
            401 | 403 => Self::AuthenticationError,
            408 | 504 => Self::TimeoutError,
            429 | 500..=599 => Self::ServiceError,
            _ => Self::ValidationError,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// A failed call: `{"error": code, "message": text, "details": {…}}` on every door.
///
/// The message says what is wrong and what to do next. The source chain goes to the log only.
#[derive(Debug, Clone, Serialize)]
pub struct ToolError {
    /// Why it failed.
    #[serde(rename = "error")]
    pub code: Code,
    /// One or two sentences for the caller.
    pub message: String,
    /// Facts a program can use: `field`, `retry_after` (seconds), `candidates`…
    pub details: Map<String, Value>,
    #[serde(skip)]
    source: Option<String>,
    /// Not a failure: what a call that asks back returns early with.
    #[serde(skip)]
    raised: Option<Box<Raised>>,
}

impl ToolError {
    /// An error with this code and message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Map::new(), source: None, raised: None }
    }

    /// A bad argument; `field` is its path in the arguments (`filters[0].name`).
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Code::ValidationError, message).with("field", field.into())
    }

    /// An upstream that does not answer or answers that it cannot.
    pub fn service(message: impl Into<String>) -> Self {
        Self::new(Code::ServiceError, message)
    }

    /// A bug of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::InternalError, message)
    }

    /// What a tool returns early with and the dispatcher understands.
    pub(crate) fn raising(raised: Raised) -> Self {
        Self {
            raised: Some(Box::new(raised)),
            ..Self::internal("this call asks back, which cannot be done here")
        }
    }

    /// Adds one detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// The same failure under another code.
    #[must_use]
    pub(crate) fn coded(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// Keeps the chain of causes for the log; it never reaches the caller.
    #[must_use]
    pub fn because(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            chain.push_str(": ");
            chain.push_str(&error.to_string());
            source = error.source();
        }
        self.source = Some(chain);
        self
    }

    /// The chain of causes, for the log.
    pub fn source_chain(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The JSON object that leaves on every door.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| {
            format!(r#"{{"error":"INTERNAL_ERROR","message":"unprintable error: {error}","details":{{}}}}"#)
        })
    }

    /// Reads back what [`ToolError::to_json`] wrote; `None` for anything else.
    pub(crate) fn from_json(error: &Value) -> Option<Self> {
        let mut read =
            Self::new(Code::parse(error.get("error")?.as_str()?)?, error.get("message")?.as_str()?);
        read.details = error.get("details").and_then(Value::as_object).cloned().unwrap_or_default();
        Some(read)
    }

    /// Reads back what `From<ToolError> for ErrorData` wrote; `None` for an error of the protocol itself.
    pub(crate) fn from_protocol(error: &ErrorData) -> Option<Self> {
        let data = error.data.as_ref()?.as_object()?;
        Some(Self {
            code: Code::parse(data.get("gantry")?.as_str()?)?,
            message: error.message.to_string(),
            details: data.get("details").and_then(Value::as_object).cloned().unwrap_or_default(),
            source: data.get("source").and_then(Value::as_str).map(str::to_owned),
            raised: None,
        })
    }
}

impl std::fmt::Display for ToolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for ToolError {}

/// Carries a [`ToolError`] through rmcp's handler types to the dispatcher, which turns it into a result
/// with `isError` (MCP) or a status (REST).
impl From<ToolError> for ErrorData {
    fn from(error: ToolError) -> Self {
        if let Some(raised) = error.raised {
            return raised.into_protocol();
        }
        let mut data = Map::new();
        data.insert("gantry".into(), error.code.as_str().into());
        data.insert("details".into(), error.details.into());
        if let Some(source) = error.source {
            data.insert("source".into(), source.into());
        }
        Self::new(ErrorCode::INTERNAL_ERROR, error.message, Some(data.into()))
    }
}

impl IntoCallToolResult for ToolError {
    fn into_call_tool_result(self) -> std::result::Result<CallToolResponse, ErrorData> {
        Err(self.into())
    }
}

impl axum::response::IntoResponse for ToolError {
    fn into_response(self) -> axum::response::Response {
        let mut response =
            (self.code.status(), [(http::header::CONTENT_TYPE, "application/json")], self.to_json())
                .into_response();
        if let Some(seconds) = self.details.get("retry_after").and_then(Value::as_u64) {
            response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_way_through_rmcp() {
        let error = ToolError::invalid("lines", "lines must be at least 1")
            .because(&std::io::Error::other("root cause"));
        let back = ToolError::from_protocol(&error.into()).expect("ours");
        assert_eq!(back.code, Code::ValidationError);
        assert_eq!(back.details["field"], "lines");
        assert_eq!(back.source_chain(), Some("root cause"));
        assert!(!back.to_json().contains("root cause"));
    }

    #[test]
    fn a_protocol_error_is_not_ours() {
        assert!(ToolError::from_protocol(&ErrorData::internal_error("x", None)).is_none());
    }

    #[test]
    fn names_on_the_wire_agree() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).expect("json"), code.as_str());
        }
    }
}
