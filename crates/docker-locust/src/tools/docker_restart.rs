//! `docker_restart`: a container stopped and started again, and seen running afterwards.

use std::time::Duration;

use kit::{Json, Parameters, Result, ToolError};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::DockerLocust;
use crate::docker::Docker;
use crate::docker::container::Container;
use crate::error::Error;

const MAX_TIMEOUT: u32 = 300;
/// A container that ends at once is no restarted one; this is how long it is watched.
const WATCHED: Duration = Duration::from_secs(1);

/// Which container, and how patiently.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DockerRestartInput {
    /// The container: its name, the beginning of its id, or its compose service.
    pub service_name: String,
    /// Seconds it is given to stop before it is killed. 0 to 300.
    #[serde(default = "ten")]
    pub timeout: u32,
}

/// What the engine shows afterwards.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DockerRestartOutput {
    /// The container's name.
    pub service_name: String,
    /// Its id.
    pub container_id: String,
    /// What it is doing.
    pub status: String,
    /// When it was started now.
    pub started_at: String,
    /// When it was started before; absent when it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previously_started_at: Option<String>,
    /// What its health check says: healthy, unhealthy or starting. Absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
}

fn ten() -> u32 {
    10
}

#[tool_router(router = docker_restart_router, vis = "pub(crate)")]
impl DockerLocust {
    /// Restarts a container and checks that it runs again. A stopped one is started. Its environment stays as it was created.
    #[tool(
        title = "Restart a container",
        annotations(
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    pub(crate) async fn docker_restart(
        &self,
        Parameters(input): Parameters<DockerRestartInput>,
    ) -> Result<Json<DockerRestartOutput>> {
        if input.timeout > MAX_TIMEOUT {
            return Err(ToolError::invalid(
                "timeout",
                format!("timeout must be between 0 and {MAX_TIMEOUT}"),
            ));
        }
        let (lock, before) = self.replacer().hold(&input.service_name).await?;
        let (docker, timeout) = (self.docker().clone(), Duration::from_secs(input.timeout.into()));
        // The engine restarts it whether or not the caller waits, so its lock must be held as long.
        let what = format!("docker_restart {}", before.name());
        let restart = async move {
            let restarted = restart(&docker, &before, timeout).await;
            drop(lock);
            Ok((before, restarted?))
        };
        let (before, after) = self.kit().run_to_end(what, restart).await?;
        Ok(Json(DockerRestartOutput {
            service_name: after.name().to_owned(),
            container_id: after.id().to_owned(),
            status: after.status().to_owned(),
            started_at: after.started_at().to_owned(),
            // The engine's year 1 means never.
            previously_started_at: Some(before.started_at().to_owned()).filter(|at| !at.starts_with("0001-")),
            health: after.health().map(str::to_owned),
        }))
    }
}

impl DockerRestartInput {
    /// With the usual patience.
    pub(crate) fn of(service_name: String) -> Self {
        Self { service_name, timeout: ten() }
    }
}

async fn restart(docker: &Docker, before: &Container, timeout: Duration) -> Result<Container, Error> {
    docker.restart(before.id(), timeout).await?;
    sleep(WATCHED).await;
    let after = docker.inspect(before.id()).await?;
    check(before, &after)?;
    Ok(after)
}

fn check(before: &Container, after: &Container) -> Result<(), Error> {
    let reason = if !after.running() {
        format!("{}; docker_logs shows why", after.ending())
    } else if after.status() == "restarting" || after.restart_count() > before.restart_count() {
        format!("{} and its restart policy restarted it; docker_logs shows why", after.ending())
    } else if after.started_at() == before.started_at() {
        "the engine says it was restarted, but it still runs as before".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::NotUp { name: after.name().to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_new_run_that_lasts_is_a_restart() {
        let seen = |running: bool, status: &str, started: &str, count: u64| {
            Container(
                json!({"State": {"Running": running, "Status": status, "StartedAt": started}, "RestartCount": count}),
            )
        };
        let before = seen(true, "running", "1", 2);
        check(&before, &seen(true, "running", "2", 0)).unwrap();
        for after in [
            seen(false, "exited", "2", 0),
            seen(true, "restarting", "2", 0),
            seen(true, "running", "2", 3),
            seen(true, "running", "1", 2),
        ] {
            check(&before, &after).unwrap_err();
        }
    }
}
