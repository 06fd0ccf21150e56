//! A result's structure as the text it is sent as: large answers cost most where a tree of them is made only to be
//! written twice.
//!
//! Until a door sends it, such a result has `null` for a structure and the JSON as its first text. The doors that write
//! JSON themselves send that; for all others it is read.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::Value;
use serde_json::value::RawValue;

/// A result whose structure, an object, has been written as JSON.
pub fn written(json: String) -> CallToolResult {
    let mut result = CallToolResult::structured(Value::Null);
    result.content = vec![ContentBlock::text(json)];
    result
}

/// The door of this request can send what is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TakesWritten;

/// The structure of a result where it is text, which then has no other.
pub(crate) fn take(result: &mut CallToolResult) -> Option<Box<RawValue>> {
    let text = text(result)?;
    let raw = RawValue::from_string(text.to_owned()).ok()?;
    result.structured_content = None;
    Some(raw)
}

/// The same result with a structure that is a tree.
pub(crate) fn read(result: &mut CallToolResult) {
    if let Some(tree) = text(result).and_then(|text| serde_json::from_str(text).ok()) {
        result.structured_content = Some(tree);
    }
}

fn text(result: &CallToolResult) -> Option<&str> {
    match (&result.structured_content, result.content.first()?) {
        (Some(Value::Null), ContentBlock::Text(first)) => Some(&first.text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_what_is_read() {
        let text = r#"{"id":18446744073709551615}"#;
        let (mut sent, mut tree) = (written(text.into()), written(text.into()));
        assert_eq!(take(&mut sent).expect("written").get(), text);
        assert_eq!(sent.structured_content, None);
        read(&mut tree);
        assert_eq!(tree, CallToolResult::structured(json!({"id": u64::MAX})));
    }

    #[test]
    fn what_is_a_tree_stays_one() {
        for structure in [json!({"a": 1}), json!(null)] {
            let mut result = CallToolResult::structured(structure.clone());
            read(&mut result);
            assert_eq!(result, CallToolResult::structured(structure));
        }
        let mut result = CallToolResult::structured(json!({"a": 1}));
        assert!(take(&mut result).is_none() && result.structured_content.is_some());
    }
}
