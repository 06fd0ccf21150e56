//! What a call came to, for doors that speak no MCP: the tool's result, or our error.

use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ErrorCode, ServerResult};
use serde_json::Value;

use crate::{Code, ToolError};

/// The result of a call that succeeded.
///
/// # Errors
/// Our error, whichever way it came: as a result that says so, or as one of the protocol. A tool's own words,
/// without a code, are an upstream's.
pub(super) fn outcome(result: Result<ServerResult, ErrorData>) -> Result<CallToolResult, ToolError> {
    match result {
        Ok(ServerResult::CallToolResult(result)) if result.is_error == Some(true) => Err(failure(&result)),
        Ok(ServerResult::CallToolResult(result)) => Ok(result),
        Ok(_) => {
            let message = "this tool asks back, which only MCP can answer; call it over MCP";
            Err(ToolError::new(Code::ValidationError, message))
        }
        Err(error) => Err(error.data.as_ref().and_then(ToolError::from_json).unwrap_or_else(|| {
            let ours = error.code == ErrorCode::INTERNAL_ERROR;
            ToolError::new(if ours { Code::InternalError } else { Code::ValidationError }, error.message)
        })),
    }
}

fn failure(result: &CallToolResult) -> ToolError {
    let text = result.content.first().and_then(|content| content.as_text()).map_or("", |text| &*text.text);
    let error = serde_json::from_str::<Value>(text).ok();
    error.as_ref().and_then(ToolError::from_json).unwrap_or_else(|| ToolError::service(text))
}
