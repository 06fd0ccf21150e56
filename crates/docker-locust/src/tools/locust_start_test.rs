//! `locust_start_test`: a load test that was seen running, and that will end when it was said to.

use std::time::Duration;

use kit::{Json, Parameters, Result, ToolError};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DockerLocust;
use crate::locust::Plan;

/// No locustfile has so many.
const MAX_CLASSES: usize = 100;

/// The test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocustStartTestInput {
    /// How many users to simulate at once.
    pub users: u32,
    /// How many users to start per second, 0.1 to 10000.
    pub spawn_rate: f64,
    /// After how many seconds to stop; 0 runs until locust_stop_test, or as long as the operator allows.
    #[serde(default)]
    pub duration: u32,
    /// What to test, such as https://shop.example; without it, the target that Locust was started with or had last.
    pub host: Option<String>,
    /// Which user classes of the locustfile to run; all of them without it. Locust must run with --class-picker.
    #[serde(default)]
    pub user_classes: Vec<String>,
    /// Whether to change users and spawn rate of a test that already runs, instead of refusing.
    #[serde(default)]
    pub resize: bool,
}

/// The test that runs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LocustStartTestOutput {
    /// started, or resized when the test ran already.
    pub status: &'static str,
    /// How many users it will have.
    pub users: u32,
    /// How many users are started per second.
    pub spawn_rate: f64,
    /// In how many seconds it will be stopped; 0 when it runs until somebody stops it.
    pub duration: u64,
    /// What Locust was seen doing: spawning or running.
    pub state: String,
    /// What is tested; absent when the user classes have their own targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How many workers share the load; absent without workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
}

#[tool_router(router = locust_start_test_router, vis = "pub(crate)")]
impl DockerLocust {
    /// Starts a load test in Locust and waits until users run. A test that already runs is only changed with resize.
    #[tool(
        title = "Start a load test",
        annotations(
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = false,
            open_world_hint = true
        )
    )]
    pub(crate) async fn locust_start_test(
        &self,
        Parameters(input): Parameters<LocustStartTestInput>,
    ) -> Result<Json<LocustStartTestOutput>> {
        if input.user_classes.len() > MAX_CLASSES {
            let message = format!("user_classes must name at most {MAX_CLASSES}");
            return Err(ToolError::invalid("user_classes", message));
        }
        let plan = Plan {
            users: input.users,
            spawn_rate: input.spawn_rate,
            duration: (input.duration > 0).then(|| Duration::from_secs(input.duration.into())),
            host: input.host,
            user_classes: input.user_classes,
            resize: input.resize,
        };
        let (users, spawn_rate) = (plan.users, plan.spawn_rate);
        let started = self.locust().start(plan).await?;
        Ok(Json(LocustStartTestOutput {
            status: if started.resized { "resized" } else { "started" },
            users,
            spawn_rate,
            duration: started.duration.map_or(0, |duration| duration.as_secs()),
            state: started.state.0,
            host: Some(started.host).filter(|host| !host.is_empty()),
            workers: started.workers,
        }))
    }
}
