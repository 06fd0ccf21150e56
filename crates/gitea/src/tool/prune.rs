//! Empty fields tell a model nothing and cost it: they go. `items` stays, so that an empty list is one, and so does the `json`
//! of others.
//!
//! It is done on the text of an answer, in one pass: a tree of a large answer would cost more than all else about it.

use memchr::memchr2;

/// Compact JSON without what is empty.
pub(super) fn prune(json: &str) -> String {
    let mut pass = Pass { rest: json, to: String::with_capacity(json.len()) };
    pass.value();
    pass.to
}

struct Pass<'a> {
    rest: &'a str,
    to: String,
}

impl<'a> Pass<'a> {
    /// Copies a value; whether it is empty.
    fn value(&mut self) -> bool {
        match self.rest.as_bytes().first() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.copy(string_end(self.rest)) == r#""""#,
            _ => self.copy(self.rest.find([',', ']', '}']).unwrap_or(self.rest.len())) == "null",
        }
    }

    fn object(&mut self) -> bool {
        self.copy(1);
        let begin = self.to.len();
        while !self.ends("}") {
            let member = self.to.len();
            if member > begin {
                self.to.push(',');
            }
            let name = self.copy(string_end(self.rest));
            self.copy(1);
            if self.value() && !matches!(name, r#""items""# | r#""json""#) {
                self.to.truncate(member);
            }
        }
        self.to.len() == begin + 1
    }

    fn array(&mut self) -> bool {
        self.copy(1);
        let begin = self.to.len();
        while !self.ends("]") {
            if self.to.len() > begin {
                self.to.push(',');
            }
            self.value();
        }
        self.to.len() == begin + 1
    }

    /// Steps over what stands between two members, or copies the end.
    fn ends(&mut self, end: &str) -> bool {
        self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
        let ends = self.rest.is_empty() || self.rest.starts_with(end);
        if ends {
            self.copy(self.rest.len().min(1));
        }
        ends
    }

    fn copy(&mut self, length: usize) -> &'a str {
        let (copied, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.to.push_str(copied);
        copied
    }
}

/// The length of the string that a text begins with, its quotes included.
fn string_end(text: &str) -> usize {
    let mut at = 1;
    while let Some(found) = text.as_bytes().get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if text.as_bytes()[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The same by a tree.
    fn pruned(value: Value) -> Value {
        let is_empty = |value: &Value| match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        };
        match value {
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| (name, pruned(value)));
                fields.filter(|(name, value)| name == "items" || name == "json" || !is_empty(value)).collect()
            }
            Value::Array(items) => items.into_iter().map(pruned).collect(),
            other => other,
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![Just(String::new()), any::<String>(), "[\"\\\\{}\\[\\],:]{0,4}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        let name = prop_oneof![Just("items".to_owned()), Just("json".to_owned()), text];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn is_what_a_tree_would_be(value in any_json()) {
            prop_assert_eq!(prune(&value.to_string()), pruned(value).to_string());
        }
    }

    #[test]
    fn what_is_empty_goes() {
        let value =
            json!({"items": [], "a": "", "b": null, "c": {"d": []}, "e": false, "f": 0, "g": [{}, ""]});
        assert_eq!(prune(&value.to_string()), r#"{"e":false,"f":0,"g":[{},""],"items":[]}"#);
    }
}
