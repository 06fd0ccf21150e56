//! MCP server for Gitea and Forgejo: issues, pull requests, files, releases, Actions and what keeps them in order.

mod args;
mod client;
mod diff;
mod error;
mod forge;
mod job_log;
mod model;
mod resources;
mod tool;
mod tools;

use std::sync::Arc;

use kit::auth::UpstreamAuth;
use kit::{Aliases, Call, Check, Kit, Method, Service};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{
    ListResourceTemplatesResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};

pub use crate::args::{Args, ToolStyle};
pub use crate::error::Error;

use crate::client::Client;
use crate::forge::Forge;

/// What holds for many tools, said once.
const INSTRUCTIONS: &str = "\
Gitea and Forgejo: issues, pull requests, files, releases, Actions and their logs. \
Lists answer items, total_count, has_next and next_cursor: ask on with cursor (or page and per_page); all=true gives \
the whole list up to a cap. dry_run=true tells what a tool would send and changes nothing. A create that is repeated \
with the same idempotency_key makes no second object. Labels, milestones and teams go by name or id. Long texts are \
cut visibly and say how to go on.";

/// The server.
pub struct Gitea {
    client: Arc<Client>,
}

impl rmcp::ServerHandler for Gitea {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_resources().build())
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let forge = Forge::new(self.client.clone(), Call::of(&context));
        Ok(resources::read(forge, &request.uri).await?.into())
    }
}

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

    fn tools(args: &Args) -> impl Iterator<Item = ToolRouter<Self>> {
        tool::listed(tools::tools(), args)
    }

    fn aliases(args: &Args) -> Aliases<Self> {
        tool::unlisted(tools::tools(), args)
    }

    fn methods(_args: &Args) -> Vec<Method> {
        tool::methods(tools::tools())
    }

    fn read_only(args: &Args) -> Option<&'static str> {
        args.gitea_readonly.then_some("GITEA_READONLY")
    }

    fn checks(&self) -> Vec<Check<'_>> {
        vec![Check::required("gitea", self.client.check())]
    }
}
