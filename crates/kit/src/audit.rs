//! The audit: one line for each call of a tool that writes, with secrets masked.

use rmcp::model::Tool;
use serde_json::{Map, Value};

use crate::text::clip;

/// Stands for a value that is not shown.
pub(crate) const MASK: &str = "***";
/// Names of arguments whose values are never shown, whatever their schema says; `-` and `_` do not count.
const SECRET_NAMES: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "authorization",
    "cookie",
    "connectionstring",
    "dsn",
];
/// Most members of an object or a list, and most levels, that are written down.
const MEMBERS: usize = 32;
const LEVELS: usize = 4;

/// Which arguments of a tool are secret: those whose schema has the format `password`.
pub(crate) fn secret_arguments(tool: &Tool) -> Vec<String> {
    let Some(Value::Object(properties)) = tool.input_schema.get("properties") else { return vec![] };
    properties
        .iter()
        .filter(|(_, schema)| schema["format"] == "password")
        .map(|(name, _)| name.clone())
        .collect()
}

/// The arguments as they may be written down: secrets masked, whatever is long or deep cut short.
pub(crate) fn mask(arguments: &Map<String, Value>, secret: &[String]) -> Map<String, Value> {
    members(arguments, secret, LEVELS)
}

/// Whether an argument's value must not be repeated.
pub(crate) fn is_secret(name: &str) -> bool {
    let name: String =
        name.chars().filter(|it| !matches!(it, '-' | '_')).collect::<String>().to_ascii_lowercase();
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

fn members(object: &Map<String, Value>, secret: &[String], levels: usize) -> Map<String, Value> {
    let shown = object.iter().take(MEMBERS).map(|(name, value)| {
        let hide = secret.contains(name) || is_secret(name);
        (clip(name), if hide { MASK.into() } else { shorten(value, levels) })
    });
    let mut shown: Map<String, Value> = shown.collect();
    if object.len() > MEMBERS {
        shown.insert("…".into(), format!("{} more", object.len() - MEMBERS).into());
    }
    shown
}

fn shorten(value: &Value, levels: usize) -> Value {
    match value {
        Value::String(text) => clip(&without_credentials(text)).into(),
        Value::Array(_) | Value::Object(_) if levels == 0 => "…".into(),
        Value::Array(items) => items.iter().take(MEMBERS).map(|item| shorten(item, levels - 1)).collect(),
        Value::Object(object) => members(object, &[], levels - 1).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Credentials in a URL, and the value of a secret `NAME=VALUE`, are secrets under any name.
fn without_credentials(text: &str) -> String {
    if let Some((name, _)) = text.split_once('=')
        && is_secret(name)
    {
        return format!("{name}={MASK}");
    }
    match text.split_once("://") {
        Some((scheme, rest)) => match rest.split(['/', '?', '#']).next().and_then(|it| it.rsplit_once('@')) {
            Some((credentials, _)) => format!("{scheme}://{MASK}{}", &rest[credentials.len()..]),
            None => text.to_owned(),
        },
        None => text.to_owned(),
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

    #[test]
    fn no_line_grows_with_what_was_sent() {
        let many: Map<String, Value> = (0..100_000).map(|at| (format!("k{at}"), Value::Null)).collect();
        assert!(Value::from(mask(&many, &[])).to_string().len() < 1000);
        let deep = (0..100).fold(json!("x"), |inner, _| json!([inner]));
        assert!(
            Value::from(mask(json!({"deep": deep}).as_object().expect("object"), &[])).to_string().len()
                < 1000
        );
    }

    #[test]
    fn secrets_without_a_telling_name_are_found() {
        for text in ["postgres://user:hush@db/x", "DB_PASSWORD=hush"] {
            assert!(!without_credentials(text).contains("hush"), "{text}");
        }
        assert_eq!(without_credentials("http://x/a@b"), "http://x/a@b");
    }
}
