//! What a method answers: structure without what is empty, and beside it what is no structure.

use std::iter::successors;

use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::Value;

use super::prune::prune;

/// An answer on its way out.
#[derive(Debug)]
pub(crate) struct Answer {
    /// An object.
    json: String,
    content: Vec<ContentBlock>,
}

impl<T: Serialize> From<T> for Answer {
    fn from(answer: T) -> Self {
        // What cannot be JSON (a map with keys that are no strings) does not occur in answers.
        let mut json = prune(&serde_json::to_string(&answer).unwrap_or_default());
        if !json.starts_with('{') {
            json = format!(r#"{{"result":{json}}}"#);
        }
        Self { json, content: vec![] }
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
        let mut json = self.json;
        if json.len() > limit
            && let Ok(structure) = serde_json::from_str(&json)
        {
            json = fitted(structure, limit).to_string();
        }
        let mut result = kit::written(json);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn structure(result: &CallToolResult) -> Value {
        serde_json::from_str(&result.content[0].as_text().unwrap().text).unwrap()
    }

    #[test]
    fn an_answer_is_an_object_without_what_is_empty() {
        assert_eq!(Answer::from(json!({"items": [], "a": ""})).json, r#"{"items":[]}"#);
        assert_eq!(Answer::from(json!([1])).json, r#"{"result":[1]}"#);
    }

    #[test]
    fn what_is_too_long_is_cut_where_it_is_longest() {
        let long = json!({"body": "ü".repeat(50_000), "notes": ["\u{1}".repeat(9_000)], "title": "short"});
        let result = structure(&Answer::from(long.clone()).into_result(20_000));
        assert!(result.to_string().len() <= 20_000);
        assert_eq!(result["title"], "short");
        assert!(result["body"].as_str().unwrap().ends_with("ü… [97500 bytes more]"), "{}", result["body"]);
        assert_eq!(structure(&Answer::from(long.clone()).into_result(200_000)), long);
    }
}
