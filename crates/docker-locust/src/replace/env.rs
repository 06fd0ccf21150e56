//! One variable in a container's environment: set in place, once.

use serde_json::Value;

use crate::error::{Error, Result};

/// The kernel takes no longer `KEY=value` (with its NUL).
const MAX_ENTRY: usize = 128 << 10;

/// What setting a variable did to the list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The new list.
    pub env: Vec<String>,
    /// Whether it differs from the old one.
    pub changed: bool,
    /// Whether the variable was there before.
    pub existed: bool,
}

/// Refuses what no environment can hold.
pub(crate) fn check(key: &str, value: &str) -> Result<()> {
    let problem = |field, message: &str| Err(Error::Argument { field, message: message.to_owned() });
    if key.is_empty() {
        return problem("key", "key is empty");
    }
    if key.contains('=') {
        return problem("key", "key must not hold =; the value is an argument of its own");
    }
    if key.chars().any(|char| char.is_control() || char.is_whitespace()) {
        return problem("key", "key must not hold spaces or control characters");
    }
    if key.len() > 1024 {
        return problem("key", "key is longer than 1024 bytes");
    }
    if value.contains('\0') {
        return problem("value", "value must not hold NUL");
    }
    if key.len() + value.len() + 2 > MAX_ENTRY {
        return problem(
            "value",
            "value is longer than an environment variable can be (128 KiB with its name)",
        );
    }
    Ok(())
}

/// Sets `key` where it stands first and drops its other occurrences: which of several would count depends on
/// the program that reads them.
pub(crate) fn set(env: &[Value], key: &str, value: &str) -> Edit {
    let entry = format!("{key}={value}");
    let of_key =
        |text: &str| text.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    let mut list = Vec::with_capacity(env.len() + 1);
    let (mut existed, mut changed) = (false, false);
    for text in env.iter().filter_map(Value::as_str) {
        if !of_key(text) {
            list.push(text.to_owned());
        } else if existed {
            changed = true;
        } else {
            existed = true;
            changed |= text != entry;
            list.push(entry.clone());
        }
    }
    if !existed {
        list.push(entry);
    }
    Edit { env: list, changed: changed || !existed, existed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn edit(env: Value, key: &str, value: &str) -> (Vec<String>, bool, bool) {
        let edit = set(env.as_array().map_or(&[], Vec::as_slice), key, value);
        (edit.env, edit.changed, edit.existed)
    }

    #[test]
    fn sets_in_place_or_adds() {
        let env = json!(["A=1", "AB=2", "C=3"]);
        assert_eq!(
            edit(env.clone(), "AB", "9"),
            (vec!["A=1".into(), "AB=9".into(), "C=3".into()], true, true)
        );
        assert_eq!(
            edit(env.clone(), "B", ""),
            (vec!["A=1".into(), "AB=2".into(), "C=3".into(), "B=".into()], true, false)
        );
        assert!(!edit(env, "A", "1").1);
        assert_eq!(edit(Value::Null, "A", "1"), (vec!["A=1".into()], true, false));
    }

    #[test]
    fn a_key_that_is_there_twice_is_there_once_afterwards() {
        let env = json!(["A=1", "B=2", "A=3", "A"]);
        assert_eq!(edit(env, "A", "1"), (vec!["A=1".into(), "B=2".into()], true, true));
    }

    #[test]
    fn names_the_bad_argument() {
        let long = "v".repeat(MAX_ENTRY);
        for (key, value, field) in [
            ("", "", "key"),
            ("A=B", "", "key"),
            ("A B", "", "key"),
            ("A\n", "", "key"),
            ("A", "\0", "value"),
            ("A", &long, "value"),
        ] {
            let Err(Error::Argument { field: named, .. }) = check(key, value) else { panic!("{key:?}") };
            assert_eq!(named, field);
        }
        check("http_proxy", "a=b\nc").unwrap();
    }
}
