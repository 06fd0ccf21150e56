//! MCP server for Gitea and Forgejo: issues, pull requests, files, releases, Actions and what keeps them in order.

#![expect(dead_code, reason = "families of tools that use it follow")]

mod args;
mod client;
mod error;
mod forge;
mod model;
mod tool;
mod tools;

use std::sync::Arc;

use kit::auth::UpstreamAuth;
use kit::{Aliases, Check, Kit, Method, Service};
use rmcp::handler::server::router::tool::ToolRouter;

pub use crate::args::{Args, ToolStyle};
pub use crate::error::Error;

use crate::client::Client;

/// The server.
pub struct Gitea {
    client: Arc<Client>,
}

impl rmcp::ServerHandler for Gitea {}

impl Service for Gitea {
    const SLUG: &'static str = "gitea";
    const PORT: u16 = 8004;
    const ABOUT: &'static str =
        "MCP server for Gitea and Forgejo: issues, pull requests, files, releases, Actions and their logs";
    const UPSTREAM_AUTH: &'static [UpstreamAuth] =
        &[UpstreamAuth::Own, UpstreamAuth::Caller, UpstreamAuth::Exchange];

    type Args = Args;

    async fn connect(args: Args, kit: Kit) -> anyhow::Result<Self> {
        Ok(Self { client: Arc::new(Client::new(args, kit)?) })
    }

    fn tools(args: &Args) -> Vec<ToolRouter<Self>> {
        tool::listed(tools::tools(), args)
    }

    fn aliases(args: &Args) -> Aliases<Self> {
        tool::unlisted(tools::tools(), args)
    }

    fn methods(_args: &Args) -> Vec<Method> {
        tool::methods(&tools::tools())
    }

    fn read_only(args: &Args) -> Option<&'static str> {
        args.gitea_readonly.then_some("GITEA_READONLY")
    }

    fn checks(&self) -> Vec<Check<'_>> {
        vec![Check::required("gitea", self.client.check())]
    }
}
