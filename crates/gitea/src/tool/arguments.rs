//! A method's arguments: what its parts take, and what callers may send instead of it.

use std::any::TypeId;
use std::sync::{Mutex, PoisonError};

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// A group of arguments, read by name. Unknown names are looked for in all groups of a method together, so its type
/// needs no `deny_unknown_fields`.
pub(crate) trait Part: DeserializeOwned + JsonSchema + Send + 'static {}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Part for T {}

/// Of a repository, of a list, of what a family is about…
const GROUPS_REMEMBERED: usize = 8;

/// What a method takes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Arguments {
    pub(super) properties: Map<String, Value>,
    pub(super) required: Vec<String>,
}

impl Arguments {
    /// These, and those of one group more.
    pub(super) fn with<P: Part>(mut self) -> Self {
        let part = Self::part::<P>();
        self.properties.extend(part.properties);
        self.required.extend(part.required);
        self
    }

    /// What one group takes. Making schemas is most of a start's work, and most methods have a group in common with
    /// the one before.
    fn part<P: Part>() -> Self {
        static LATELY: Mutex<Vec<(TypeId, Arguments)>> = Mutex::new(vec![]);
        let mut lately = LATELY.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lately.iter().position(|(of, _)| *of == TypeId::of::<P>());
        let part = match known {
            Some(at) => lately.remove(at).1,
            None => Self::of::<P>(),
        };
        lately.truncate(GROUPS_REMEMBERED);
        lately.insert(0, (TypeId::of::<P>(), part.clone()));
        part
    }

    fn of<P: Part>() -> Self {
        let mut arguments = Self::default();
        let schema = SchemaGenerator::default().into_root_schema_for::<P>();
        let mut schema = kit::schema::plain(schema.as_object().unwrap_or(&Map::new()));
        if let Some(Value::Object(properties)) = schema.remove("properties") {
            for (name, mut property) in properties {
                shorten(&mut property);
                arguments.properties.insert(name, property);
            }
        }
        if let Some(Value::Array(required)) = schema.remove("required") {
            arguments.required = required.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        arguments
    }

    /// For keeping.
    pub(super) fn pack(&self) -> Box<str> {
        serde_json::to_string(self).expect("a schema is JSON").into()
    }

    /// What was packed.
    pub(super) fn unpack(packed: &str) -> Self {
        serde_json::from_str(packed).expect("it was packed by us")
    }

    /// Only what the chassis must know of: which are secret, and what the one called `kept` may be.
    pub(super) fn bare(mut self, kept: &str) -> Self {
        let secret = |property: &Value| property.get("format").is_some_and(|it| it == "password");
        self.properties.retain(|name, property| name == kept || secret(property));
        self.required.clear();
        self
    }

    /// A method that changes something can tell instead what it would do.
    pub(super) fn offer_dry_run(&mut self) {
        self.properties.insert(DRY_RUN.to_owned(), json!({"type": "boolean"}));
    }

    /// Brings what a caller sent into the shape that the parts read: absent instead of null, and numbers, booleans and
    /// lists out of the strings that models make of them.
    ///
    /// # Errors
    /// For a name that the method does not know, and for a value of another kind than its schema's: whatever reads it
    /// then, the error names it.
    pub(super) fn settle(&self, arguments: &mut Map<String, Value>, whose: &str) -> Result<()> {
        arguments.retain(|_, value| !value.is_null());
        for (name, value) in arguments {
            let Some(property) = self.properties.get(name) else {
                let known = self.properties.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let message = format!("{} is no argument of {whose}, which takes {known}", kit::clip(name));
                return Err(Error::argument(kit::clip(name), message));
            };
            convert(value, property);
            if let Some(kind) = other_than(value, property) {
                return Err(Error::argument(name, format!("{name} must be {kind}")));
            }
        }
        Ok(())
    }
}

/// The argument that every method which changes something has.
pub(super) const DRY_RUN: &str = "dry_run";

/// The listing is what a model is given with every request: nothing in it that says what goes without saying.
fn shorten(property: &mut Value) {
    let Some(schema) = property.as_object_mut() else { return };
    for key in ["minimum", "maximum", "title"] {
        schema.remove(key);
    }
    if schema.get("description").is_some_and(|text| text == "") {
        schema.remove("description");
    }
    if let Some(items) = schema.get_mut("items") {
        shorten(items);
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(shorten);
    }
}

/// What a value should be and is not.
fn other_than(value: &Value, property: &Value) -> Option<&'static str> {
    let (fits, kind) = match property.get("type")?.as_str()? {
        "string" => (value.is_string(), "a text"),
        "integer" => (value.is_i64() || value.is_u64(), "a whole number"),
        "number" => (value.is_number(), "a number"),
        "boolean" => (value.is_boolean(), "true or false"),
        "array" => (value.is_array(), "a list"),
        "object" => (value.is_object(), "an object"),
        _ => return None,
    };
    (!fits).then_some(kind)
}

fn convert(value: &mut Value, property: &Value) {
    let kind = property.get("type").and_then(Value::as_str).unwrap_or_default();
    let better = match (kind, &*value) {
        ("integer" | "number", Value::String(text)) => {
            text.trim().parse::<serde_json::Number>().ok().map(Value::Number)
        }
        // To JavaScript, 7.0 is 7.
        ("integer", Value::Number(number)) => whole(number).map(Value::from),
        ("boolean", Value::String(text)) => text.trim().parse().ok().map(Value::Bool),
        ("string", Value::Number(number)) => Some(Value::String(number.to_string())),
        ("array", Value::String(text)) => Some(match serde_json::from_str(text) {
            Ok(Value::Array(items)) => Value::Array(items),
            _ => json!([text]),
        }),
        ("object", Value::String(text)) => serde_json::from_str(text).ok().filter(Value::is_object),
        _ => None,
    };
    if let Some(better) = better {
        *value = better;
    }
    if let (Value::Array(items), Some(property)) = (value, property.get("items")) {
        items.iter_mut().for_each(|item| convert(item, property));
    }
}

/// A number with a fraction of nothing, as far as such numbers are exact.
fn whole(number: &serde_json::Number) -> Option<i64> {
    let float = number.as_f64().filter(|it| number.is_f64() && it.fract() == 0.0 && it.abs() < EXACT)?;
    Some(float as i64)
}

const EXACT: f64 = (1_u64 << 53) as f64;

#[cfg(test)]
mod tests {
    use super::*;
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only read")]
    struct Sample {
        /// Which.
        number: u64,
        flag: Option<bool>,
        names: Option<Vec<String>>,
    }

    fn sample() -> Arguments {
        Arguments::default().with::<Sample>()
    }

    #[test]
    fn the_schema_is_short() {
        let Arguments { properties, required } = sample();
        assert_eq!(required, ["number"]);
        assert_eq!(
            Value::Object(properties),
            json!({
                "number": {"type": "integer", "description": "Which."},
                "flag": {"type": "boolean"},
                "names": {"type": "array", "items": {"type": "string"}},
            })
        );
    }

    #[test]
    fn takes_what_models_send() {
        let mut sent = json!({"number": "7", "flag": "true", "names": [1, "two"]});
        let sent = sent.as_object_mut().unwrap();
        sample().settle(sent, "x").unwrap();
        assert_eq!(Value::Object(sent.clone()), json!({"number": 7, "flag": true, "names": ["1", "two"]}));
        let mut sent = json!({"number": 7.0});
        let sent = sent.as_object_mut().unwrap();
        sample().settle(sent, "x").unwrap();
        assert_eq!(sent["number"], json!(7));
        let mut sent = json!({"number": 1, "flag": null, "names": "one"});
        let sent = sent.as_object_mut().unwrap();
        sample().settle(sent, "x").unwrap();
        assert_eq!(Value::Object(sent.clone()), json!({"number": 1, "names": ["one"]}));
    }

    #[test]
    fn an_unknown_name_is_told() {
        let mut sent = json!({"numer": 7});
        let error = sample().settle(sent.as_object_mut().unwrap(), "issue_read's get").unwrap_err();
        assert_eq!(
            error.to_string(),
            "numer is no argument of issue_read's get, which takes flag, names, number"
        );
    }

    #[test]
    fn a_value_of_another_kind_is_told_by_its_name() {
        for (sent, message) in [
            (json!({"number": "seven"}), "number must be a whole number"),
            (json!({"number": 7.5}), "number must be a whole number"),
            (json!({"number": 1e300}), "number must be a whole number"),
            (json!({"number": 1, "flag": 1}), "flag must be true or false"),
            (json!({"number": 1, "names": {"a": 1}}), "names must be a list"),
        ] {
            let error = sample().settle(sent.clone().as_object_mut().unwrap(), "x").unwrap_err();
            assert_eq!(error.to_string(), message, "{sent}");
        }
    }
}
