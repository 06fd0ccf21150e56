//! A tool with an upstream: what most servers are made of, in the small.

use std::time::Duration;

use http::Method;
use http::header::AUTHORIZATION;
use kit::http::Client;
use kit::{Call, Json, Kit, Parameters, Result, ToolError};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::Everything;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The upstream, if one is configured.
pub(crate) struct Upstream {
    url: Option<Url>,
    client: Client,
}

impl Upstream {
    pub(crate) fn new(url: Option<Url>, kit: &Kit) -> Self {
        Self { url, client: kit.http("the upstream (--upstream-url)", TIMEOUT) }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UpstreamGetInput {
    /// The path below the upstream's address, such as `version`.
    path: String,
}

#[derive(Serialize, JsonSchema)]
struct UpstreamGetOutput {
    /// The upstream's status.
    status: u16,
    /// What it answered.
    body: String,
}

#[tool_router(router = upstream, vis = "pub(crate)")]
impl Everything {
    /// Gets a path of the upstream, with the caller's own credential where there is one.
    #[tool(
        title = "Get from upstream",
        annotations(read_only_hint = true, idempotent_hint = true, open_world_hint = true)
    )]
    async fn upstream_get(
        &self,
        Parameters(input): Parameters<UpstreamGetInput>,
        call: Call,
    ) -> Result<Json<UpstreamGetOutput>> {
        let Some(base) = &self.upstream.url else {
            return Err(ToolError::service("no upstream is configured; set --upstream-url"));
        };
        let url = base.join(input.path.trim_start_matches('/')).ok();
        let Some(url) = url.filter(|url| url.origin() == base.origin()) else {
            return Err(ToolError::invalid("path", "path must lead to the upstream itself"));
        };
        let client = &self.upstream.client;
        let mut request = client.request(Method::GET, url)?;
        if let Some(credential) = call.upstream().credential() {
            request = request.header(AUTHORIZATION, credential.authorization());
        }
        let response = client.send(request).await?;
        let status = response.status().as_u16();
        let body = client.ok(response).await?;
        Ok(Json(UpstreamGetOutput { status, body: String::from_utf8_lossy(&body).into_owned() }))
    }
}
