//! `run_diagnostics`: everything this server can find out by itself, with the ends of the logs of containers
//! that have trouble. A part that cannot be looked at says why, and the rest is told all the same.

use futures::future::join_all;
use kit::{Json, Parameters, Result, ToolError};
use rmcp::{tool, tool_router};
use serde::Serialize;

use super::check_database_status::DatabaseReport;
use super::check_system_health::{Containers, Part};
use super::{Answer, Nothing};
use crate::DockerLocust;
use crate::tools::docker_container_list::{DockerContainerListInput, ListedContainer};
use crate::tools::docker_logs::DockerLogsInput;
use crate::tools::locust_get_stats::Figures;

/// Of so many containers in trouble the logs are shown, and so many lines of each.
const MAX_LOGS: usize = 10;
const LOG_LINES: u32 = 20;
/// Each log gets this share of an answer: they are JSON within JSON, which doubles what was escaped once.
const LOG_SHARE: usize = 4 * MAX_LOGS;

/// Everything.
#[derive(Debug, Serialize)]
struct Diagnostics {
    timestamp: String,
    docker: Part,
    disk: Part,
    containers: Found<Containers>,
    states: Vec<State>,
    logs: Vec<Log>,
    locust: Found<Figures>,
    databases: Found<DatabaseReport>,
}

/// What was found out, or why not.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Found<T> {
    Facts(T),
    Failure { error: String },
}

/// One container.
#[derive(Debug, Serialize)]
struct State {
    name: String,
    status: String,
    detail: String,
    image: String,
}

/// The end of the log of a container in trouble.
#[derive(Debug, Serialize)]
struct Log {
    name: String,
    lines: Found<String>,
}

#[tool_router(router = run_diagnostics_router, vis = "pub(super)")]
impl DockerLocust {
    /// Looks at the Docker engine, containers, logs of those in trouble, disk space, Locust and databases.
    #[tool(
        title = "Run diagnostics (earlier name)",
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn run_diagnostics(&self, Parameters(Nothing {}): Parameters<Nothing>) -> Result<Json<Answer>> {
        let (docker, disk, listed, locust, databases) = tokio::join!(
            self.check_engine(),
            self.check_disk(),
            self.docker_container_list(Parameters(DockerContainerListInput::every())),
            self.locust().report(),
            self.database_report(),
        );
        let (containers, states, logs) = match listed {
            Ok(Json(listed)) => {
                let containers = Containers::of(&listed.containers);
                let logs = self.logs_of(&containers).await;
                (Found::Facts(containers), listed.containers.into_iter().map(State::from).collect(), logs)
            }
            Err(error) => (Found::failed(&error), vec![], vec![]),
        };
        Answer::json(&Diagnostics {
            timestamp: kit::health::now(),
            docker: docker.into(),
            disk: disk.into(),
            containers,
            states,
            logs,
            locust: locust.map_or_else(
                |error| Found::failed(&error.into()),
                |report| Found::Facts(Figures::from(&report.stats)),
            ),
            databases: databases.map_or_else(|error| Found::failed(&error), Found::Facts),
        })
    }

    async fn logs_of(&self, containers: &Containers) -> Vec<Log> {
        let look = async |name: &str| {
            let input = DockerLogsInput::last(name.to_owned(), LOG_LINES);
            let lines = match self.read_log(input, self.kit().max_output_bytes() / LOG_SHARE).await {
                Ok(found) => Found::Facts(found.logs.text),
                Err(error) => Found::failed(&error),
            };
            Log { name: name.to_owned(), lines }
        };
        join_all(containers.trouble.iter().take(MAX_LOGS).map(|it| look(&it.name))).await
    }
}

impl<T> Found<T> {
    fn failed(error: &ToolError) -> Self {
        Self::Failure { error: error.message.clone() }
    }
}

impl From<ListedContainer> for State {
    fn from(container: ListedContainer) -> Self {
        let ListedContainer { name, status, detail, image, .. } = container;
        Self { name, status, detail, image }
    }
}
