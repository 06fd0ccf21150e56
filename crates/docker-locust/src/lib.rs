//! MCP server for Docker containers and Locust load tests.

mod database;
mod disk;
mod docker;
mod engine;
mod error;
mod lock;
mod locust;
mod mask;
mod names;
mod own;
mod replace;
mod resolve;
mod state;
mod tools;

use std::path::PathBuf;
use std::time::Duration;

use kit::{Aliases, AsTask, Check, Kit, Service};
use rmcp::handler::server::router::tool::ToolRouter;

pub use crate::database::DatabaseArgs;
pub use crate::error::Error;
pub use crate::locust::LocustArgs;

use crate::database::Database;
use crate::docker::Docker;
use crate::lock::Locks;
use crate::locust::Locust;
use crate::own::Own;
use crate::replace::Replacer;

/// Where the engine is, and how containers are changed.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The Docker side.
    #[command(flatten)]
    pub docker: DockerArgs,
    /// The Locust side.
    #[command(flatten)]
    pub locust: LocustArgs,
    /// What `check_database_status` looks at.
    #[command(flatten)]
    pub databases: DatabaseArgs,
}

/// The settings of the Docker half.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Docker")]
pub struct DockerArgs {
    /// Address of the Docker engine: unix:///path or tcp://host:port
    #[arg(long, env = "DOCKER_HOST", value_name = "URL", default_value = "unix:///var/run/docker.sock")]
    pub docker_host: String,

    /// Show the values of environment variables in docker_inspect
    #[arg(long, env = "GANTRY_REVEAL_ENV")]
    pub reveal_env: bool,

    /// How long a changed container may take to become healthy before the old one is brought back
    #[arg(long, env = "GANTRY_HEALTH_TIMEOUT", value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub health_timeout: Duration,

    /// How long a replaced container is kept when files in it could not move along
    #[arg(long, env = "GANTRY_KEEP_REPLACED", value_name = "TIME", default_value = "24h", value_parser = humantime::parse_duration)]
    pub keep_replaced: Duration,

    /// Folder for locks; losing it loses nothing [default: gantry/docker-locust in the user's state folder, or a temporary one]
    #[arg(long, env = "GANTRY_STATE_DIR", value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
}

/// The server.
pub struct DockerLocust {
    replacer: Replacer,
    reveal_env: bool,
    locust: Locust,
    databases: Vec<Database>,
}

impl rmcp::ServerHandler for DockerLocust {}

impl Service for DockerLocust {
    const SLUG: &'static str = "docker-locust";
    const PORT: u16 = 8002;
    const ABOUT: &'static str = "MCP server for Docker containers (list, logs, inspect, restart, change environment) and Locust load tests";
    /// Stopping, starting and becoming healthy take as long as they take; so does a swarm of users.
    const TASKS: &'static [(&'static str, AsTask)] = &[
        ("docker_restart", AsTask::Optional),
        ("docker_update_env", AsTask::Optional),
        ("locust_start_test", AsTask::Optional),
    ];

    type Args = Args;

    async fn connect(args: Args, kit: Kit) -> anyhow::Result<Self> {
        let docker = args.docker;
        let state_dir = match docker.state_dir {
            Some(folder) => folder,
            None => state::default_folder()?,
        };
        let databases = args.databases.read()?;
        let locust = Locust::new(args.locust, kit.clone())?;
        let replacer = Replacer {
            docker: Docker::new(&docker.docker_host)?,
            locks: Locks::new(&state_dir),
            own: Own::detect(),
            health_timeout: docker.health_timeout,
            keep_replaced: docker.keep_replaced,
            kit: kit.clone(),
        };
        kit.once_open(replacer.clone().keep_sweeping());
        Ok(Self { replacer, reveal_env: docker.reveal_env, locust, databases })
    }

    fn tools(_args: &Args) -> impl Iterator<Item = ToolRouter<Self>> {
        tools::tools()
    }

    fn aliases(_args: &Args) -> Aliases<Self> {
        tools::aliases()
    }

    fn checks(&self) -> Vec<Check<'_>> {
        vec![
            Check::required("docker", self.check_engine()),
            Check::optional("disk", self.check_disk()),
            Check::optional("locust", self.check_locust()),
        ]
    }
}

impl DockerLocust {
    pub(crate) fn docker(&self) -> &Docker {
        &self.replacer.docker
    }

    pub(crate) fn replacer(&self) -> &Replacer {
        &self.replacer
    }

    pub(crate) fn kit(&self) -> &Kit {
        &self.replacer.kit
    }

    pub(crate) fn locust(&self) -> &Locust {
        &self.locust
    }

    pub(crate) fn databases(&self) -> &[Database] {
        &self.databases
    }

    pub(crate) fn reveals_env(&self) -> bool {
        self.reveal_env
    }

    /// Whether the engine answers, and which it is.
    pub(crate) async fn check_engine(&self) -> Result<String, String> {
        let version = self.docker().version().await.map_err(|error| error.to_string())?;
        Ok(format!("engine {}, API {}", version.engine, version.api))
    }

    /// Whether Locust answers, and what it does.
    pub(crate) async fn check_locust(&self) -> Result<String, String> {
        self.locust.check().await.map_err(|error| error.to_string())
    }

    /// Whether there is disk space.
    pub(crate) async fn check_disk(&self) -> Result<String, String> {
        // The engine's folder is only looked at when it can be on this machine.
        let local = self.docker().engine().is_local();
        let root = if local { self.docker().root().await.ok() } else { None };
        disk::look(root.as_deref())
    }
}
