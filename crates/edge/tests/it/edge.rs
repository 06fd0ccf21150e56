//! Starts the program, talks to it in raw HTTP/1.1, and looks at it from outside.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything may take here; reached only by a failure.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) struct Edge {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<Value>>>,
    dir: TempDir,
}

pub(crate) fn fleet(servers: &[(&str, String)]) -> String {
    servers.iter().map(|(slug, url)| format!("[[server]]\nslug = {slug:?}\nurl = {url:?}\n\n")).collect()
}

/// A fleet of one server with several replicas.
pub(crate) fn replicas(slug: &str, urls: &[String]) -> String {
    format!("[[server]]\nslug = {slug:?}\nurls = {urls:?}\n")
}

/// The program with a clean environment and this fleet file.
pub(crate) fn command(file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gantry-edge"));
    command.env_clear().arg("--config").arg(file).stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

/// What a start that is refused says; one that is not refused is ended.
pub(crate) fn refusal(command: &mut Command) -> String {
    let mut child = command.spawn().unwrap();
    let until = Instant::now() + LONG;
    while child.try_wait().unwrap().is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

impl Edge {
    pub(crate) fn start(servers: &[(&str, String)]) -> Self {
        Self::start_with(servers, &[])
    }

    pub(crate) fn start_with(servers: &[(&str, String)], args: &[&str]) -> Self {
        Self::start_of(&fleet(servers), args)
    }

    /// With this text as its fleet file.
    pub(crate) fn start_of(fleet: &str, args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("fleet.toml");
        std::fs::write(&file, fleet).unwrap();
        Self::start_on(dir, &file, args)
    }

    /// On another address.
    pub(crate) fn start_at(address: &str, servers: &[(&str, String)], args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("fleet.toml");
        std::fs::write(&file, fleet(servers)).unwrap();
        Self::spawn(dir, command(&file).args(["--listen", address]).args(args))
    }

    pub(crate) fn start_on(dir: TempDir, file: &Path, args: &[&str]) -> Self {
        Self::spawn(dir, command(file).args(["--listen", "127.0.0.1:0"]).args(args))
    }

    fn spawn(dir: TempDir, command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = loop {
            let line = lines.next().expect("a first line of log").unwrap();
            match serde_json::from_str::<Value>(&line) {
                Ok(line) if line["message"] == "listening" => break line,
                // What a provider is found to be like may be told before.
                Ok(_) => {}
                Err(_) => {
                    let _ = child.kill();
                    panic!("not started: {line}");
                }
            }
        };
        let mut address: SocketAddr = first["address"].as_str().unwrap().parse().unwrap();
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                sink.lock().unwrap().push(line);
            }
        });
        Self { child, address, log, dir }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("fleet.toml")
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Replaces the fleet file as editors and installers do.
    pub(crate) fn rename_in(&self, text: &str) {
        let new = self.dir.path().join("new.toml");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes on a connection of their own and gives all that comes back until its end.
    pub(crate) async fn raw(&self, bytes: impl AsRef<[u8]>) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        let mut all = Vec::new();
        tokio::time::timeout(LONG, stream.read_to_end(&mut all)).await.expect("an end").unwrap();
        Reply::new(&all)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in kB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Waits for so many lines of log with this message, and sees that there are no more of them.
    pub(crate) async fn told(&self, message: &str, times: usize) -> Vec<Value> {
        let lines = || {
            let log = self.log.lock().unwrap();
            log.iter().filter(|line| line["message"] == message).cloned().collect::<Vec<_>>()
        };
        eventually(message, async || lines().len() >= times).await;
        let lines = lines();
        assert_eq!(lines.len(), times, "{lines:?}");
        lines
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let until = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "still runs");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The key that was made at the start.
pub(crate) async fn told_key(edge: &Edge) -> String {
    let line = || {
        let log = edge.log.lock().unwrap();
        log.iter()
            .find_map(|line| Some(line.as_str()?.split_once("Bearer ")?.1.trim_end_matches('"').to_owned()))
    };
    eventually("a key", async || line().is_some()).await;
    line().unwrap()
}

/// Asks for `/alpha/` on a connection of its own that stays open.
pub(crate) async fn ask(edge: &Edge) -> TcpStream {
    let mut stream = edge.connect().await;
    stream.write_all(b"GET /alpha/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    stream
}

/// Whatever comes until the connection ends.
pub(crate) async fn all(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("an end");
    bytes
}

/// An answer as it came.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

/// A header's value in a head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Waits until `what` holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + LONG;
    while !holds().await {
        assert!(Instant::now() < until, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
