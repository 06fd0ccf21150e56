//! Every way in which a client can call a tool, spoken by hand so that a test can also speak it badly.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, header, request};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::events::Events;
use crate::grpc;
use crate::program::{Target, command};
use crate::wire::{self, PATIENCE};

/// The revision that needs no session.
pub const MODERN: &str = "2026-07-28";
/// The last revision that begins with a handshake.
pub const LEGACY: &str = "2025-11-25";

/// An open way to one server's tools.
#[derive(Debug)]
pub enum Door {
    /// Streamable HTTP as of 2026-07-28.
    Modern(Target),
    /// Streamable HTTP as of 2025-11-25, and its session's id.
    Session(Target, String),
    /// HTTP+SSE as of 2024-11-05: where messages go, and the stream on which answers come.
    Sse(Target, String, Events),
    /// MCP on the pipes of a child process.
    Stdio(Box<Pipes>),
    /// `POST /tools/{name}`.
    Rest(Target),
    /// `gantry.tool.v1.ToolService/CallTool`.
    Grpc(Target),
}

/// What a call came to.
#[derive(Debug)]
pub enum Answer {
    /// The tool's result: structured where it has a structure.
    Done(Value),
    /// Our error object.
    Refused(Value),
    /// An error of the protocol.
    Protocol(Value),
}

/// A server started with `--transport stdio`.
#[derive(Debug)]
pub struct Pipes {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Door {
    /// All doors of a server, opened; `binary` and `args` start it once more for stdio.
    pub async fn all(target: &Target, binary: &str, args: &[&str]) -> Result<Vec<Self>> {
        Ok(vec![
            Self::Modern(target.clone()),
            Self::session(target).await.context("session")?,
            Self::sse(target).await.context("sse")?,
            Self::stdio(binary, args).await.context("stdio")?,
            Self::Rest(target.clone()),
            Self::Grpc(target.clone()),
        ])
    }

    /// Shakes hands and keeps the session.
    pub async fn session(target: &Target) -> Result<Self> {
        let answer = wire::send(&target.host, mcp(target).body(body(&initialize(LEGACY)))?).await?;
        let id = answer.headers().get("mcp-session-id").context("no session id")?.to_str()?.to_owned();
        let door = Self::Session(target.clone(), id.clone());
        let ready = mcp(target).header("mcp-session-id", id).header("mcp-protocol-version", LEGACY);
        let ready = wire::send(&target.host, ready.body(body(&initialized()))?).await?;
        ensure!(ready.status() == 202, "notifications/initialized: {}", ready.status());
        Ok(door)
    }

    /// Opens the event stream and shakes hands over it.
    pub async fn sse(target: &Target) -> Result<Self> {
        let request = Request::get(target.path("/sse")).header(header::ACCEPT, "text/event-stream");
        let answer = wire::open(&target.host, request.body(Full::default())?).await?;
        ensure!(answer.status() == 200, "/sse: {}", answer.status());
        let mut events = Events::new(answer.into_body());
        let (name, endpoint) = events.next().await?;
        ensure!(name == "endpoint", "the first event is {name}: {endpoint}");
        let path = resolve(&target.path("/sse"), &endpoint);
        let mut door = Self::Sse(target.clone(), path, events);
        door.rpc(&initialize("2024-11-05")).await?;
        door.notify(&initialized()).await?;
        Ok(door)
    }

    /// Starts the server on pipes and shakes hands over them.
    pub async fn stdio(binary: &str, args: &[&str]) -> Result<Self> {
        let mut child = tokio::process::Command::from(command(binary))
            .args(["--transport", "stdio"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().context("stdin")?;
        let output = BufReader::new(child.stdout.take().context("stdout")?).lines();
        let mut door = Self::Stdio(Box::new(Pipes { child, input, output }));
        door.rpc(&initialize(LEGACY)).await?;
        door.notify(&initialized()).await?;
        Ok(door)
    }

    /// Its name, for messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Modern(_) => "modern",
            Self::Session(..) => "session",
            Self::Sse(..) => "sse",
            Self::Stdio(_) => "stdio",
            Self::Rest(_) => "rest",
            Self::Grpc(_) => "grpc",
        }
    }

    /// Calls a tool; `arguments` may be anything.
    pub async fn call(&mut self, tool: &str, arguments: &Value) -> Result<Answer> {
        if let Self::Rest(target) = self {
            let answer = wire::post(&target.host, &target.path(&format!("/tools/{tool}")), arguments).await?;
            let value = wire::json(&answer)?;
            if let Some(code) = value["error"].as_str() {
                ensure!(answer.status() == status(code), "{code} came with {}", answer.status());
            }
            return Ok(if answer.status().is_success() {
                Answer::Done(value)
            } else {
                Answer::Refused(value)
            });
        }
        if let Self::Grpc(target) = self {
            return grpc::call(target, tool, arguments).await;
        }
        let params = json!({"name": tool, "arguments": arguments});
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
        answer(self.rpc(&message).await?)
    }

    /// Fails if the server behind the pipes has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        if let Self::Stdio(pipes) = self {
            ensure!(pipes.child.try_wait()?.is_none(), "the program on the pipes ended");
        }
        Ok(())
    }

    /// Sends a request of MCP as it is, and gives the whole answer.
    pub async fn rpc(&mut self, message: &Value) -> Result<Value> {
        match self {
            Self::Modern(target) => modern(target, message.clone()).await,
            Self::Session(target, id) => {
                let request =
                    mcp(target).header("mcp-session-id", &*id).header("mcp-protocol-version", LEGACY);
                reply(target, request, message).await
            }
            Self::Sse(_, _, _) => {
                self.notify(message).await?;
                let Self::Sse(_, _, events) = self else { unreachable!("matched above") };
                events.answer(&message["id"]).await
            }
            Self::Stdio(pipes) => pipes.rpc(message).await,
            Self::Rest(_) | Self::Grpc(_) => unreachable!("{} has no JSON-RPC", self.name()),
        }
    }

    async fn notify(&mut self, message: &Value) -> Result<()> {
        match self {
            Self::Sse(target, path, _) => {
                let sent = wire::post(&target.host, path, message).await?;
                ensure!(sent.status() == 202, "{path}: {} {:?}", sent.status(), sent.body());
            }
            Self::Stdio(pipes) => pipes.write(message).await?,
            _ => unreachable!("only the streams need it"),
        }
        Ok(())
    }
}

impl Pipes {
    async fn write(&mut self, message: &Value) -> Result<()> {
        self.input.write_all(format!("{message}\n").as_bytes()).await?;
        Ok(self.input.flush().await?)
    }

    async fn rpc(&mut self, message: &Value) -> Result<Value> {
        self.write(message).await?;
        loop {
            let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
            let line = line.context("no line in time")??.context("stdout ended")?;
            let answer: Value = serde_json::from_str(&line).with_context(|| format!("on stdout: {line}"))?;
            if answer["id"] == message["id"] && answer.get("method").is_none() {
                return Ok(answer);
            }
        }
    }
}

/// The HTTP status that belongs to one of our codes.
fn status(code: &str) -> u16 {
    match code {
        "VALIDATION_ERROR" => 400,
        "AUTHENTICATION_ERROR" => 401,
        "FORBIDDEN" => 403,
        "NOT_FOUND" => 404,
        "RATE_LIMITED" => 429,
        "SERVICE_ERROR" => 502,
        "TIMEOUT_ERROR" => 504,
        _ => 500,
    }
}

/// A request to `/mcp` with the headers that every client sends.
pub fn mcp(target: &Target) -> request::Builder {
    Request::post(target.path("/mcp"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream")
}

/// Sends a message as of 2026-07-28, with its metadata and the headers that repeat it.
pub async fn modern(target: &Target, mut message: Value) -> Result<Value> {
    message["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "gantry-tests", "version": "0"},
    });
    let method = message["method"].as_str().unwrap_or_default();
    let mut request = mcp(target).header("mcp-protocol-version", MODERN).header("mcp-method", method);
    if let Some(name) = message["params"]["name"].as_str() {
        request = request.header("mcp-name", name);
    }
    reply(target, request, &message).await
}

/// The JSON-RPC answer, whether it comes as JSON or as an event.
async fn reply(target: &Target, request: request::Builder, message: &Value) -> Result<Value> {
    let answer = wire::open(&target.host, request.body(body(message))?).await?;
    if answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
        return Events::new(answer.into_body()).answer(&message["id"]).await;
    }
    wire::json(&wire::whole(answer).await?)
}

/// What a `tools/call` answered.
fn answer(mut message: Value) -> Result<Answer> {
    if message.get("error").is_some() {
        return Ok(Answer::Protocol(message["error"].take()));
    }
    let mut result = message["result"].take();
    if result["isError"] == true {
        ensure!(result.get("structuredContent").is_none(), "an error with structuredContent: {result}");
        let text = result["content"][0]["text"].as_str().context("an error without text")?;
        return Ok(Answer::Refused(
            serde_json::from_str(text).with_context(|| format!("not our error: {text}"))?,
        ));
    }
    Ok(Answer::Done(if result["structuredContent"].is_null() {
        result
    } else {
        result["structuredContent"].take()
    }))
}

fn initialize(version: &str) -> Value {
    let client = json!({"name": "gantry-tests", "version": "0"});
    let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
}

fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

fn body(message: &Value) -> Full<Bytes> {
    Full::from(message.to_string())
}

/// The path that a relative reference means, seen from `base`.
fn resolve(base: &str, reference: &str) -> String {
    let folder = &base[..=base.rfind('/').unwrap_or(0)];
    match reference.strip_prefix("./").unwrap_or(reference) {
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        relative => format!("{folder}{relative}"),
    }
}
