//! Plain tool schemas: no references, no unions, no boolean schemas, so that every vendor's client takes them.

use serde_json::{Map, Value};

/// Rewrites a generated schema: inlines `$ref`, drops `null` alternatives and number formats. One with a
/// condition was written by hand, for what plain words cannot say, and is left as it is.
pub fn plain(schema: &Map<String, Value>) -> Map<String, Value> {
    if schema.contains_key("if") {
        return schema.clone();
    }
    let definitions = schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut root = Value::Object(schema.clone());
    flatten(&mut root, &definitions, 0);
    let Value::Object(mut root) = root else { return Map::new() };
    root.remove("$schema");
    root.remove("$defs");
    root.remove("title");
    root
}

/// Deeper than this only a type that contains itself goes; such a type is left open.
const MAX_DEPTH: usize = 32;

fn flatten(node: &mut Value, definitions: &Map<String, Value>, depth: usize) {
    let Some(object) = node.as_object_mut() else { return };
    if let Some(reference) = object.remove("$ref") {
        let name = reference.as_str().and_then(|path| path.strip_prefix("#/$defs/")).unwrap_or_default();
        if depth < MAX_DEPTH
            && let Some(Value::Object(target)) = definitions.get(name)
        {
            for (key, value) in target {
                object.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        object.remove("title");
    }
    drop_null(object, definitions);
    if let Some(variants) = constants(object) {
        object.remove("oneOf");
        object.insert("type".into(), "string".into());
        object.insert("enum".into(), variants.into());
    }
    // `uint32`, `double`… are not formats of JSON Schema; `minimum` says the same.
    if matches!(object.get("type").and_then(Value::as_str), Some("integer" | "number")) {
        object.remove("format");
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for property in properties.values_mut() {
            if property.is_boolean() {
                *property = Value::Object(Map::new());
            }
            flatten(property, definitions, depth + 1);
        }
    }
    if object.get("additionalProperties") == Some(&Value::Bool(true)) {
        object.remove("additionalProperties");
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = object.get_mut(key) {
            if key == "items" && child.is_boolean() {
                *child = Value::Object(Map::new());
            }
            flatten(child, definitions, depth + 1);
        }
    }
}

/// `T or null` becomes `T`: an optional field is absent, never null.
fn drop_null(object: &mut Map<String, Value>, definitions: &Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get("type") {
        let mut types: Vec<Value> = types.iter().filter(|kind| *kind != "null").cloned().collect();
        if types.len() == 1
            && let Some(kind) = types.pop()
        {
            object.insert("type".into(), kind);
        }
        if let Some(Value::Array(values)) = object.get_mut("enum") {
            values.retain(|value| !value.is_null());
        }
        if object.get("default") == Some(&Value::Null) {
            object.remove("default");
        }
    }
    if let Some(Value::Array(choices)) = object.get("anyOf") {
        let mut choices: Vec<Value> = choices.iter().filter(|it| it["type"] != "null").cloned().collect();
        if choices.len() == 1
            && let Some(Value::Object(mut only)) = choices.pop()
        {
            object.remove("anyOf");
            if let Some(Value::String(path)) = only.remove("$ref")
                && let Some(Value::Object(target)) = definitions.get(path.trim_start_matches("#/$defs/"))
            {
                only.extend(target.clone());
                only.remove("title");
            }
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
            if object.get("default") == Some(&Value::Null) {
                object.remove("default");
            }
        }
    }
}

/// An enum whose variants have doc comments comes as `oneOf` of constants.
fn constants(object: &Map<String, Value>) -> Option<Vec<Value>> {
    let variants = object.get("oneOf")?.as_array()?;
    let mut values = vec![];
    for variant in variants {
        match (variant.get("const"), variant.get("enum").and_then(Value::as_array)) {
            (Some(value), _) => values.push(value.clone()),
            (None, Some(several)) => values.extend(several.iter().cloned()),
            (None, None) => return None,
        }
    }
    Some(values)
}

/// What is not plain in a schema: paths of references, unions and boolean schemas. For tests.
pub fn faults(schema: &Value) -> Vec<String> {
    let mut found = vec![];
    search(schema, "", &mut found);
    found
}

fn search(node: &Value, path: &str, found: &mut Vec<String>) {
    let Some(object) = node.as_object() else {
        found.push(format!("{path}: not an object"));
        return;
    };
    for key in ["$ref", "$defs", "anyOf", "oneOf", "allOf", "not"] {
        if object.contains_key(key) {
            found.push(format!("{path}: {key}"));
        }
    }
    if object.get("type").is_some_and(Value::is_array) {
        found.push(format!("{path}: several types"));
    }
    if let Some(Value::Object(properties)) = object.get("properties") {
        for (name, property) in properties {
            search(property, &format!("{path}/{name}"), found);
        }
    }
    if let Some(items) = object.get("items") {
        search(items, &format!("{path}[]"), found);
    }
    match object.get("additionalProperties") {
        Some(Value::Bool(false)) | None => {}
        Some(other) => search(other, &format!("{path}/*"), found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::{JsonSchema, schema_for};
    use serde::Serialize;

    #[derive(Serialize, JsonSchema)]
    struct Outer {
        /// How many.
        count: Option<u32>,
        inner: Option<Inner>,
        list: Vec<Inner>,
        map: std::collections::BTreeMap<String, Inner>,
        open: Map<String, Value>,
        any: Value,
        anys: Vec<Value>,
    }

    #[derive(Serialize, JsonSchema)]
    struct Inner {
        kind: Kind,
        maybe: Option<Kind>,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Kind {
        /// The one.
        One,
        /// The other.
        Two,
    }

    #[test]
    fn becomes_plain() {
        let schema = plain(schema_for!(Outer).as_object().expect("object"));
        let schema = Value::Object(schema);
        assert_eq!(faults(&schema), Vec::<String>::new(), "{schema:#}");
        assert_eq!(schema["properties"]["count"]["type"], "integer");
        assert_eq!(schema["properties"]["count"]["description"], "How many.");
        let kind = &schema["properties"]["list"]["items"]["properties"]["kind"];
        assert_eq!(kind["enum"], serde_json::json!(["one", "two"]));
        assert_eq!(
            schema["properties"]["inner"]["properties"]["maybe"]["enum"].as_array().map(Vec::len),
            Some(2)
        );
    }

    #[test]
    fn a_condition_is_left_as_it_was_written() {
        let schema =
            serde_json::json!({"$schema": "x", "type": "object", "if": {}, "then": {"$ref": "#/$defs/y"}});
        let schema = schema.as_object().expect("object");
        assert_eq!(plain(schema), *schema);
    }
}
