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
/// For the first passage that is not there, or there more than once, and for edits that leave the text as it is.
pub(super) fn apply(was: &str, edits: &[Edit], field: &str, path: &str) -> Result<String> {
    if edits.is_empty() {
        return Err(Error::argument(field, format!("{field} is empty; nothing was changed")));
    }
    let mut text = was.to_owned();
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
    if text == was {
        return Err(Error::argument(field, format!("{field} change nothing: {path} is like that already")));
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
        assert_eq!(apply("a-ac", &edits, "edits", "f").unwrap(), "bb-d");
    }

    #[test]
    fn a_passage_must_be_there_once() {
        for (old, told) in [("x", "does not occur"), ("a", "occurs 2 times"), ("", "is empty")] {
            let error = apply("aba", &[edit(old, "y", false)], "edits", "f").unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn edits_that_change_nothing_are_told() {
        let error = |edits: &[Edit]| apply("aba", edits, "edits", "f").unwrap_err().to_string();
        assert!(error(&[]).contains("is empty"));
        assert!(error(&[edit("b", "b", false)]).contains("like that already"));
        assert!(error(&[edit("b", "c", false), edit("c", "b", false)]).contains("like that already"));
    }
}
