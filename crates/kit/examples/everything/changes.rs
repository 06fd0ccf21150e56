//! What changes while the server runs: one prompt comes and goes, one resource counts. Later clients listen for
//! that, clients of 2025 are told in their session.

use futures::future::join_all;
use rmcp::service::{SubscriptionContext, SubscriptionSendError};
use rmcp::{tool, tool_router};
use tokio::sync::watch;

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
        self.state.send_modify(|state| state.extra_prompt = !state.extra_prompt);
        let clients = self.clients.all();
        // Not in this request's stream, and not for this request to wait for.
        tokio::spawn(async move { join_all(clients.iter().map(|it| it.notify_prompt_list_changed())).await });
        "The list of prompts has changed.".into()
    }

    /// Changes the resource `test://watched-resource`.
    #[tool(
        title = "Change the watched resource",
        annotations(read_only_hint = false, destructive_hint = false, open_world_hint = false)
    )]
    async fn test_trigger_resource_change(&self) -> String {
        self.state.send_modify(|state| state.count += 1);
        let clients = self.clients.watchers(WATCHED);
        tokio::spawn(async move {
            let news = rmcp::model::ResourceUpdatedNotificationParam::new(WATCHED);
            join_all(clients.iter().map(|it| it.notify_resource_updated(news.clone()))).await
        });
        "The resource has changed.".into()
    }
}

/// Tells a listener of every change until it leaves or the server stops.
pub(crate) async fn tell(listener: &SubscriptionContext, mut state: watch::Receiver<State>) {
    let mut told = *state.borrow_and_update();
    loop {
        tokio::select! {
            () = listener.cancelled() => return,
            changed = state.changed() => if changed.is_err() { return },
        }
        let now = *state.borrow_and_update();
        let sink = listener.sink();
        if now.extra_prompt != told.extra_prompt && gone(sink.notify_prompt_list_changed().await) {
            return;
        }
        if now.count != told.count && gone(sink.notify_resource_updated(WATCHED).await) {
            return;
        }
        told = now;
    }
}

/// Whether nobody listens any more; a change the listener did not ask for does not mean that.
fn gone(sent: Result<(), SubscriptionSendError>) -> bool {
    !matches!(sent, Ok(()) | Err(SubscriptionSendError::NotificationNotAccepted(_)))
}
