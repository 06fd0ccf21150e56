//! Tools that return content of every kind.

use kit::{Code, Result, ToolError};
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use rmcp::{tool, tool_router};

use crate::Everything;

/// One red pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
/// No sound at all: a header, and not one sample.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

#[tool_router(router = content, vis = "pub(crate)")]
impl Everything {
    /// Returns a line of text.
    #[tool(title = "Text", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_simple_text(&self) -> String {
        "This is a simple text response for testing.".into()
    }

    /// Returns an image.
    #[tool(title = "Image", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_image_content(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::image(PNG, "image/png")])
    }

    /// Returns a sound.
    #[tool(title = "Audio", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_audio_content(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::audio(WAV, "audio/wav")])
    }

    /// Returns a resource with its content.
    #[tool(title = "Embedded resource", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_embedded_resource(&self) -> CallToolResult {
        let text = "This is an embedded resource content.";
        CallToolResult::success(vec![embedded("test://embedded-resource", "text/plain", text)])
    }

    /// Returns text, an image and a resource at once.
    #[tool(title = "Mixed content", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_multiple_content_types(&self) -> CallToolResult {
        CallToolResult::success(vec![
            ContentBlock::text("Multiple content types test:"),
            ContentBlock::image(PNG, "image/png"),
            embedded("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
        ])
    }

    /// Always fails.
    #[tool(title = "Error", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_error_handling(&self) -> Result<String> {
        Err(ToolError::new(Code::ServiceError, "This tool intentionally returns an error for testing"))
    }
}

/// A text resource as content.
pub(crate) fn embedded(uri: &str, mime_type: &str, text: &str) -> ContentBlock {
    ContentBlock::resource(ResourceContents::text(text, uri).with_mime_type(mime_type))
}
