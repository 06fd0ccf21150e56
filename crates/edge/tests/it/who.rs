//! A real server of the kit that says which of several it is.

use kit::testing::{self, start};
use kit::{Call, Json, Kit, Parameters, Result, Service};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::{ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) struct Who {
    name: String,
    /// Calls of `forever` that run.
    running: Arc<AtomicUsize>,
}

impl ServerHandler for Who {}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    name: String,
}

impl Service for Who {
    const SLUG: &'static str = "who";
    const PORT: u16 = 0;
    const ABOUT: &'static str = "Says who it is.";

    type Args = Args;

    async fn connect(Args { name }: Args, _kit: Kit) -> anyhow::Result<Self> {
        Ok(Self { name, running: Arc::default() })
    }

    fn tools(_args: &Self::Args) -> impl Iterator<Item = ToolRouter<Self>> {
        std::iter::once(Self::router())
    }
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Name {
    /// Whose name it is.
    name: String,
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Count {
    /// How far.
    to: u32,
}

#[derive(Serialize, JsonSchema)]
struct Running {
    /// How many.
    running: usize,
}

#[tool_router(router = router)]
impl Who {
    /// Says which server this is.
    #[tool(title = "Who", annotations(read_only_hint = true))]
    async fn who(&self, Parameters(Nothing {}): Parameters<Nothing>) -> Result<Json<Name>> {
        Ok(Json(Name { name: self.name.clone() }))
    }

    /// Says who calls.
    #[tool(title = "Caller", annotations(read_only_hint = true))]
    async fn caller(&self, Parameters(Nothing {}): Parameters<Nothing>, call: Call) -> Result<Json<Name>> {
        Ok(Json(Name { name: call.principal().name.to_string() }))
    }

    /// Counts, and says how far it is.
    #[tool(title = "Count", annotations(read_only_hint = true))]
    async fn count(&self, Parameters(Count { to }): Parameters<Count>, call: Call) -> Result<Json<Count>> {
        for at in 1..=to {
            call.progress(at.into(), Some(to.into()), "counting").await;
            tokio::time::sleep(TICK).await;
        }
        Ok(Json(Count { to }))
    }

    /// Reports progress until it is cancelled.
    #[tool(title = "Forever", annotations(read_only_hint = true))]
    async fn forever(&self, Parameters(Nothing {}): Parameters<Nothing>, call: Call) -> Result<Json<Name>> {
        self.running.fetch_add(1, Ordering::SeqCst);
        let _counted = Counted(self.running.clone());
        for at in 1.. {
            call.progress(at.into(), None, "going on").await;
            tokio::time::sleep(TICK).await;
        }
        Ok(Json(Name { name: self.name.clone() }))
    }

    /// Says how many calls of `forever` run.
    #[tool(title = "Running", annotations(read_only_hint = true))]
    async fn running(&self, Parameters(Nothing {}): Parameters<Nothing>) -> Result<Json<Running>> {
        Ok(Json(Running { running: self.running.load(Ordering::SeqCst) }))
    }
}

/// Between two reports of progress.
const TICK: Duration = Duration::from_millis(10);

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One that says `name`, with these further arguments.
pub(crate) async fn who(name: &str, args: &[&str]) -> testing::Running {
    start::<Who>(&[&["--name", name], args].concat()).await.unwrap()
}
