//! A tool's arguments: read with the path of whatever is wrong in them.

use rmcp::ErrorData;
use rmcp::handler::server::common::FromContextPart;
use rmcp::handler::server::tool::ToolCallContext;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::{Map, Value};

use crate::ToolError;
use crate::text::clip;

/// Extracts a tool's arguments. rmcp's macro finds the input schema by this type's name.
pub struct Parameters<T>(pub T);

impl<T: JsonSchema> JsonSchema for Parameters<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<S, T: DeserializeOwned> FromContextPart<ToolCallContext<'_, S>> for Parameters<T> {
    fn from_context_part(context: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        let arguments = context.arguments.take().unwrap_or_default();
        Ok(Self(read(Value::Object(arguments))?))
    }
}

/// Reads arguments into `T`, for a tool that does not have all of them in one type.
///
/// # Errors
/// `VALIDATION_ERROR` with the path of the first bad argument in `details.field`.
pub fn read<'de, T: Deserialize<'de>>(
    arguments: impl Deserializer<'de, Error = serde_json::Error>,
) -> Result<T, ToolError> {
    serde_path_to_error::deserialize(arguments).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        let field = field(&path, &message);
        let field = printable(&clip(&field));
        ToolError::invalid(field.clone(), format!("{field}: {}", printable(&clip_reason(&message))))
    })
}

/// The path of the bad argument. serde names a missing or unknown field only in its message.
fn field(path: &str, message: &str) -> String {
    let named = ["missing field `", "unknown field `"]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
        .and_then(|rest| rest.split('`').next());
    match (path, named) {
        (".", Some(name)) => name.to_owned(),
        (path, Some(name)) if !path.ends_with(name) => format!("{path}.{name}"),
        (".", None) => "arguments".to_owned(),
        (path, _) => path.to_owned(),
    }
}

/// A name that was sent may hold line ends, which would forge lines in a text log.
fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
}

/// serde repeats the bad value in its message; it may be long.
fn clip_reason(message: &str) -> String {
    match message.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

/// The path of the first string in `arguments` that holds a NUL, which no upstream takes.
pub(crate) fn nul(arguments: &Map<String, Value>) -> Option<String> {
    fn walk(value: &Value) -> Option<String> {
        match value {
            Value::String(text) => text.contains('\0').then(String::new),
            Value::Array(items) => {
                items.iter().enumerate().find_map(|(at, item)| walk(item).map(|rest| format!("[{at}]{rest}")))
            }
            Value::Object(fields) => {
                fields.iter().find_map(|(name, value)| walk(value).map(|rest| format!(".{name}{rest}")))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }
    arguments.iter().find_map(|(name, value)| walk(value).map(|rest| clip(&format!("{name}{rest}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        #[serde(rename = "name")]
        _name: String,
        #[serde(default, rename = "inner")]
        _inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "lines")]
        _lines: u32,
    }

    #[test]
    fn names_the_field() {
        for (arguments, field) in [
            (json!({}), "name"),
            (json!({"name": 1}), "name"),
            (json!({"name": "x", "nmae": 1}), "nmae"),
            (json!({"name": "x", "inner": [{"lines": 1}, {"lines": -1}]}), "inner[1].lines"),
            (json!({"name": "x", "inner": [{}]}), "inner[0].lines"),
            (json!({"name": "x", "inner": [{"lines": 1, "odd": 2}]}), "inner[0].odd"),
        ] {
            let error = read::<Input>(arguments.as_object().expect("object")).expect_err("bad");
            assert_eq!(error.details["field"], field, "{error}");
        }
    }

    #[test]
    fn a_long_value_does_not_come_back_whole() {
        let arguments = json!({"name": "x", "inner": "y".repeat(1_000_000)});
        let error = read::<Input>(arguments.as_object().expect("object")).expect_err("bad");
        assert!(error.to_json().len() < 1000);
    }

    #[test]
    fn finds_a_nul_anywhere() {
        let arguments = json!({"a": "fine", "b": {"c": ["x", "y\u{0}z"]}});
        assert_eq!(nul(arguments.as_object().expect("object")).as_deref(), Some("b.c[1]"));
    }
}
