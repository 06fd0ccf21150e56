//! `check_system_health`: what this server depends on, and the containers that need a look.

use kit::{Json, Parameters, Result};
use rmcp::{tool, tool_router};
use serde::Serialize;

use super::{Answer, Nothing};
use crate::DockerLocust;
use crate::tools::docker_container_list::{DockerContainerListInput, ListedContainer};

/// The whole.
#[derive(Debug, Serialize)]
struct SystemHealth {
    /// healthy, degraded (a container or something optional has trouble) or unhealthy (no engine).
    status: &'static str,
    timestamp: String,
    docker: Part,
    locust: Part,
    disk: Part,
    #[serde(skip_serializing_if = "Option::is_none")]
    containers: Option<Containers>,
}

/// Something this server depends on.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    status: &'static str,
    message: String,
}

/// How many containers there are, and the names of those that have trouble.
#[derive(Debug, Serialize)]
pub(super) struct Containers {
    total: usize,
    running: usize,
    pub(super) trouble: Vec<Trouble>,
}

/// A container that has trouble.
#[derive(Debug, Serialize)]
pub(super) struct Trouble {
    pub(super) name: String,
    /// The engine's words, such as Exited (1) 2 hours ago.
    detail: String,
}

#[tool_router(router = check_system_health_router, vis = "pub(super)")]
impl DockerLocust {
    /// Checks the Docker engine, Locust, disk space and the containers' health.
    #[tool(
        title = "Check the system (earlier name)",
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn check_system_health(&self, Parameters(Nothing {}): Parameters<Nothing>) -> Result<Json<Answer>> {
        let (docker, locust, disk, listed) = tokio::join!(
            self.check_engine(),
            self.check_locust(),
            self.check_disk(),
            self.docker_container_list(Parameters(DockerContainerListInput::every())),
        );
        let containers = listed.ok().map(|Json(listed)| Containers::of(&listed.containers));
        let trouble = containers.as_ref().is_none_or(|containers| !containers.trouble.is_empty());
        let status = match (&docker, locust.is_err() || disk.is_err() || trouble) {
            (Err(_), _) => "unhealthy",
            (Ok(_), true) => "degraded",
            (Ok(_), false) => "healthy",
        };
        Answer::json(&SystemHealth {
            status,
            timestamp: kit::health::now(),
            docker: docker.into(),
            locust: locust.into(),
            disk: disk.into(),
            containers,
        })
    }
}

impl From<std::result::Result<String, String>> for Part {
    fn from(found: std::result::Result<String, String>) -> Self {
        match found {
            Ok(message) => Self { status: "up", message },
            Err(message) => Self { status: "down", message },
        }
    }
}

impl Containers {
    pub(super) fn of(listed: &[ListedContainer]) -> Self {
        Self {
            total: listed.len(),
            running: listed.iter().filter(|container| container.status == "running").count(),
            trouble: listed.iter().filter(|container| in_trouble(container)).map(Trouble::of).collect(),
        }
    }
}

impl Trouble {
    fn of(container: &ListedContainer) -> Self {
        Self { name: container.name.clone(), detail: container.detail.clone() }
    }
}

/// A container that is unhealthy, keeps restarting, is dead, or ended with another exit code than 0, a kill by
/// a stop (137, 143) left out.
fn in_trouble(container: &ListedContainer) -> bool {
    let failed = || {
        let code = container.detail.strip_prefix("Exited (").and_then(|rest| rest.split(')').next());
        code.is_some_and(|code| !matches!(code, "0" | "137" | "143"))
    };
    container.health.as_deref() == Some("unhealthy")
        || matches!(container.status.as_str(), "restarting" | "dead")
        || container.status == "exited" && failed()
}
