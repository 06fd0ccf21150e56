//! The server of the tests, and clients of it.

use std::time::{Duration, Instant};

use kit::testing::{Running, start};
use kit::{Json, Kit, Parameters, Result, Service};
use reqwest::tls::TlsInfo;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::{ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::authority::{Authority, Folder};

/// Longer than anything here takes on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Napper;

impl ServerHandler for Napper {}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Service for Napper {
    const SLUG: &'static str = "napper";
    const PORT: u16 = 0;
    const ABOUT: &'static str = "Sleeps.";

    type Args = Args;

    async fn connect(_args: Args, _kit: Kit) -> anyhow::Result<Self> {
        Ok(Self)
    }

    fn tools(_args: &Self::Args) -> impl Iterator<Item = ToolRouter<Self>> {
        std::iter::once(Self::router())
    }
}

/// How long, in milliseconds.
#[derive(Deserialize, Serialize, JsonSchema)]
struct Nap {
    /// Milliseconds.
    ms: u64,
}

#[tool_router(router = router)]
impl Napper {
    /// Sleeps.
    #[tool(title = "Sleep", annotations(read_only_hint = true))]
    async fn sleep(&self, Parameters(nap): Parameters<Nap>) -> Result<Json<Nap>> {
        tokio::time::sleep(Duration::from_millis(nap.ms)).await;
        Ok(Json(nap))
    }
}

/// A server with the certificate in this folder.
pub(crate) async fn serve(folder: &Folder, more: &[&str]) -> Running {
    try_serve(folder, more).await.expect("a server")
}

pub(crate) async fn try_serve(folder: &Folder, more: &[&str]) -> anyhow::Result<Running> {
    let arguments = folder.arguments();
    start::<Napper>(&[arguments.each_ref().map(String::as_str).as_slice(), more].concat()).await
}

/// A client that trusts this authority and tells which certificate it met.
pub(crate) fn client(authority: &Authority) -> ClientBuilder {
    let root = Certificate::from_pem(authority.pem().as_bytes()).expect("a certificate");
    Client::builder().tls_certs_only([root]).tls_info(true).timeout(PATIENCE)
}

#[expect(clippy::disallowed_methods, reason = "the client of the tests")]
pub(crate) async fn send(request: RequestBuilder) -> reqwest::Result<Response> {
    request.send().await
}

pub(crate) fn nap(client: &Client, url: &str, ms: u64) -> RequestBuilder {
    client.post(format!("{url}/tools/sleep")).json(&json!({"ms": ms}))
}

/// The certificate that an answer came under.
pub(crate) fn leaf(answer: &Response) -> Vec<u8> {
    let info = answer.extensions().get::<TlsInfo>().expect("TLS");
    info.peer_certificate().expect("a certificate").to_vec()
}

/// How long it takes until a new connection meets this certificate.
pub(crate) async fn time_until(authority: &Authority, url: &str, expected: &[u8]) -> Duration {
    let client = client(authority).pool_max_idle_per_host(0).build().expect("a client");
    let since = Instant::now();
    while leaf(&send(nap(&client, url, 0)).await.expect("an answer")) != expected {
        assert!(since.elapsed() < PATIENCE, "the certificate never comes");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    since.elapsed()
}
