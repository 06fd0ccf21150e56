//! A real OpenID provider (npm's oidc-provider), started by `fixtures/oidc.mjs`, which can stop and come back with
//! another key.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use tempfile::TempDir;

use crate::wire;

/// How long it may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The provider, running or not.
#[derive(Debug)]
pub struct Provider {
    /// `127.0.0.1:PORT`
    pub host: String,
    modules: PathBuf,
    folder: TempDir,
    child: Option<Child>,
}

impl Provider {
    /// A place for a provider on a free port, not started yet; `modules` is `node_modules` of the fixtures.
    pub fn new(modules: &str) -> Result<Self> {
        let host = format!("127.0.0.1:{}", free_port()?);
        Ok(Self { host, modules: modules.into(), folder: TempDir::new()?, child: None })
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("http://{}", self.host)
    }

    /// Starts it with a new key of this id.
    pub async fn start(&mut self, key: &str, algorithm: &str) -> Result<()> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/oidc.mjs");
        let port = self.host.rsplit(':').next().context("a port")?;
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let child = Command::new(self.modules.join(".bin/node"))
            .arg(script)
            .arg(&self.modules)
            .args([port, key, algorithm])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        let end = Instant::now() + PATIENCE;
        while wire::get(&self.host, "/jwks?ready").await.is_err() {
            ensure!(Instant::now() < end, "the provider does not answer:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Stops it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A token of `client` for `audience`, good for `scope`.
    pub async fn token(&self, client: &str, audience: &str, scope: &str) -> Result<String> {
        let form = format!("grant_type=client_credentials&resource={audience}&scope={scope}");
        let request = Request::post("/token")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, basic(client));
        let answer: Response<Bytes> = wire::send(&self.host, request.body(Full::from(form))?).await?;
        let answer = wire::json(&answer)?;
        Ok(answer["access_token"].as_str().with_context(|| format!("no token: {answer}"))?.to_owned())
    }

    /// How often its keys were fetched.
    #[must_use]
    pub fn key_fetches(&self) -> usize {
        self.log().lines().filter(|line| *line == "GET /jwks").count()
    }

    /// How many tokens were asked of it for those of others.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("exchange")).count()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the client's id and secret are on the wire; the script names the secret after the client.
fn basic(client: &str) -> &'static str {
    match client {
        "alice" => "Basic YWxpY2U6c2VjcmV0LW9mLWFsaWNl",
        "bob" => "Basic Ym9iOnNlY3JldC1vZi1ib2I=",
        _ => unreachable!("the provider has no other clients that log in"),
    }
}

/// A port that nobody listens on.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
