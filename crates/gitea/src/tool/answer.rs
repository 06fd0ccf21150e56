//! What a method answers: structure without what is empty, and beside it what is no structure.

use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::Value;

/// An answer on its way out.
#[derive(Debug)]
pub(crate) struct Answer {
    structured: Value,
    content: Vec<ContentBlock>,
}

impl<T: Serialize> From<T> for Answer {
    fn from(answer: T) -> Self {
        // What cannot be JSON (a map with keys that are no strings) does not occur in answers.
        let mut structured = serde_json::to_value(answer).unwrap_or_default();
        prune(&mut structured);
        if !structured.is_object() {
            structured = serde_json::json!({ "result": structured });
        }
        Self { structured, content: vec![] }
    }
}

impl Answer {
    /// Links and pictures beside the structure.
    #[must_use]
    pub(crate) fn and(mut self, content: impl IntoIterator<Item = ContentBlock>) -> Self {
        self.content.extend(content);
        self
    }

    /// As MCP has it: the structure also as text, for clients that know no structure.
    pub(super) fn into_result(self) -> CallToolResult {
        let mut result = CallToolResult::structured(self.structured);
        result.content.extend(self.content);
        result
    }
}

/// Empty fields tell a model nothing and cost it: they go. `items` stays, so that an empty list is one.
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(prune);
            fields.retain(|name, value| name == "items" || !is_empty(value));
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_empty_is_left_out() {
        let answer =
            Answer::from(json!({"items": [], "a": "", "b": null, "c": {"d": []}, "e": false, "f": 0}));
        assert_eq!(answer.structured, json!({"items": [], "e": false, "f": 0}));
        assert_eq!(Answer::from(json!([1])).structured, json!({"result": [1]}));
    }
}
