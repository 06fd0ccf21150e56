//! `tools`: the catalogue as it is listed to a caller who may everything that the settings allow.

use rmcp::model::Tool;

use super::table::table;

/// The tools, for people or as the definitions MCP lists.
///
/// # Errors
/// None that is known: definitions are JSON.
pub(crate) fn catalogue(tools: &[Tool], json: bool) -> anyhow::Result<String> {
    if json {
        return Ok(serde_json::to_string_pretty(tools)? + "\n");
    }
    let rows: Vec<_> = tools.iter().map(|tool| (tool.name.as_ref(), marks(tool), summary(tool))).collect();
    let rows: Vec<_> = rows.iter().map(|(name, marks, summary)| [*name, marks, summary]).collect();
    Ok(table(&rows))
}

/// In MCP a tool that says nothing writes and may destroy.
fn marks(tool: &Tool) -> String {
    let hints = tool.annotations.clone().unwrap_or_default();
    if hints.read_only_hint == Some(true) {
        return "read-only".to_owned();
    }
    let destructive = (hints.destructive_hint != Some(false)).then_some("destructive");
    let idempotent = (hints.idempotent_hint == Some(true)).then_some("idempotent");
    let marks: Vec<_> = ["writes"].into_iter().chain(destructive).chain(idempotent).collect();
    marks.join(", ")
}

/// Its title and the first sentence of its description.
fn summary(tool: &Tool) -> String {
    let description = tool.description.as_deref().unwrap_or_default();
    let paragraph = description.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let sentence = match paragraph.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => paragraph,
    };
    format!("{}: {sentence}", tool.title.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rmcp::model::ToolAnnotations;

    use super::*;

    #[test]
    fn a_tool_is_one_line() {
        let schema = Arc::new(serde_json::Map::new());
        let tool = |name: &'static str, hints| {
            Tool::new(name, "Does it,\nall of it. And more.\n\nMuch more.", schema.clone())
                .with_title("Do")
                .with_annotations(hints)
        };
        let tools = [
            tool("look", ToolAnnotations::new().read_only(true)),
            tool("wipe", ToolAnnotations::new().read_only(false).idempotent(true)),
            tool("add", ToolAnnotations::new().destructive(false)),
        ];
        let text = catalogue(&tools, false).expect("text");
        let expected = "  look  read-only                        Do: Does it, all of it.\n  \
                        wipe  writes, destructive, idempotent  Do: Does it, all of it.\n  \
                        add   writes                           Do: Does it, all of it.\n";
        assert_eq!(text, expected);
    }
}
