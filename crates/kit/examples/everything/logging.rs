//! Log messages to the client, of the level it wants: each request of a later client says which, a client of
//! 2025 says it once for its session.

#![expect(deprecated, reason = "logging stays until 2027")]

use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};

use crate::Everything;
use crate::interaction::PAUSE;

#[tool_router(router = logging, vis = "pub(crate)")]
impl Everything {
    /// Logs three times while it works.
    #[tool(title = "Logging", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_tool_with_logging(&self, context: RequestContext<RoleServer>) -> String {
        self.log(&context, "Tool execution started").await;
        tokio::time::sleep(PAUSE).await;
        self.log(&context, "Tool processing data").await;
        tokio::time::sleep(PAUSE).await;
        self.log(&context, "Tool execution completed").await;
        "Three messages were logged.".into()
    }

    /// Logs once.
    #[tool(title = "Log message", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_logging_tool(&self, context: RequestContext<RoleServer>) -> String {
        self.log(&context, "Tool was called").await;
        "One message was logged.".into()
    }

    async fn log(&self, context: &RequestContext<RoleServer>, message: &str) {
        let wanted = self.kit.log_level(context);
        // The levels are declared from the least to the most severe.
        if wanted.is_none_or(|wanted| wanted as u8 > LoggingLevel::Info as u8) {
            return;
        }
        let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, message.into());
        // A client that no longer listens has closed its request, which ends the call.
        let _gone = context.peer.notify_logging_message(message.with_logger("everything")).await;
    }
}
