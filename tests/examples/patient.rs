//! A server whose one tool takes as long as it is told: what cancellation is tested on.

use std::process::ExitCode;
use std::time::Duration;

use kit::{Json, Kit, Parameters, Result, Service};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::{ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

fn main() -> ExitCode {
    kit::run::<Patient>()
}

struct Patient;

#[derive(Debug, clap::Args)]
struct Args {}

impl Service for Patient {
    const SLUG: &'static str = "patient";
    const PORT: u16 = 0;
    const ABOUT: &'static str = "Waits.";

    type Args = Args;

    async fn connect(_args: Args, _kit: Kit) -> anyhow::Result<Self> {
        Ok(Self)
    }

    fn tools(_args: &Self::Args) -> impl Iterator<Item = ToolRouter<Self>> {
        std::iter::once(Self::tool_router())
    }
}

impl ServerHandler for Patient {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WaitInput {
    /// How long to wait, in seconds.
    seconds: u32,
}

#[derive(Serialize, JsonSchema)]
struct WaitOutput {
    /// How long it was.
    seconds: u32,
}

#[tool_router]
impl Patient {
    /// Waits.
    #[tool(title = "Wait", annotations(read_only_hint = true, open_world_hint = false))]
    async fn wait(&self, Parameters(input): Parameters<WaitInput>) -> Result<Json<WaitOutput>> {
        tokio::time::sleep(Duration::from_secs(input.seconds.into())).await;
        Ok(Json(WaitOutput { seconds: input.seconds }))
    }
}
