//! Starts Gantry's own programs on free ports and ends them by their handle.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tempfile::TempDir;

use crate::wire;

/// How long a client may take to load its libraries on a machine that builds beside it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where a client finds a server.
#[derive(Debug, Clone)]
pub struct Target {
    /// `ADDRESS:PORT` to connect to.
    pub host: String,
    /// What the server's paths start with: nothing, or `/SLUG` through the edge.
    pub prefix: String,
}

impl Target {
    /// The whole URL of a path of the server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{}{path}", self.host, self.prefix)
    }

    /// The path as it goes into a request.
    #[must_use]
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

/// A server, and an edge in front of it: what must work directly must work through the edge.
#[derive(Debug)]
pub struct Fronted {
    /// The server itself.
    pub server: Program,
    /// The edge that routes to it.
    pub edge: Program,
    slug: &'static str,
}

impl Fronted {
    /// Starts the server `binary` and an edge that knows it as `slug`.
    pub async fn start(slug: &'static str, binary: &str, args: &[&str]) -> Result<Self> {
        let server = Program::start(binary, args).await?;
        let edge = Program::edge(&[(slug, &server)]).await?;
        Ok(Self { server, edge, slug })
    }

    /// The server, directly and through the edge.
    #[must_use]
    pub fn targets(&self) -> [Target; 2] {
        [self.server.target(), Target { host: self.edge.host.clone(), prefix: format!("/{}", self.slug) }]
    }

    /// Fails unless both are alive and neither log speaks of a panic.
    pub async fn check_alive(&mut self) -> Result<()> {
        self.server.check_alive().await?;
        self.edge.check_alive().await
    }
}

/// A running program that listens on loopback.
#[derive(Debug)]
pub struct Program {
    /// `ADDRESS:PORT` it listens on.
    pub host: String,
    child: Child,
    folder: TempDir,
    /// It was given a certificate.
    tls: bool,
}

impl Program {
    /// Starts the edge with one route per server.
    pub async fn edge(routes: &[(&str, &Program)]) -> Result<Self> {
        Self::edge_with(routes, &[]).await
    }

    /// Starts the edge with one route per slug, and these arguments; servers of one slug are its replicas.
    pub async fn edge_with(routes: &[(&str, &Program)], args: &[&str]) -> Result<Self> {
        let url = |to: &Program| format!("{}://{}", if to.tls { "https" } else { "http" }, to.host);
        let routes: Vec<_> = routes.iter().map(|(slug, to)| (*slug, url(to))).collect();
        Self::edge_to(&routes, args).await
    }

    /// The same in front of servers at these URLs, which nobody here has started.
    pub async fn edge_to(routes: &[(&str, String)], args: &[&str]) -> Result<Self> {
        let folder = TempDir::new()?;
        let mut fleet: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (slug, url) in routes {
            fleet.entry(slug).or_default().push(url);
        }
        let fleet: String = fleet
            .iter()
            .map(|(slug, urls)| format!("[[server]]\nslug = {slug:?}\nurls = {urls:?}\n"))
            .collect();
        let config = folder.path().join("fleet.toml");
        std::fs::write(&config, fleet)?;
        let config = ["--config", config.to_str().context("path")?];
        Self::launch(folder, "gantry-edge", &[&config, args].concat()).await
    }

    /// Starts `binary` on a free port and waits until it lives.
    pub async fn start(binary: &str, args: &[&str]) -> Result<Self> {
        Self::launch(TempDir::new()?, binary, args).await
    }

    async fn launch(folder: TempDir, binary: &str, args: &[&str]) -> Result<Self> {
        let child = command(binary)
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log"))?)
            .spawn()
            .with_context(|| format!("start {binary}"))?;
        let tls = args.contains(&"--tls-cert");
        let mut program = Self { host: String::new(), child, folder, tls };
        program.await_life().await.with_context(|| format!("{binary} {args:?}:\n{}", program.log()))?;
        Ok(program)
    }

    async fn await_life(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                bail!("ended with {status}");
            }
            if let Some(host) = listening(&self.log()) {
                self.host = host;
                if self.lives().await.is_ok() {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("does not answer /health/live")
    }

    /// Behind a certificate it is alive when it takes connections: nothing here speaks TLS.
    async fn lives(&self) -> Result<()> {
        if self.tls {
            tokio::net::TcpStream::connect(&self.host).await?;
            return Ok(());
        }
        let live = wire::get(&self.host, "/health/live").await?;
        anyhow::ensure!(live.status() == 200, "/health/live answers {}", live.status());
        Ok(())
    }

    /// How many calls of a tool have begun in this server, by its own count; it tells whoever has this key.
    pub async fn calls(&self, tool: &str, key: &str) -> Result<u64> {
        let counter = format!("gantry_tool_calls_total{{tool=\"{tool}\"}} ");
        let metrics = self.metrics(Some(key)).await?;
        let count = metrics.lines().find_map(|line| line.strip_prefix(&counter));
        Ok(count.with_context(|| format!("no {counter}in:\n{metrics}"))?.parse()?)
    }

    async fn metrics(&self, key: Option<&str>) -> Result<String> {
        let mut request = Request::get("/metrics");
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        let answer = wire::send(&self.host, request.body(Full::default())?).await?;
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }

    /// Waits until so many calls of a tool run in this server, by its own count.
    pub async fn in_flight(&self, tool: &str, wanted: usize) -> Result<()> {
        let gauge = format!("gantry_tool_calls_in_flight{{tool=\"{tool}\"}} {wanted}");
        let end = Instant::now() + PATIENCE;
        let mut metrics = String::new();
        while Instant::now() < end {
            metrics = self.metrics(None).await?;
            if metrics.lines().any(|line| line == gauge) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("no {gauge} in:\n{metrics}")
    }

    /// The program, without an edge before it.
    #[must_use]
    pub fn target(&self) -> Target {
        Target { host: self.host.clone(), prefix: String::new() }
    }

    /// Everything it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its resident memory, in kB.
    pub fn rss_kb(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most it ever was, in kB.
    pub fn peak_rss_kb(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, what: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what)).context(what.to_owned())?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Fails unless the program still answers and its log speaks of no panic.
    pub async fn check_alive(&mut self) -> Result<()> {
        let log = self.log();
        anyhow::ensure!(self.child.try_wait()?.is_none(), "the program ended:\n{log}");
        anyhow::ensure!(!log.contains("panicked"), "a panic in the log:\n{log}");
        self.lives().await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening(log: &str) -> Option<String> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["message"] == "listening")
        .and_then(|line| line["address"].as_str().map(str::to_owned))
}

/// A command for one of the workspace's programs, without the settings of whoever runs the tests.
#[must_use]
pub fn command(binary: &str) -> Command {
    let mut command = Command::new(find(binary));
    command.env_clear().env("PATH", crate::environment("PATH").unwrap_or_default());
    command
}

/// The binary or example of this name, beside the test that is running.
fn find(binary: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(build);
    let test = std::env::current_exe().expect("this test has a path");
    let target = test.parent().and_then(Path::parent).expect("target/debug/deps/TEST");
    let [program, example] = [target.join(binary), target.join("examples").join(binary)];
    if program.exists() { program } else { example }
}

/// The runner has built everything; a test that is run by hand must not meet yesterday's binary.
fn build() {
    if crate::environment("GANTRY_TEST_BUILT").is_some() {
        return;
    }
    let cargo = crate::environment("CARGO").unwrap_or_else(|| "cargo".to_owned());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--bins", "--examples"])
        .args(["--workspace"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.is_ok_and(|status| status.success()), "cargo build failed");
}
