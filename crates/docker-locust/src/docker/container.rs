//! A container as the engine describes it: the raw JSON, and by name the few facts we act on.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// How long a container may take to stop that has no limit.
const ENDLESS: Duration = Duration::from_secs(600);

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

    /// How it ended, as far as the engine still tells: while it runs again, it does not.
    pub(crate) fn ending(&self) -> String {
        if self.running() && self.status() != "restarting" {
            return "it ended".to_owned();
        }
        let code = self.0.pointer("/State/ExitCode").and_then(Value::as_i64).unwrap_or_default();
        let killed = self.0.pointer("/State/OOMKilled") == Some(&true.into());
        format!("it ended with exit code {code}{}", if killed { ", out of memory" } else { "" })
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

    /// How long it is given to stop. Less than 0 is for ever, which is longer than anybody waits.
    pub(crate) fn stop_timeout(&self) -> Duration {
        match self.0.pointer("/Config/StopTimeout").and_then(Value::as_i64) {
            Some(seconds) => u64::try_from(seconds).map_or(ENDLESS, Duration::from_secs),
            None => Duration::from_secs(10),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_without_limit_is_waited_for_longer_than_any_other() {
        let timeout = |seconds: Value| Container(json!({"Config": {"StopTimeout": seconds}})).stop_timeout();
        assert_eq!(timeout(Value::Null), Duration::from_secs(10));
        assert_eq!(timeout(json!(0)), Duration::ZERO);
        assert_eq!(timeout(json!(-1)), ENDLESS);
    }

    #[test]
    fn an_exit_code_is_told_only_while_it_is_true() {
        let ending = |running: bool, status: &str| {
            Container(json!({"State": {"Running": running, "Status": status, "ExitCode": 7}})).ending()
        };
        assert_eq!(ending(true, "running"), "it ended");
        assert_eq!(ending(true, "restarting"), "it ended with exit code 7");
        assert_eq!(ending(false, "exited"), "it ended with exit code 7");
    }
}
