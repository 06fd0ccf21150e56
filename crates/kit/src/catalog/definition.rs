//! A tool's definition as it is kept: as JSON, since trees of what is seldom looked at would be most of an idle server's
//! memory.

use anyhow::Context;
use rmcp::model::Tool;

/// A definition, for looking at now and then.
pub(crate) struct Definition(Box<str>);

impl Definition {
    /// Of this tool.
    ///
    /// # Errors
    /// For one that does not come back from its JSON as it was.
    pub(super) fn pack(tool: &Tool) -> anyhow::Result<Self> {
        let unlike = || format!("tool {} is not what its JSON says", tool.name);
        let packed = Self(serde_json::to_string(tool).with_context(unlike)?.into());
        let unpacked: Tool = serde_json::from_str(&packed.0).with_context(unlike)?;
        anyhow::ensure!(unpacked == *tool, unlike());
        Ok(packed)
    }

    /// The tool.
    pub(crate) fn tool(&self) -> Tool {
        serde_json::from_str(&self.0).expect("it was read when it was packed")
    }
}
