//! Tools and their results as messages of `gantry.tool.v1`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::gantry::tool::v1::{
    AudioContent, Content, EmbeddedResource, ImageContent, ResourceLink, Result as Outcome, TextContent,
    Tool, ToolAnnotations, content::Kind, embedded_resource::Contents,
};
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde::Serialize;
use serde_json::Value;

use super::structure;
use crate::{Result, ToolError};

/// A tool's definition.
pub(super) fn tool(tool: &rmcp::model::Tool) -> Tool {
    Tool {
        name: tool.name.to_string(),
        title: tool.title.clone().unwrap_or_default(),
        description: tool.description.as_deref().unwrap_or_default().to_owned(),
        input_schema_json: Value::Object((*tool.input_schema).clone()).to_string(),
        output_schema_json: match &tool.output_schema {
            Some(schema) => Value::Object((**schema).clone()).to_string(),
            None => String::new(),
        },
        annotations: tool.annotations.as_ref().map(|hints| ToolAnnotations {
            read_only_hint: hints.read_only_hint,
            destructive_hint: hints.destructive_hint,
            idempotent_hint: hints.idempotent_hint,
            open_world_hint: hints.open_world_hint,
        }),
    }
}

/// A tool's result.
///
/// # Errors
/// `INTERNAL_ERROR` for bytes of the tool that are not base64.
pub(super) fn result(mut result: CallToolResult) -> Result<Outcome> {
    crate::structure::read(&mut result);
    let json = result.structured_content.as_ref().map(Value::to_string).unwrap_or_default();
    let says_more = |block: &ContentBlock| block.as_text().is_none_or(|text| text.text != json);
    let content = result.content.into_iter().filter(says_more).map(content).collect::<Result<_>>()?;
    let structured = result.structured_content.as_ref().and_then(Value::as_object).map(structure::of);
    Ok(Outcome { structured, json, content })
}

fn content(block: ContentBlock) -> Result<Content> {
    let (kind, annotations) = match block {
        ContentBlock::Text(it) => (Kind::Text(TextContent { text: it.text }), it.annotations),
        ContentBlock::Image(it) => {
            let data = bytes(&it.data)?;
            (Kind::Image(ImageContent { data, mime_type: it.mime_type }), it.annotations)
        }
        ContentBlock::Audio(it) => {
            let data = bytes(&it.data)?;
            (Kind::Audio(AudioContent { data, mime_type: it.mime_type }), it.annotations)
        }
        ContentBlock::ResourceLink(it) => {
            let link = ResourceLink {
                uri: it.uri,
                name: it.name,
                title: it.title.unwrap_or_default(),
                description: it.description.unwrap_or_default(),
                mime_type: it.mime_type.unwrap_or_default(),
                size: it.size,
            };
            (Kind::ResourceLink(link), it.annotations)
        }
        ContentBlock::Resource(it) => (Kind::Resource(embedded(it.resource)?), it.annotations),
        _ => return Err(no_message()),
    };
    Ok(Content { kind: Some(kind), annotations: annotations.and_then(object) })
}

fn embedded(resource: ResourceContents) -> Result<EmbeddedResource> {
    let (uri, mime_type, contents) = match resource {
        ResourceContents::TextResourceContents { uri, mime_type, text, .. } => {
            (uri, mime_type, Contents::Text(text))
        }
        ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
            (uri, mime_type, Contents::Blob(bytes(&blob)?))
        }
        _ => return Err(no_message()),
    };
    Ok(EmbeddedResource { uri, mime_type: mime_type.unwrap_or_default(), contents: Some(contents) })
}

/// For what MCP has not had so far.
fn no_message() -> ToolError {
    ToolError::internal("the result holds content that gRPC has no message for; call the tool over MCP")
}

fn object(annotations: impl Serialize) -> Option<prost_types::Struct> {
    serde_json::to_value(annotations).ok()?.as_object().map(structure::of)
}

fn bytes(base64: &str) -> Result<Vec<u8>> {
    STANDARD.decode(base64).map_err(|error| {
        ToolError::internal("the tool's result holds bytes that are not base64").because(&error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::Resource;
    use serde_json::json;

    #[test]
    fn every_kind_of_content_has_its_message() {
        let blob = ResourceContents::blob("AAEC", "x://blob");
        let outcome = result(CallToolResult::success(vec![
            ContentBlock::text("words"),
            ContentBlock::image("AAEC", "image/png"),
            ContentBlock::audio("AAEC", "audio/wav"),
            ContentBlock::ResourceLink(Resource::new("x://link", "link")),
            ContentBlock::resource(ResourceContents::text("inside", "x://text")),
            ContentBlock::resource(blob),
        ]))
        .expect("a message");
        let kinds: Vec<Kind> = outcome.content.into_iter().filter_map(|content| content.kind).collect();
        let [text, image, audio, link, inside, blob] = kinds.try_into().expect("six");
        assert_eq!(text, Kind::Text(TextContent { text: "words".into() }));
        assert!(matches!(image, Kind::Image(it) if it.data == [0, 1, 2] && it.mime_type == "image/png"));
        assert!(matches!(audio, Kind::Audio(it) if it.data == [0, 1, 2] && it.mime_type == "audio/wav"));
        assert!(matches!(link, Kind::ResourceLink(it) if it.uri == "x://link" && it.size.is_none()));
        assert!(matches!(inside, Kind::Resource(it) if it.contents == Some(Contents::Text("inside".into()))));
        assert!(matches!(blob, Kind::Resource(it) if it.contents == Some(Contents::Blob(vec![0, 1, 2]))));
    }

    #[test]
    fn json_is_exact_where_doubles_are_not_and_is_not_said_twice() {
        let structured = json!({"id": u64::MAX});
        let outcome = result(CallToolResult::structured(structured)).expect("a message");
        assert_eq!(outcome.json, r#"{"id":18446744073709551615}"#);
        assert!(outcome.structured.is_some() && outcome.content.is_empty());
        let outcome = result(CallToolResult::structured(json!([1]))).expect("a message");
        assert_eq!((outcome.structured, &*outcome.json), (None, "[1]"));
    }

    #[test]
    fn bytes_that_are_none_are_the_tools_bug() {
        let block = ContentBlock::image("not base64!", "image/png");
        let error = result(CallToolResult::success(vec![block])).expect_err("refused");
        assert_eq!(error.code, crate::Code::InternalError);
    }
}
