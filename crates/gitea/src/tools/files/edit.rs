//! Edits of a text: each replaces a passage that must be there, and be the only one unless all are meant.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::{Error, Result};

/// One replacement.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline, description = "")]
pub(super) struct Edit {
    pub(super) old_string: String,
    pub(super) new_string: String,
    pub(super) replace_all: Option<bool>,
}

/// The text after all edits, one after the other; `field` is where they are among the arguments.
///
/// # Errors
/// For the first passage that is not there, or there more than once.
pub(super) fn apply(mut text: String, edits: &[Edit], field: &str, path: &str) -> Result<String> {
    for (number, Edit { old_string, new_string, replace_all }) in edits.iter().enumerate() {
        let wrong = |what: String| {
            let field = format!("{field}[{number}].old_string");
            Err(Error::argument(field.clone(), format!("{field} {what}; nothing was changed")))
        };
        let all = replace_all.unwrap_or(false);
        match text.matches(old_string.as_str()).count() {
            _ if old_string.is_empty() => return wrong("is empty".into()),
            0 => return wrong(format!("does not occur in {path}, where it must occur exactly once")),
            1 => {}
            _ if all => {}
            count => {
                return wrong(format!("occurs {count} times in {path}; make it longer, or set replace_all"));
            }
        }
        text = text.replace(old_string.as_str(), new_string);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(old: &str, new: &str, all: bool) -> Edit {
        Edit { old_string: old.into(), new_string: new.into(), replace_all: Some(all) }
    }

    #[test]
    fn edits_follow_each_other() {
        let edits = [edit("a", "bb", true), edit("bbc", "d", false)];
        assert_eq!(apply("a-ac".into(), &edits, "edits", "f").unwrap(), "bb-d");
    }

    #[test]
    fn a_passage_must_be_there_once() {
        for (old, told) in [("x", "does not occur"), ("a", "occurs 2 times"), ("", "is empty")] {
            let error = apply("aba".into(), &[edit(old, "y", false)], "edits", "f").unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
