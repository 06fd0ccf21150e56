//! A server with a little of everything: what the conformance suite and the benchmarks run against, and the
//! shortest example of how a server is written. `Everything`, `echo` and `note` are all that a server needs; the
//! modules hold what the suite wants to see.

mod changes;
mod content;
mod handler;
mod input_required;
mod interaction;
mod logging;
mod prompts;
mod resources;
mod schemas;
mod tasks;
mod upstream;

use std::process::ExitCode;
use std::sync::Mutex;

use kit::auth::{Principal, UpstreamAuth};
use kit::{AsTask, Json, Kit, Parameters, Result, Service};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

fn main() -> ExitCode {
    kit::run::<Everything>()
}

/// The state that tools share.
struct Everything {
    kit: Kit,
    state: Mutex<changes::State>,
    upstream: upstream::Upstream,
}

#[derive(Debug, clap::Args)]
struct Args {
    /// What `upstream_get` asks
    #[arg(long, env = "EVERYTHING_UPSTREAM_URL", value_name = "URL", help_heading = "Upstreams")]
    upstream_url: Option<url::Url>,
}

impl Service for Everything {
    const SLUG: &'static str = "everything";
    const PORT: u16 = 8010;
    const ABOUT: &'static str = "Example and measuring stick: tools, prompts and resources of every kind.";
    const UPSTREAM_AUTH: &'static [UpstreamAuth] =
        &[UpstreamAuth::Own, UpstreamAuth::Caller, UpstreamAuth::Exchange];
    const TASKS: &'static [(&'static str, AsTask)] = tasks::TASKS;

    type Args = Args;

    async fn connect(args: Args, kit: Kit) -> anyhow::Result<Self> {
        Ok(Self { state: Mutex::default(), upstream: upstream::Upstream::new(args.upstream_url, &kit), kit })
    }

    fn may_watch(&self, _caller: &Principal, uri: &str) -> bool {
        resources::read(uri, self.state()).is_ok()
    }

    fn tools(_args: &Self::Args) -> impl Iterator<Item = ToolRouter<Self>> {
        [
            Self::basics(),
            Self::changes(),
            Self::content(),
            Self::input_required(),
            Self::interaction(),
            Self::logging(),
            Self::schemas(),
            Self::tasks(),
            Self::upstream(),
        ]
        .into_iter()
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EchoInput {
    /// What to say back.
    text: String,
}

#[derive(Serialize, JsonSchema)]
struct EchoOutput {
    /// What was said.
    text: String,
}

#[tool_router(router = basics)]
impl Everything {
    /// Says back what it is told.
    #[tool(
        title = "Echo",
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn echo(&self, Parameters(input): Parameters<EchoInput>) -> Result<Json<EchoOutput>> {
        Ok(Json(EchoOutput { text: input.text }))
    }

    /// Says back what it is told, as a tool that writes: each call leaves a line in the audit.
    #[tool(
        title = "Note",
        annotations(read_only_hint = false, destructive_hint = false, open_world_hint = false)
    )]
    async fn note(&self, Parameters(input): Parameters<EchoInput>) -> Result<Json<EchoOutput>> {
        Ok(Json(EchoOutput { text: input.text }))
    }
}
