//! Requests that rmcp cannot read: it takes them for methods of an unknown kind. Those whose method is here are told
//! that it is their params.

use rmcp::ErrorData;
use rmcp::model::*;

use crate::text::clip;
use crate::{Code, ToolError};

/// The answer to such a request of a server with these capabilities; `later` for a client since 2026-07-28.
pub(crate) fn refuse(method: &str, can: &ServerCapabilities, later: bool) -> ErrorData {
    if !is_here(method, can, later) {
        return ErrorData::new(ErrorCode::METHOD_NOT_FOUND, clip(method), None);
    }
    let message = format!("the params of {method} are not what the protocol has for it");
    let error = ToolError::new(Code::ValidationError, message).with("field", "params");
    ErrorData::new(ErrorCode::INVALID_PARAMS, error.message.clone(), serde_json::to_value(error).ok())
}

fn is_here(method: &str, can: &ServerCapabilities, later: bool) -> bool {
    match method {
        CallToolRequestMethod::VALUE | ListToolsRequestMethod::VALUE => can.tools.is_some(),
        GetPromptRequestMethod::VALUE | ListPromptsRequestMethod::VALUE => can.prompts.is_some(),
        ReadResourceRequestMethod::VALUE
        | ListResourcesRequestMethod::VALUE
        | ListResourceTemplatesRequestMethod::VALUE => can.resources.is_some(),
        SubscribeRequestMethod::VALUE | UnsubscribeRequestMethod::VALUE => {
            !later && can.resources.as_ref().is_some_and(|it| it.subscribe == Some(true))
        }
        CompleteRequestMethod::VALUE => can.completions.is_some(),
        SetLevelRequestMethod::VALUE => !later && can.logging.is_some(),
        SubscriptionsListenRequestMethod::VALUE => {
            later && (can.prompts.is_some() || can.resources.is_some())
        }
        GetTaskMethod::VALUE | UpdateTaskMethod::VALUE | CancelTaskMethod::VALUE => {
            can.extensions.as_ref().is_some_and(|it| it.contains_key(TASKS_EXTENSION_ID))
        }
        _ => false,
    }
}
