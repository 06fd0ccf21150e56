//! What changes while the server runs: one prompt comes and goes, one resource counts.

use std::sync::PoisonError;

use kit::List;
use rmcp::{tool, tool_router};

use crate::Everything;
use crate::resources::WATCHED;

/// The state that can change.
#[derive(Clone, Copy, Default)]
pub(crate) struct State {
    /// Whether the prompt that comes and goes is there.
    pub(crate) extra_prompt: bool,
    /// How often the watched resource was changed.
    pub(crate) count: u64,
}

#[tool_router(router = changes, vis = "pub(crate)")]
impl Everything {
    /// Adds the prompt `test_dynamic_prompt`, or takes it away again.
    #[tool(
        title = "Change the prompts",
        annotations(read_only_hint = false, destructive_hint = false, open_world_hint = false)
    )]
    async fn test_trigger_prompt_change(&self) -> String {
        self.change(|state| state.extra_prompt = !state.extra_prompt);
        self.kit.list_changed(List::Prompts);
        "The list of prompts has changed.".into()
    }

    /// Changes the resource `test://watched-resource`.
    #[tool(
        title = "Change the watched resource",
        annotations(read_only_hint = false, destructive_hint = false, open_world_hint = false)
    )]
    async fn test_trigger_resource_change(&self) -> String {
        self.change(|state| state.count += 1);
        self.kit.resource_updated(WATCHED);
        "The resource has changed.".into()
    }

    /// The state as it is now.
    pub(crate) fn state(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
