//! `locust_stop_test`: the load test that runs, stopped, with its last figures.

use kit::{Json, Parameters, Result};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::locust_get_stats::Figures;
use crate::DockerLocust;

/// Nothing to say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocustStopTestInput {}

/// What is left of the test.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LocustStopTestOutput {
    /// Always stopped: no user runs any more.
    pub status: &'static str,
    /// Whether a test ran until now.
    pub was_running: bool,
    /// The figures of the test that ran last.
    #[serde(flatten)]
    pub figures: Figures,
}

#[tool_router(router = locust_stop_test_router, vis = "pub(crate)")]
impl DockerLocust {
    /// Stops the load test that runs in Locust, whoever started it, waits until no user runs and returns the final figures.
    #[tool(
        title = "Stop the load test",
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = true
        )
    )]
    pub(crate) async fn locust_stop_test(
        &self,
        Parameters(LocustStopTestInput {}): Parameters<LocustStopTestInput>,
    ) -> Result<Json<LocustStopTestOutput>> {
        let stopped = self.locust().stop().await?;
        Ok(Json(LocustStopTestOutput {
            status: "stopped",
            was_running: stopped.was_running,
            figures: Figures::from(&stopped.stats),
        }))
    }
}
