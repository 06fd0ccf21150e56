//! A real server of the kit that says which of several it is.

use kit::testing::{Running, start};
use kit::{Json, Kit, Parameters, Result, Service};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::{ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) struct Who {
    name: String,
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
        Ok(Self { name })
    }

    fn tools() -> Vec<ToolRouter<Self>> {
        vec![Self::router()]
    }
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Name {
    /// Which server this is.
    name: String,
}

#[tool_router(router = router)]
impl Who {
    /// Says which server this is.
    #[tool(title = "Who", annotations(read_only_hint = true))]
    async fn who(&self, Parameters(Nothing {}): Parameters<Nothing>) -> Result<Json<Name>> {
        Ok(Json(Name { name: self.name.clone() }))
    }
}

/// One that says `name`, with these further arguments.
pub(crate) async fn who(name: &str, args: &[&str]) -> Running {
    start::<Who>(&[&["--name", name], args].concat()).await.unwrap()
}
