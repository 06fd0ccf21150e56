//! A container as the engine describes it: the raw JSON, and by name the few facts we act on.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// An inspected container.
#[derive(Debug, Clone)]
pub(crate) struct Container(pub Value);

impl Container {
    /// Its full id.
    pub(crate) fn id(&self) -> &str {
        self.text("/Id")
    }

    /// The 12 digits of the id that the engine uses as a host name and alias.
    pub(crate) fn short_id(&self) -> &str {
        short(self.id())
    }

    /// Its name, without the slash.
    pub(crate) fn name(&self) -> &str {
        self.text("/Name").trim_start_matches('/')
    }

    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub(crate) fn status(&self) -> &str {
        self.text("/State/Status")
    }

    /// Whether it runs (between two restarts of its policy counts too).
    pub(crate) fn running(&self) -> bool {
        self.0.pointer("/State/Running").and_then(Value::as_bool).unwrap_or(false)
    }

    /// When it was last started.
    pub(crate) fn started_at(&self) -> &str {
        self.text("/State/StartedAt")
    }

    /// How often its restart policy has restarted it.
    pub(crate) fn restart_count(&self) -> u64 {
        self.0["RestartCount"].as_u64().unwrap_or(0)
    }

    /// `healthy`, `unhealthy` or `starting`; `None` when it has no health check.
    pub(crate) fn health(&self) -> Option<&str> {
        Some(self.text("/State/Health/Status")).filter(|status| !matches!(*status, "" | "none"))
    }

    /// How long it is given to stop.
    pub(crate) fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.0.pointer("/Config/StopTimeout").and_then(Value::as_u64).unwrap_or(10))
    }

    /// Its restart policy.
    pub(crate) fn restart_policy(&self) -> Value {
        self.0.pointer("/HostConfig/RestartPolicy").cloned().unwrap_or_else(|| json!({"Name": "no"}))
    }

    /// A label's value.
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.0.pointer("/Config/Labels")?.get(key)?.as_str()
    }

    /// Its networks by name.
    pub(crate) fn networks(&self) -> Map<String, Value> {
        self.0.pointer("/NetworkSettings/Networks").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// The text at a JSON pointer, or nothing.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The list at a JSON pointer; the engine writes an empty one as null.
    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        self.0.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// The first 12 digits of an id.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
