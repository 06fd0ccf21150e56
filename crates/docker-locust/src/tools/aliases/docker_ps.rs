//! `docker_ps`: `docker_container_list`, its containers as a JSON list.

use kit::{Json, Parameters, Result};
use rmcp::{tool, tool_router};

use super::{Answer, Nothing};
use crate::DockerLocust;
use crate::tools::docker_container_list::DockerContainerListInput;

#[tool_router(router = docker_ps_router, vis = "pub(super)")]
impl DockerLocust {
    /// Lists containers; use docker_container_list.
    #[tool(
        title = "List containers (earlier name)",
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn docker_ps(&self, Parameters(Nothing {}): Parameters<Nothing>) -> Result<Json<Answer>> {
        let Json(listed) = self.docker_container_list(Parameters(DockerContainerListInput::every())).await?;
        Answer::json(&listed.containers)
    }
}
