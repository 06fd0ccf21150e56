//! What edits have in common: that something is given, and that forges take a text that is empty for none.

use serde::Serialize;

use crate::error::{Error, Result};

/// Refuses an edit that holds nothing; `fields` are what it could hold, the first of them the argument to name.
pub(crate) fn something(edit: &impl Serialize, fields: &[&str]) -> Result<()> {
    let edit = serde_json::to_value(edit).unwrap_or_default();
    if edit.as_object().is_none_or(|fields| !fields.is_empty()) {
        return Ok(());
    }
    let message = format!("nothing to change: give {} or another field", fields.join(", "));
    Err(Error::argument(fields.first().copied().unwrap_or_default(), message))
}

/// Refuses a text that was to be empty and `is` not.
pub(crate) fn emptied(field: &str, wanted: Option<&str>, is: Option<&str>) -> Result<()> {
    match (wanted, is) {
        (Some(""), Some(is)) if !is.is_empty() => {
            let message =
                format!("{field} cannot be emptied: it is as it was; what else was given is changed");
            Err(Error::argument(field, message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_edit_holds_something() {
        assert!(something(&json!({"title": ""}), &["title"]).is_ok());
        let error = something(&json!({}), &["title", "body"]).unwrap_err().to_string();
        assert_eq!(error, "nothing to change: give title, body or another field");
    }

    #[test]
    fn what_was_to_be_empty_is() {
        for (wanted, is) in
            [(None, Some("x")), (Some("y"), Some("x")), (Some(""), Some("")), (Some(""), None)]
        {
            assert!(emptied("title", wanted, is).is_ok(), "{wanted:?} {is:?}");
        }
        assert!(emptied("title", Some(""), Some("x")).is_err());
    }
}
