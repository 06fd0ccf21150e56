//! How a server ends, and how long it bears with connections: nobody's answer is lost, and nobody is waited for
//! without end.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use kit::testing::{Running, start};
use kit::{Call, Json, Kit, Parameters, Result, Service};
use reqwest::{RequestBuilder, Response};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::{ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Sleepy;

impl ServerHandler for Sleepy {}

#[derive(Debug, clap::Args)]
struct Args {}

impl Service for Sleepy {
    const SLUG: &'static str = "sleepy";
    const PORT: u16 = 0;
    const ABOUT: &'static str = "Tools that take their time.";

    type Args = Args;

    async fn connect(_args: Args, _kit: Kit) -> anyhow::Result<Self> {
        Ok(Self)
    }

    fn tools(_args: &Self::Args) -> impl Iterator<Item = ToolRouter<Self>> {
        std::iter::once(Self::router())
    }
}

#[derive(Deserialize, JsonSchema)]
struct Nap {
    /// For how long.
    ms: u64,
}

#[derive(Serialize, JsonSchema)]
struct Slept {
    /// For how long.
    ms: u64,
}

#[tool_router(router = router)]
impl Sleepy {
    /// Sleeps, and reads.
    #[tool(title = "Sleep", annotations(read_only_hint = true))]
    async fn sleep(&self, Parameters(nap): Parameters<Nap>, call: Call) -> Result<Json<Slept>> {
        call.progress(0.0, None, "asleep").await;
        tokio::time::sleep(Duration::from_millis(nap.ms)).await;
        Ok(Json(Slept { ms: nap.ms }))
    }

    /// Sleeps, and writes.
    #[tool(title = "Write", annotations(read_only_hint = false))]
    async fn write(&self, Parameters(nap): Parameters<Nap>) -> Result<Json<Slept>> {
        tokio::time::sleep(Duration::from_millis(nap.ms)).await;
        Ok(Json(Slept { ms: nap.ms }))
    }
}

async fn sleepy(args: &[&str]) -> Running {
    start::<Sleepy>(args).await.expect("a server")
}

/// Waits until so many calls of a tool have begun.
async fn begun(url: &str, tool: &str, calls: usize) {
    let series = format!("gantry_tool_calls_total{{tool=\"{tool}\"}} ");
    let since = Instant::now();
    loop {
        let metrics = send(CLIENT.get(format!("{url}/metrics"))).await.text().await.expect("text");
        let count = metrics.lines().find_map(|line| line.strip_prefix(&series)).expect("the series");
        if count.parse::<usize>().expect("a number") >= calls {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "{count} calls of {calls} have begun");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);

#[expect(clippy::disallowed_methods, reason = "the client of the tests")]
async fn try_send(request: RequestBuilder) -> reqwest::Result<Response> {
    request.timeout(PATIENCE).send().await
}

async fn send(request: RequestBuilder) -> Response {
    try_send(request).await.expect("an answer")
}

fn rest(url: &str, tool: &str, ms: u64) -> RequestBuilder {
    CLIENT.post(format!("{url}/tools/{tool}")).json(&json!({"ms": ms}))
}

fn tools_call(tool: &str, ms: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {"ms": ms}}})
}

fn mcp(url: &str, message: &Value) -> RequestBuilder {
    CLIENT.post(format!("{url}/mcp")).header("accept", "application/json, text/event-stream").json(message)
}

/// A call of a 2026-07-28 client.
fn modern(url: &str, tool: &str, ms: u64, progress: bool) -> RequestBuilder {
    let mut message = tools_call(tool, ms);
    message["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    if progress {
        message["params"]["_meta"]["progressToken"] = "t".into();
    }
    mcp(url, &message)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
}

fn initialize(version: &str) -> Value {
    let params = json!({"protocolVersion": version, "capabilities": {"elicitation": {}}, "clientInfo": {"name": "t", "version": "1"}});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
}

fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

/// A session of a client of that time.
async fn session(url: &str, version: &str) -> String {
    let answer = send(mcp(url, &initialize(version))).await;
    let id = answer.headers()["mcp-session-id"].to_str().expect("text").to_owned();
    answer.bytes().await.expect("whole");
    let done = send(mcp(url, &initialized()).header("mcp-session-id", &id)).await;
    assert_eq!(done.status(), 202);
    id
}

/// An HTTP+SSE session: its stream, and the address to post to.
async fn sse(url: &str) -> (Response, String) {
    let mut stream = send(CLIENT.get(format!("{url}/sse"))).await;
    let mut text = String::new();
    while !text.contains("\n\n") {
        let chunk = stream.chunk().await.expect("open").expect("an event");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    let path = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("an address");
    let address = format!("{url}/{path}");
    for message in [initialize("2024-11-05"), initialized()] {
        assert_eq!(send(CLIENT.post(&address).json(&message)).await.status(), 202);
    }
    (stream, address)
}

/// What one client reads to the end: the status, and as much of the body as came.
async fn read(name: &'static str, request: RequestBuilder) -> (&'static str, u16, String) {
    let answer = send(request).await;
    let status = answer.status().as_u16();
    (name, status, rest_of(answer).await)
}

async fn rest_of(mut answer: Response) -> String {
    let mut body = vec![];
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
    }
    String::from_utf8_lossy(&body).replace("\\\"", "\"")
}

/// Calls a tool over every door at once; gives what each client read once the server has ended.
async fn over_every_door(server: Running, tool: &str, ms: u64) -> Vec<(&'static str, u16, String)> {
    let url = server.url.clone();
    let (new, old) = (session(&url, "2025-11-25").await, session(&url, "2025-03-26").await);
    let (stream, address) = sse(&url).await;
    let in_session = |id: &str, message: &Value| mcp(&url, message).header("mcp-session-id", id);
    let calls = [
        ("rest", rest(&url, tool, ms)),
        ("modern", modern(&url, tool, ms, false)),
        ("modern with progress", modern(&url, tool, ms, true)),
        ("session", in_session(&new, &tools_call(tool, ms))),
        ("batch", in_session(&old, &json!([tools_call(tool, ms)]))),
    ];
    let doors = calls.len() + 1;
    let clients = calls.map(|(name, request)| tokio::spawn(read(name, request)));
    assert_eq!(send(CLIENT.post(&address).json(&tools_call(tool, ms))).await.status(), 202);
    begun(&url, tool, doors).await;
    let ended = server.stop();
    let mut answers = vec![("sse", 200, rest_of(stream).await)];
    for client in clients {
        answers.push(client.await.expect("a client"));
    }
    ended.await.expect("no panic").expect("a clean end");
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_no_answer_on_any_door() {
    for _ in 0..5 {
        let server = sleepy(&[]).await;
        for (door, status, body) in over_every_door(server, "sleep", 700).await {
            assert_eq!(status, 200, "{door}: {body}");
            assert!(body.contains("\"ms\":700"), "{door}: {body}");
        }
    }
}

/// The audit lines of this process.
static AUDIT: Mutex<Vec<u8>> = Mutex::new(vec![]);

struct Audit;

impl Write for Audit {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        AUDIT.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_cut_off_are_answered_and_audited() {
    tracing_subscriber::fmt().with_writer(|| Audit).init();
    let server = sleepy(&["--shutdown-grace", "300ms"]).await;
    let answers = over_every_door(server, "write", 600_000).await;
    for (door, status, body) in &answers {
        assert_eq!(*status, if *door == "rest" { 502 } else { 200 }, "{door}: {body}");
        assert!(body.contains("SERVICE_ERROR") && body.contains("the server is stopping"), "{door}: {body}");
    }
    let log = AUDIT.lock().expect("whole").clone();
    let log = String::from_utf8(log).expect("text");
    let lines = log.lines().filter(|line| line.contains("audit: tool called"));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), answers.len(), "{log}");
    assert!(lines.iter().all(|line| line.contains("SERVICE_ERROR")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn steady_load_does_not_hold_up_a_stop() {
    let server = sleepy(&["--shutdown-grace", "10m"]).await;
    let (url, over) = (server.url.clone(), Arc::new(AtomicBool::new(false)));
    let found = tokio::spawn(read("found", rest(&url, "sleep", 1500)));
    begun(&url, "sleep", 1).await;
    // No two keep step, so there is no moment without a call.
    let load = (0..12).map(|worker| {
        let ms = 300 + 37 * worker;
        let (url, over) = (url.clone(), over.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                // Once nobody listens any more there is no answer, but never half of one.
                let Ok(answer) = try_send(rest(&url, "sleep", ms)).await else { continue };
                assert_eq!(answer.status(), 200);
                assert_eq!(answer.json::<Value>().await.expect("whole"), json!({"ms": ms}));
            }
        })
    });
    let load: Vec<_> = load.collect();
    begun(&url, "sleep", 30).await;
    let ended = server.stop();
    let ready = send(CLIENT.get(format!("{url}/health/ready"))).await;
    assert_eq!(ready.status(), 503);
    tokio::time::timeout(PATIENCE, ended).await.expect("in time").expect("no panic").expect("a clean end");
    over.store(true, Ordering::SeqCst);
    assert_eq!(found.await.expect("a client").1, 200);
    join_all(load).await.into_iter().for_each(|worker| worker.expect("whole answers"));
}

#[tokio::test]
async fn a_delayed_stop_still_serves() {
    let server = sleepy(&["--shutdown-delay", "3s"]).await;
    let (url, since) = (server.url.clone(), Instant::now());
    let ended = server.stop();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(send(CLIENT.get(format!("{url}/health/ready"))).await.status(), 503);
    assert_eq!(send(rest(&url, "sleep", 1)).await.status(), 200);
    ended.await.expect("no panic").expect("a clean end");
    assert!(since.elapsed() >= Duration::from_secs(3));
    let long = start::<Sleepy>(&["--shutdown-delay", "3s", "--shutdown-grace", "2s"]).await;
    assert!(format!("{:#}", long.err().expect("refused")).contains("--shutdown-delay"));
}

async fn connect(server: &Running) -> TcpStream {
    TcpStream::connect(server.url.trim_start_matches("http://")).await.expect("a connection")
}

const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Asks on a connection that stays open.
async fn alive(stream: &mut TcpStream) {
    stream.write_all(LIVE).await.expect("sent");
    let mut answer = vec![];
    while !answer.ends_with(b"}") {
        assert!(stream.read_buf(&mut answer).await.expect("open") > 0, "closed after {answer:?}");
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn who_never_asks_is_closed_and_who_has_asked_is_kept() {
    let server = sleepy(&[]).await;
    let mut kept = connect(&server).await;
    alive(&mut kept).await;
    let begun = Instant::now();
    let silent =
        ["", "GET /health/live HTTP/1.1\r\nhost: loc", "PRI * HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    let silent = silent.map(async |words| {
        let mut stream = connect(&server).await;
        stream.write_all(words.as_bytes()).await.expect("sent");
        let mut heard = vec![];
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard)).await;
        assert!(closed.is_ok(), "still open: {words:?}");
    });
    join_all(silent).await;
    assert!(begun.elapsed() > Duration::from_secs(5));
    alive(&mut kept).await;
}

#[tokio::test]
async fn more_connections_than_allowed_wait() {
    let server = sleepy(&["--max-connections", "2"]).await;
    let (mut first, mut second) = (connect(&server).await, connect(&server).await);
    alive(&mut first).await;
    alive(&mut second).await;
    let mut third = connect(&server).await;
    let waiting = tokio::time::timeout(Duration::from_millis(500), alive(&mut third)).await;
    assert!(waiting.is_err(), "a third one was served");
    drop(first);
    let mut answer = [0; 12];
    tokio::time::timeout(PATIENCE, third.read_exact(&mut answer)).await.expect("in time").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
    alive(&mut second).await;
}

#[tokio::test]
async fn requests_over_http_2_are_no_way_around_that() {
    let server = sleepy(&["--max-connections", "10"]).await;
    let client = || reqwest::Client::builder().http2_prior_knowledge().build().expect("a client");
    let (many, one) = (client(), client());
    let sleep = |client: &reqwest::Client, ms: u64| {
        client.post(format!("{}/tools/sleep", server.url)).json(&json!({"ms": ms}))
    };
    let all: Vec<_> = (0..200).map(|_| tokio::spawn(try_send(sleep(&many, 60_000)))).collect();
    begun(&server.url, "sleep", 200).await;
    let waits = tokio::time::timeout(Duration::from_millis(500), try_send(sleep(&one, 1))).await;
    assert!(waits.is_err(), "another one was served");
    all[0].abort();
    let answer = tokio::time::timeout(PATIENCE, send(sleep(&one, 1))).await.expect("a place");
    assert_eq!(answer.status(), 200);
    all.iter().for_each(|it| it.abort());
}

#[tokio::test]
async fn clients_that_know_beforehand_speak_http_2() {
    let server = sleepy(&[]).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().expect("a client");
    let answer = send(client.post(format!("{}/tools/sleep", server.url)).json(&json!({"ms": 1}))).await;
    assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    let url = server.url.clone();
    let slow = client.post(format!("{url}/tools/sleep")).json(&json!({"ms": 500}));
    let slow = tokio::spawn(read("slow", slow));
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.stop().await.expect("no panic").expect("a clean end");
    assert_eq!(slow.await.expect("a client").2, "{\"ms\":500}");
}

/// The example as a program of its own.
struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Program {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(example())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cargo builds examples for a test of the package");
        let stdout = lines(child.stdout.take().expect("piped"));
        let stderr = lines(child.stderr.take().expect("piped"));
        Self { stdin: child.stdin.take(), child, stdout, stderr }
    }

    /// A session on stdio, begun.
    fn session(args: &[&str]) -> Self {
        let mut program = Self::start(&[&["--transport", "stdio"], args].concat());
        program.say(&initialize("2025-11-25"));
        program.hear("\"serverInfo\"");
        program.say(&initialized());
        program
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.stdin.as_mut().expect("open"), "{message}").expect("taken");
    }

    /// Calls a tool that tells its progress at once; returns when it has.
    fn call_and_hear(&mut self, tool: &str, first_words: &str) {
        let params = json!({"name": tool, "arguments": {"message": "?"}, "_meta": {"progressToken": "t"}});
        self.say(&json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}));
        self.hear(first_words);
    }

    /// Waits for a line on stdout with these words.
    fn hear(&self, words: &str) -> String {
        hear(&self.stdout, words)
    }

    fn terminate(&self) {
        self.signal("-TERM");
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().expect("kill").success());
    }

    fn end(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "the program does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let target = test.parent().and_then(|deps| deps.parent()).expect("deps");
    target.join("examples/everything")
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(std::io::Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn hear(lines: &Receiver<String>, words: &str) -> String {
    loop {
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no {words}: {error}"));
        if line.contains(words) {
            return line;
        }
    }
}

#[test]
fn a_signal_right_after_the_start_is_heard() {
    for _ in 0..5 {
        let mut program = Program::start(&["--listen", "127.0.0.1:0"]);
        hear(&program.stderr, "listening");
        program.terminate();
        assert_eq!(program.end().code(), Some(0));
    }
}

#[test]
fn a_signal_on_stdio_loses_no_answer() {
    let mut program = Program::session(&[]);
    program.call_and_hear("test_tool_with_progress", "begun");
    program.terminate();
    program.hear("Progress was reported in three steps.");
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn the_end_of_stdin_loses_no_answer() {
    let mut program = Program::session(&[]);
    program.call_and_hear("test_tool_with_progress", "begun");
    drop(program.stdin.take());
    program.hear("Progress was reported in three steps.");
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn a_call_on_stdio_that_is_cut_off_is_answered() {
    let ends: [fn(&mut Program); 2] = [|program| program.terminate(), |program| drop(program.stdin.take())];
    for end in ends {
        let mut program = Program::session(&["--shutdown-grace", "300ms"]);
        program.call_and_hear("test_elicitation", "elicitation/create");
        end(&mut program);
        let answer = program.hear("\"id\":7");
        assert!(answer.contains("the server is stopping"), "{answer}");
        assert_eq!(program.end().code(), Some(0));
    }
}

#[test]
fn a_signal_before_any_word_on_stdio_ends_it() {
    let mut program = Program::start(&["--transport", "stdio"]);
    // Not before it is there to hear the signal.
    program.say(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
    program.hear("\"id\":1");
    program.terminate();
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let mut program = Program::session(&[]);
        program.call_and_hear("test_elicitation", "elicitation/create");
        program.terminate();
        hear(&program.stderr, "stopping");
        let since = Instant::now();
        program.signal(signal);
        hear(&program.stderr, "told again to stop");
        assert_eq!(program.end().code(), Some(code));
        assert!(since.elapsed() < Duration::from_secs(10), "it did not wait for the call");
    }
}
