//! The resources: text, bytes, a template, and one that changes.

use rmcp::ErrorData;
use rmcp::model::*;
use serde_json::json;

use crate::changes::State;
use crate::content::PNG;

/// The resource that `test_trigger_resource_change` changes.
pub(crate) const WATCHED: &str = "test://watched-resource";
const TEXT: &str = "test://static-text";
const BYTES: &str = "test://static-binary";
pub(crate) const TEMPLATE: &str = "test://template/{id}/data";

/// How long a resource may be kept, in milliseconds.
const TTL_MS: u64 = 60_000;

pub(crate) fn list() -> Vec<Resource> {
    vec![
        Resource::new(BYTES, "static-binary").with_description("One red pixel").with_mime_type("image/png"),
        Resource::new(TEXT, "static-text").with_description("One sentence").with_mime_type("text/plain"),
        Resource::new(WATCHED, "watched-resource")
            .with_description("Counts its changes")
            .with_mime_type("text/plain"),
    ]
}

pub(crate) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(TEMPLATE, "template")
            .with_description("Repeats the id in its address")
            .with_mime_type("application/json"),
    ]
}

/// Reads a resource.
pub(crate) fn read(uri: &str, state: State) -> Result<ReadResourceResult, ErrorData> {
    let (contents, ttl_ms) = match uri {
        TEXT => (text(uri, "This is the content of the static text resource."), TTL_MS),
        BYTES => (ResourceContents::blob(PNG, uri).with_mime_type("image/png"), TTL_MS),
        WATCHED => (text(uri, format!("Changed {} times.", state.count)), 0),
        _ => {
            let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
            let id = id.filter(|id| !id.is_empty() && !id.contains('/')).ok_or_else(|| not_found(uri))?;
            let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            let data = ResourceContents::text(data.to_string(), uri).with_mime_type("application/json");
            (data, TTL_MS)
        }
    };
    let mut result = ReadResourceResult::new(vec![contents]);
    result.ttl_ms = Some(ttl_ms);
    result.cache_scope = Some(CacheScope::Public);
    Ok(result)
}

fn text(uri: &str, text: impl Into<String>) -> ResourceContents {
    ResourceContents::text(text, uri).with_mime_type("text/plain")
}

fn not_found(uri: &str) -> ErrorData {
    let message = format!("there is no resource {}", kit::clip(uri));
    ErrorData::resource_not_found(message, Some(json!({"uri": uri})))
}
