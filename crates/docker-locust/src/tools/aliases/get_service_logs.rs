//! `get_service_logs`: `docker_logs`, as text.

use kit::{Json, Parameters, Result};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Answer, service};
use crate::DockerLocust;
use crate::tools::docker_logs::DockerLogsInput;

/// Which log.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetServiceLogsInput {
    /// The container: its name, the beginning of its id, or its compose service.
    service: String,
    /// How many lines, counted from the end. 1 to 10000.
    #[serde(default = "hundred")]
    lines: u32,
}

fn hundred() -> u32 {
    100
}

#[tool_router(router = get_service_logs_router, vis = "pub(super)")]
impl DockerLocust {
    /// Reads the last lines of a container's log; use docker_logs.
    #[tool(
        title = "Read container logs (earlier name)",
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_service_logs(
        &self,
        Parameters(input): Parameters<GetServiceLogsInput>,
    ) -> Result<Json<Answer>> {
        let wanted = DockerLogsInput::last(input.service, input.lines);
        let Json(found) = self.docker_logs(Parameters(wanted)).await.map_err(service)?;
        let logs = found.logs;
        Ok(Answer::text(match logs.truncated {
            Some(cut) => format!("[{} earlier lines left out: {}]\n{}", cut.lines, cut.next, logs.text),
            None => logs.text,
        }))
    }
}
