//! `update_configuration`: `docker_update_env`, its result as JSON.

use kit::{Json, Parameters, Result};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Answer, service};
use crate::DockerLocust;
use crate::tools::docker_update_env::DockerUpdateEnvInput;

/// Which variable of which container.
#[derive(Debug, Deserialize, JsonSchema)]
struct UpdateConfigurationInput {
    /// The container: its name, the beginning of its id, or its compose service.
    service: String,
    /// The environment variable's name.
    key: String,
    /// Its new value.
    #[schemars(extend("format" = "password"))]
    value: String,
}

#[tool_router(router = update_configuration_router, vis = "pub(super)")]
impl DockerLocust {
    /// Sets an environment variable of a container, which restarts it; use docker_update_env.
    #[tool(
        title = "Change an environment variable (earlier name)",
        annotations(
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn update_configuration(
        &self,
        Parameters(input): Parameters<UpdateConfigurationInput>,
    ) -> Result<Json<Answer>> {
        let wanted = DockerUpdateEnvInput { service_name: input.service, key: input.key, value: input.value };
        let Json(updated) = self.docker_update_env(Parameters(wanted)).await.map_err(service)?;
        Answer::json(&updated)
    }
}
