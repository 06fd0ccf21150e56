//! The audit: one line for each call of a tool that writes, with secrets masked.

use rmcp::model::Tool;
use serde_json::{Map, Value};

use crate::text::clip;

/// Stands for a value that is not shown.
pub(crate) const MASK: &str = "***";
/// Names of arguments whose values are never shown, whatever their schema says.
const SECRET_NAMES: [&str; 8] =
    ["password", "passwd", "secret", "token", "api_key", "apikey", "credential", "private_key"];

/// Which arguments of a tool are secret: those whose schema has the format `password`.
pub(crate) fn secret_arguments(tool: &Tool) -> Vec<String> {
    let Some(Value::Object(properties)) = tool.input_schema.get("properties") else { return vec![] };
    properties
        .iter()
        .filter(|(_, schema)| schema["format"] == "password")
        .map(|(name, _)| name.clone())
        .collect()
}

/// The arguments as they may be written down: secrets masked, long strings clipped.
pub(crate) fn mask(arguments: &Map<String, Value>, secret: &[String]) -> Map<String, Value> {
    arguments
        .iter()
        .map(|(name, value)| {
            let hide = secret.contains(name) || is_secret(name);
            (clip(name), if hide { MASK.into() } else { shorten(value) })
        })
        .collect()
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

fn shorten(value: &Value) -> Value {
    match value {
        Value::String(text) => clip(text).into(),
        Value::Array(items) => items.iter().take(20).map(shorten).collect(),
        Value::Object(fields) => mask(fields, &[]).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_masked_at_any_depth() {
        let arguments =
            json!({"key": "MODE", "value": "hush", "inner": {"Token": "hush"}, "long": "x".repeat(500)});
        let masked = mask(arguments.as_object().expect("object"), &["value".to_owned()]);
        let text = serde_json::to_string(&masked).expect("json");
        assert!(!text.contains("hush") && text.contains("MODE"), "{text}");
        assert!(text.len() < 300);
    }
}
