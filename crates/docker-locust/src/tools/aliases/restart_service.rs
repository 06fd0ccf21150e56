//! `restart_service`: `docker_restart`, told in a sentence.

use kit::{Json, Parameters, Result};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Answer, service};
use crate::DockerLocust;
use crate::tools::docker_restart::DockerRestartInput;

/// Which container.
#[derive(Debug, Deserialize, JsonSchema)]
struct RestartServiceInput {
    /// The container: its name, the beginning of its id, or its compose service.
    service: String,
}

#[tool_router(router = restart_service_router, vis = "pub(super)")]
impl DockerLocust {
    /// Restarts a container; use docker_restart.
    #[tool(
        title = "Restart a container (earlier name)",
        annotations(
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    async fn restart_service(
        &self,
        Parameters(input): Parameters<RestartServiceInput>,
    ) -> Result<Json<Answer>> {
        let wanted = DockerRestartInput::of(input.service);
        let Json(restarted) = self.docker_restart(Parameters(wanted)).await.map_err(service)?;
        Ok(Answer::text(format!("{} was restarted and is {}", restarted.service_name, restarted.status)))
    }
}
