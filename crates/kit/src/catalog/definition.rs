//! A tool's definition as it is kept: as JSON, since trees of what is seldom looked at would be most of an idle server's
//! memory.

use rmcp::model::Tool;

/// A definition, for looking at now and then.
pub(crate) struct Definition(Box<str>);

impl Definition {
    /// Of this tool.
    pub(super) fn pack(tool: &Tool) -> Self {
        Self(serde_json::to_string(tool).expect("a definition is JSON").into())
    }

    /// The tool.
    pub(crate) fn tool(&self) -> Tool {
        serde_json::from_str(&self.0).expect("it was packed by us")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rmcp::model::ToolAnnotations;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tool_comes_back_as_it_was() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "integer", "maximum": u64::MAX}}});
        let schema = Arc::new(schema.as_object().expect("object").clone());
        let mut tool = Tool::new("name", "What \"it\" does", schema.clone()).with_title("Title");
        tool.output_schema = Some(schema);
        tool.annotations = Some(ToolAnnotations::new().read_only(true).open_world(false));
        assert_eq!(Definition::pack(&tool).tool(), tool);
    }
}
