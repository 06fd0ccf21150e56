//! The smallest server with the tool `echo` on rmcp and axum alone, written as a careful user of rmcp would:
//! what the chassis costs is what `everything` costs beyond this. `bench-bare-rmcp --listen ADDR:PORT`

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::tower::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// The router is kept: made anew, as the macro does by default, it costs a quarter of the throughput.
struct Bare {
    tool_router: ToolRouter<Self>,
}

#[derive(Deserialize, JsonSchema)]
struct EchoInput {
    /// What to say back.
    text: String,
}

#[derive(Serialize, JsonSchema)]
struct EchoOutput {
    /// What was said.
    text: String,
}

#[tool_router]
impl Bare {
    /// Says back what it is told.
    #[tool(
        title = "Echo",
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn echo(&self, Parameters(input): Parameters<EchoInput>) -> Json<EchoOutput> {
        Json(EchoOutput { text: input.text })
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Bare {}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(2).context("usage: bench-bare-rmcp --listen ADDR:PORT")?;
    let server = Arc::new(Bare { tool_router: Bare::tool_router() });
    let service = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(NeverSessionManager::default()),
        StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true),
    );
    let listener = TcpListener::bind(&address).await.with_context(|| address.clone())?.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            eprintln!("connection without nodelay: {error}");
        }
    });
    axum::serve(listener, Router::new().nest_service("/mcp", service)).await?;
    Ok(())
}
