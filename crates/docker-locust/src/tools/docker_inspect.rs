//! `docker_inspect`: a container's whole configuration and state, without its secrets.

use kit::{Json, Parameters, Result};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::DockerLocust;
use crate::mask;
use crate::names;
use crate::resolve::resolve;

/// Which container.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DockerInspectInput {
    /// The container: its name, the beginning of its id, or its compose service.
    pub service_name: String,
}

/// The container.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DockerInspectOutput {
    /// Its name.
    pub service_name: String,
    /// Its id.
    pub container_id: String,
    /// What it is doing, such as running or exited.
    pub status: String,
    /// Its image, as it was asked for.
    pub image: String,
    /// Whether secrets were replaced by ***.
    pub masked: bool,
    /// All that the engine tells: Config, HostConfig, Mounts, NetworkSettings, State and more.
    pub container: Map<String, Value>,
}

#[tool_router(router = docker_inspect_router, vis = "pub(crate)")]
impl DockerLocust {
    /// Shows a container's full configuration and state: environment (values masked), mounts, networks, ports, limits, health.
    #[tool(
        title = "Inspect a container",
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    pub(crate) async fn docker_inspect(
        &self,
        Parameters(input): Parameters<DockerInspectInput>,
    ) -> Result<Json<DockerInspectOutput>> {
        let listed = self.docker().list().await?;
        let mut container = self.docker().inspect(names::id(resolve(&listed, &input.service_name)?)).await?;
        let masked = !self.reveals_env();
        if masked {
            mask::inspected(&mut container.0);
        }
        Ok(Json(DockerInspectOutput {
            service_name: container.name().to_owned(),
            container_id: container.id().to_owned(),
            status: container.status().to_owned(),
            image: container.text("/Config/Image").to_owned(),
            masked,
            container: container.0.as_object().cloned().unwrap_or_default(),
        }))
    }
}
