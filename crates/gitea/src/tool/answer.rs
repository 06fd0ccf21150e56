//! What a method answers: structure without what is empty, and beside it what is no structure.

use std::iter::successors;

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

    /// As MCP has it: the structure also as text, for clients that know no structure. What has more bytes than `limit`
    /// loses the ends of its longest texts: after a write an error would be believed, and the write repeated.
    pub(super) fn into_result(self, limit: usize) -> CallToolResult {
        let mut result = CallToolResult::structured(self.structured);
        let size = result.content.iter().filter_map(|it| it.as_text()).map(|it| it.text.len()).sum::<usize>();
        if size > limit
            && let Some(structured) = result.structured_content.take()
        {
            result = CallToolResult::structured(fitted(structured, limit));
        }
        result.content.extend(self.content);
        result
    }
}

/// No text is cut below this, however long the whole is.
const LEAST_TEXT: usize = 1000;

/// The same with its longest texts cut, visibly, as far as it must be to fit.
fn fitted(structured: Value, limit: usize) -> Value {
    let mut cuts = successors(Some(limit / 2), |most| Some(most / 2)).take_while(|most| *most >= LEAST_TEXT);
    let fitting = cuts.find_map(|most| {
        let mut cut = structured.clone();
        shorten(&mut cut, most);
        (cut.to_string().len() <= limit).then_some(cut)
    });
    fitting.unwrap_or(structured)
}

fn shorten(value: &mut Value, most: usize) {
    match value {
        Value::String(text) if text.len() > most => {
            let end = text.floor_char_boundary(most);
            *text = format!("{}… [{} bytes more]", &text[..end], text.len() - end);
        }
        Value::Object(fields) => fields.values_mut().for_each(|value| shorten(value, most)),
        Value::Array(items) => items.iter_mut().for_each(|value| shorten(value, most)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
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

    #[test]
    fn what_is_too_long_is_cut_where_it_is_longest() {
        let long = json!({"body": "ü".repeat(50_000), "notes": ["\u{1}".repeat(9_000)], "title": "short"});
        let result = Answer::from(long.clone()).into_result(20_000).structured_content.unwrap();
        assert!(result.to_string().len() <= 20_000);
        assert_eq!(result["title"], "short");
        assert!(result["body"].as_str().unwrap().ends_with("ü… [97500 bytes more]"), "{}", result["body"]);
        assert_eq!(Answer::from(long.clone()).into_result(200_000).structured_content, Some(long));
    }
}
