//! Bad arguments, made from a tool's own schema.

use anyhow::{Result, ensure};
use gantry_tests::door::Answer;
use serde_json::{Map, Value, json};

use crate::clip;

const UNKNOWN: &str = "no_such_field";
/// Refusals of the protocol itself that the example server's tools meet: a header that repeats an argument is
/// missing; the client cannot be asked back.
const PROTOCOL: &[i64] = &[-32020, -32021];

/// One call that no tool should be hurt by.
pub(crate) struct Case {
    pub(crate) what: String,
    pub(crate) arguments: Value,
    /// The field to blame; `None` for arguments that keep to the schema.
    field: Option<String>,
}

impl Case {
    pub(crate) fn check(&self, answer: &Answer, failures: &[&str]) -> Result<()> {
        match (&self.field, answer) {
            (Some(field), Answer::Refused(error)) => {
                ensure!(error["error"] == "VALIDATION_ERROR", "{error}");
                ensure!(
                    error["details"]["field"] == **field,
                    "blames {} in {error}",
                    error["details"]["field"]
                );
            }
            (None, Answer::Refused(error)) => {
                let code = error["error"].as_str().unwrap_or_default();
                ensure!(code != "INTERNAL_ERROR" && code != "TIMEOUT_ERROR", "{error}");
                ensure!(failures.is_empty() || failures.contains(&code), "{error}");
                ensure!(error["message"].as_str().is_some_and(|text| text.len() < 2000), "a long message");
            }
            (None, Answer::Done(_)) if failures.is_empty() => {}
            (_, Answer::Protocol(error))
                if failures.is_empty()
                    && error["code"].as_i64().is_some_and(|code| PROTOCOL.contains(&code)) => {}
            (_, answer) => anyhow::bail!("answered {}", clip(&format!("{answer:?}"))),
        }
        Ok(())
    }
}

/// Every way to break each property of a schema, and values that keep to it but are odd.
pub(crate) fn cases(schema: &Value) -> Vec<Case> {
    // Our own schemas are plain; this one is a fixture of the conformance suite, which only looks at it.
    if schema.get("$defs").is_some() {
        return vec![];
    }
    broken(schema, &good(schema), schema["additionalProperties"] == false, &json!(7))
}

/// The required arguments, each with a value that keeps to the schema.
pub(crate) fn good(schema: &Value) -> Map<String, Value> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.map(|name| (name.to_owned(), example(&schema["properties"][name]))).collect()
}

/// The same for arguments that are good, none of which may be missing; `no_text` is what no text can be made of.
pub(crate) fn broken(
    schema: &Value,
    good: &Map<String, Value>,
    is_closed: bool,
    no_text: &Value,
) -> Vec<Case> {
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let with = |name: &str, value: Value| {
        let mut arguments = good.clone();
        arguments.insert(name.to_owned(), value);
        Value::Object(arguments)
    };

    let mut cases = Vec::new();
    let mut add = |what: String, arguments: Value, field: Option<&str>| {
        cases.push(Case { what, arguments, field: field.map(str::to_owned) });
    };
    for name in good.keys() {
        let mut arguments = good.clone();
        arguments.remove(name);
        add(format!("{name} missing"), Value::Object(arguments), Some(name));
    }
    for (name, property) in properties {
        if let Some(wrong) = wrong(property, no_text) {
            add(format!("{name} is {wrong}"), with(name, wrong), Some(name));
        }
        if property["type"] == "string" && property.get("enum").is_none() {
            add(format!("{name} holds NUL"), with(name, json!("a\0b")), Some(name));
            add(format!("{name} is 1 MB"), with(name, json!("x".repeat(1 << 20))), None);
            add(format!("{name} climbs"), with(name, json!("../../../etc/passwd")), None);
        }
    }
    if is_closed {
        add("an unknown field".into(), with(UNKNOWN, json!(1)), Some(UNKNOWN));
    }
    cases
}

/// A value that keeps to this schema.
pub(crate) fn example(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("string") => json!("x"),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        _ => json!({}),
    }
}

/// A value of another type than this schema's.
fn wrong(schema: &Value, no_text: &Value) -> Option<Value> {
    Some(match schema["type"].as_str()? {
        "string" => no_text.clone(),
        "array" | "object" => json!(7),
        _ => json!("seven"),
    })
}
