//! `--confirm-destructive`: how the argument `confirm` is offered and taken, and what the user is asked.

use anyhow::ensure;
use rmcp::RoleServer;
use rmcp::model::{CallToolRequestParams, JsonObject, Tool};
use rmcp::service::RequestContext;
use serde_json::{Map, Value, json};

use crate::ask::{Asker, CONFIRM};
use crate::auth::Role;
use crate::catalog::Entry;
use crate::{ToolError, audit};

/// What a tool has to do with confirmations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Confirms {
    /// Its argument `confirm` is ours, and not to be seen by it.
    ours: bool,
    /// It has such an argument, ours or its own.
    argument: bool,
}

impl Confirms {
    /// Decides for one tool, and offers the argument where the tool has none and is confirmed `first`.
    ///
    /// # Errors
    /// When the tool has an argument of that name that is no boolean.
    pub(crate) fn offer(tool: &Tool, schema: &mut JsonObject, first: bool) -> anyhow::Result<Self> {
        let properties = schema.entry("properties").or_insert_with(|| Map::new().into());
        let Value::Object(properties) = properties else { return Ok(Self::default()) };
        match properties.get(CONFIRM) {
            Some(own) => {
                let boolean = own["type"] == "boolean";
                ensure!(boolean || !first, "tool {}: its argument {CONFIRM} is no boolean", tool.name);
                Ok(Self { ours: false, argument: boolean })
            }
            None if first => {
                let description =
                    "Whether the user has agreed to this call. Only for clients that cannot ask the user.";
                properties.insert(CONFIRM.into(), json!({"type": "boolean", "description": description}));
                Ok(Self { ours: true, argument: true })
            }
            None => Ok(Self::default()),
        }
    }

    /// What the argument says; ours is taken out.
    pub(crate) fn take(self, arguments: &mut Option<JsonObject>) -> Option<bool> {
        let arguments = arguments.as_mut().filter(|_| self.argument)?;
        let said = arguments.get(CONFIRM)?.as_bool()?;
        if self.ours {
            arguments.remove(CONFIRM);
        }
        Some(said)
    }
}

/// Has the user agree to a call before its tool runs.
///
/// # Errors
/// As of [`Asker::confirm`].
pub(crate) async fn first<S>(
    entry: &Entry<S>,
    params: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<(), ToolError> {
    let question = question(&entry.definition(Role::Admin), params.arguments.as_ref(), &entry.secrets);
    Asker::of(context).confirm(&question).await
}

/// What the user reads: the tool, and its arguments with secrets masked, as JSON so that none can pose as words of
/// ours.
fn question(tool: &Tool, arguments: Option<&JsonObject>, secrets: &[String]) -> String {
    let shown = Value::from(arguments.map(|it| audit::mask(it, secrets)).unwrap_or_default());
    let shown = visible(&shown.to_string());
    let title = tool.title.as_deref().unwrap_or(&tool.name);
    format!("{title}: this calls {} with {shown}, which may destroy something.", tool.name)
}

/// JSON leaves as they are what breaks a line, turns its direction or is not seen at all: that is written as escapes.
fn visible(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => text.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool() -> Tool {
        Tool::new("wipe", "Wipes", Map::new()).with_title("Wipe")
    }

    fn object(value: Value) -> JsonObject {
        value.as_object().expect("object").clone()
    }

    #[test]
    fn the_argument_is_offered_and_the_tool_does_not_see_it() {
        let mut schema = object(json!({"type": "object"}));
        let confirms = Confirms::offer(&tool(), &mut schema, true).expect("offered");
        assert_eq!(schema["properties"]["confirm"]["type"], "boolean");
        let mut arguments = Some(object(json!({"disk": "a", "confirm": true})));
        assert_eq!(confirms.take(&mut arguments), Some(true));
        assert_eq!(arguments, Some(object(json!({"disk": "a"}))));
        // One of the wrong type stays, and the tool refuses it by name.
        let mut arguments = Some(object(json!({"confirm": "yes"})));
        assert_eq!(confirms.take(&mut arguments), None);
        assert!(arguments.expect("arguments").contains_key("confirm"));
    }

    #[test]
    fn a_tools_own_argument_stays_its_own() {
        let mut schema = object(json!({"properties": {"confirm": {"type": "boolean"}}}));
        let confirms = Confirms::offer(&tool(), &mut schema, false).expect("taken");
        let mut arguments = Some(object(json!({"confirm": true})));
        assert_eq!(confirms.take(&mut arguments), Some(true));
        assert!(arguments.expect("arguments").contains_key("confirm"));
        let mut schema = object(json!({"properties": {"confirm": {"type": "string"}}}));
        Confirms::offer(&tool(), &mut schema, true).expect_err("no boolean");
    }

    #[test]
    fn secrets_are_not_shown_to_the_user() {
        let arguments = object(json!({"value": "hush", "api_key": "hush", "disk": "a"}));
        let question = question(&tool(), Some(&arguments), &["value".to_owned()]);
        assert!(question.contains("\"disk\":\"a\"") && !question.contains("hush"), "{question}");
    }

    #[test]
    fn what_cannot_be_seen_is_shown_to_the_user() {
        let arguments = object(json!({"disk": "a\u{202e}b\u{2028}c\u{200b}d\u{7f}\n é 漢"}));
        let question = question(&tool(), Some(&arguments), &[]);
        assert!(question.contains(r"a\u202eb\u2028c\u200bd\u007f\n é 漢"), "{question}");
    }
}
