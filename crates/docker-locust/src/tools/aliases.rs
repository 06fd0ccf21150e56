//! The names that the earlier server answered to over REST, in its shape: one string, which is JSON where there
//! is structure. Each stands on the tool that does the work now. Unlike there, a failure is an error.

mod check_database_status;
mod check_system_health;
mod docker_ps;
mod get_service_logs;
mod restart_service;
mod run_diagnostics;
mod update_configuration;

use kit::{Aliases, Json, Result, ToolError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DockerLocust;

/// All of them. What an operator says of a tool holds for the aliases that show or do what it does.
pub(crate) fn aliases() -> Aliases<DockerLocust> {
    let router = DockerLocust::check_system_health_router()
        + DockerLocust::get_service_logs_router()
        + DockerLocust::restart_service_router()
        + DockerLocust::check_database_status_router()
        + DockerLocust::update_configuration_router()
        + DockerLocust::run_diagnostics_router()
        + DockerLocust::docker_ps_router();
    let of = vec![
        ("check_system_health", "docker_container_list"),
        ("get_service_logs", "docker_logs"),
        ("restart_service", "docker_restart"),
        ("check_database_status", "docker_container_list"),
        ("update_configuration", "docker_update_env"),
        // It shows the ends of logs.
        ("run_diagnostics", "docker_logs"),
        ("docker_ps", "docker_container_list"),
    ];
    Aliases { router, of }
}

/// The earlier server took any body where it needed nothing from it.
#[derive(Debug, Deserialize, JsonSchema)]
struct Nothing {}

/// What the earlier server answered.
#[derive(Debug, Serialize, JsonSchema)]
struct Answer {
    /// Text, or JSON as text.
    result: String,
}

impl Answer {
    fn text(result: impl Into<String>) -> Json<Self> {
        Json(Self { result: result.into() })
    }

    fn json(value: &impl Serialize) -> Result<Json<Self>> {
        let result = serde_json::to_string(value).map_err(|error| ToolError::internal(error.to_string()))?;
        Ok(Json(Self { result }))
    }
}

/// The aliases call `service` what the tools call `service_name`.
fn service(mut error: ToolError) -> ToolError {
    if let Some(field) = error.details.get_mut("field").filter(|field| *field == "service_name") {
        *field = "service".into();
        error.message = error.message.replace("service_name", "service");
    }
    error
}
