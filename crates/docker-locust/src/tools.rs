//! The tools, one file each with its arguments and its result.

mod aliases;
mod docker_container_list;
mod docker_inspect;
mod docker_logs;
mod docker_restart;
mod docker_update_env;
mod locust_get_stats;
mod locust_start_test;
mod locust_stop_test;

use rmcp::handler::server::router::tool::ToolRouter;

use crate::DockerLocust;

pub(crate) use aliases::aliases;

/// All of them.
pub(crate) fn tools() -> impl Iterator<Item = ToolRouter<DockerLocust>> {
    [
        DockerLocust::docker_container_list_router(),
        DockerLocust::docker_logs_router(),
        DockerLocust::docker_restart_router(),
        DockerLocust::docker_inspect_router(),
        DockerLocust::docker_update_env_router(),
        DockerLocust::locust_start_test_router(),
        DockerLocust::locust_get_stats_router(),
        DockerLocust::locust_stop_test_router(),
    ]
    .into_iter()
}
