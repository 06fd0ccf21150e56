//! JSON as `google.protobuf.Struct` and back. A Struct has no integers, only doubles: one that is whole and exact
//! becomes an integer again.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as Proto};
use serde_json::{Map, Number, Value};

use crate::ToolError;

/// The largest integer up to which every integer is a double: 2^53 - 1.
const EXACT: f64 = 9_007_199_254_740_991.0;

/// An object as a Struct; integers beyond 2^53 are rounded.
pub(super) fn of(object: &Map<String, Value>) -> Struct {
    Struct { fields: object.iter().map(|(name, value)| (name.clone(), proto(value))).collect() }
}

fn proto(value: &Value) -> Proto {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => Kind::ListValue(ListValue { values: items.iter().map(proto).collect() }),
        Value::Object(object) => Kind::StructValue(of(object)),
    };
    Proto { kind: Some(kind) }
}

/// A Struct as arguments.
///
/// # Errors
/// `VALIDATION_ERROR` for a number that JSON does not have.
pub(super) fn arguments(structure: Struct) -> Result<Map<String, Value>, ToolError> {
    let argument = |(name, value): (String, Proto)| match json(value) {
        Some(value) => Ok((name, value)),
        None => Err(ToolError::invalid(&name, format!("{name} holds a number that is not finite"))),
    };
    structure.fields.into_iter().map(argument).collect()
}

fn json(value: Proto) -> Option<Value> {
    Some(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::NumberValue(number)) => Value::Number(exact(number)?),
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        Some(Kind::StructValue(structure)) => structure
            .fields
            .into_iter()
            .map(|(name, value)| Some((name, json(value)?)))
            .collect::<Option<Map<_, _>>>()?
            .into(),
    })
}

/// Beyond 2^53 - 1 a whole double may stand for another integer than was meant: it stays a double, which a tool
/// that wants an integer refuses.
#[expect(clippy::cast_possible_truncation, reason = "whole and in the range of i64")]
fn exact(number: f64) -> Option<Number> {
    if number.fract() == 0.0 && number.abs() <= EXACT {
        Some((number as i64).into())
    } else {
        Number::from_f64(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn back(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("an object") };
        arguments(of(&object)).expect("finite")
    }

    #[test]
    fn whole_numbers_are_integers_again_as_far_as_they_are_exact() {
        assert_eq!(back(json!({"n": 7, "m": -7, "zero": 0.0}))["n"], json!(7));
        assert!(back(json!({"n": 9_007_199_254_740_991_u64}))["n"].is_i64());
        assert!(back(json!({"n": 9_007_199_254_740_993_u64}))["n"].is_f64());
        assert_eq!(back(json!({"x": 0.5}))["x"], json!(0.5));
    }

    #[test]
    fn a_number_that_is_none_names_its_argument() {
        let nan = Proto { kind: Some(Kind::NumberValue(f64::NAN)) };
        let list = Proto { kind: Some(Kind::ListValue(ListValue { values: vec![nan] })) };
        let error = arguments(Struct { fields: [("xs".to_owned(), list)].into() }).expect_err("refused");
        assert_eq!(error.details["field"], "xs");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1_i64 << 53) + 1..1_i64 << 53).prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..4)
                    .prop_map(|object| Value::Object(object.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_exact_survives_the_way_there_and_back(value in values()) {
            let object = json!({"value": value});
            prop_assert_eq!(Value::Object(back(object.clone())), object);
        }
    }
}
