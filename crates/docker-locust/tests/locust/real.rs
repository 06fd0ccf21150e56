//! A real Locust, and the server it loads.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::spawn;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Program, free_port, http, offered, wait};
use crate::server::Server;

/// Two kinds of users: one whose requests succeed, one whose requests fail.
pub(crate) const USERS: &str = r#"
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.05)
    @task
    def index(self):
        self.client.get("/")

class Buyer(HttpUser):
    wait_time = constant(0.05)
    @task
    def cart(self):
        self.client.get("/missing")
"#;

/// More Locusts at once would be slow for want of processors, and tests here measure time.
const AT_ONCE: usize = 3;
static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V246,
    V247,
}

impl Version {
    pub(crate) const BOTH: [Self; 2] = [Self::V246, Self::V247];

    fn program(self) -> Option<String> {
        match self {
            Self::V246 => offered("locust 2.46", "GANTRY_TEST_LOCUST_246"),
            Self::V247 => offered("locust 2.47", "GANTRY_TEST_LOCUST_247"),
        }
    }
}

pub(crate) struct Locust {
    pub(crate) port: u16,
    program: String,
    process: Program,
    _slot: Slot,
}

impl Locust {
    /// `None` where this version is not offered.
    pub(crate) fn start(version: Version, locustfile: &str, args: &[&str]) -> Option<Self> {
        let program = version.program()?;
        let slot = Slot::take();
        let port = free_port();
        let process = launch(&program, locustfile, port, args);
        wait("locust", Duration::from_secs(60), || http(port, "GET", "/login", "", ""));
        Some(Self { port, program, process, _slot: slot })
    }

    /// A new process on the same port.
    pub(crate) fn restart(&mut self, locustfile: &str, args: &[&str]) {
        self.process.terminate();
        self.process = launch(&self.program, locustfile, self.port, args);
        wait("locust", Duration::from_secs(60), || http(self.port, "GET", "/login", "", ""));
    }

    /// A worker of this master.
    pub(crate) fn worker(&self, locustfile: &str, master: u16) -> Program {
        let folder = folder_with(locustfile);
        let mut command = Command::new(&self.program);
        command.args(["--worker", "--master-host", "127.0.0.1", "--master-port", &master.to_string()]);
        Program::start(command, folder)
    }

    /// A Gantry server for this Locust.
    pub(crate) fn server(&self, args: &[&str]) -> Server {
        let url = format!("http://127.0.0.1:{}", self.port);
        Server::start(&[&["--locust-url", &url], args].concat())
    }

    /// Its own figures.
    pub(crate) fn stats(&self) -> Value {
        serde_json::from_str(&http(self.port, "GET", "/stats/requests", "", "").unwrap().1).unwrap()
    }

    /// Its state as of now; `stats` may be two seconds late.
    pub(crate) fn state(&self) -> String {
        let page = http(self.port, "GET", "/", "", "").unwrap().1;
        let state = page.split("\"state\": \"").nth(1).unwrap();
        state.split('"').next().unwrap().to_owned()
    }

    /// Starts or resizes a test as its own web interface does.
    pub(crate) fn swarm(&self, form: &str) {
        let (status, body) =
            http(self.port, "POST", "/swarm", "application/x-www-form-urlencoded", form).unwrap();
        assert!(status == 200 && body.contains("Swarming started"), "{body}");
    }
}

fn launch(program: &str, locustfile: &str, port: u16, args: &[&str]) -> Program {
    let mut command = Command::new(program);
    command.args(["--web-host", "127.0.0.1", "--web-port", &port.to_string()]).args(args);
    Program::start(command, folder_with(locustfile))
}

fn folder_with(locustfile: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("locustfile.py"), locustfile).unwrap();
    folder
}

/// A place among those that may run at once.
struct Slot;

impl Slot {
    fn take() -> Self {
        let running = RUNNING.0.lock().unwrap();
        *RUNNING.1.wait_while(running, |running| *running >= AT_ONCE).unwrap() += 1;
        Self
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *RUNNING.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) -= 1;
        RUNNING.1.notify_one();
    }
}

/// A small web server on loopback that counts its requests; it ends with the test program.
pub(crate) struct Target {
    pub(crate) url: String,
    requests: Arc<AtomicU64>,
}

impl Target {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicU64::new(0));
        let count = requests.clone();
        spawn(move || {
            for client in listener.incoming().flatten() {
                let count = count.clone();
                spawn(move || {
                    let mut reader = BufReader::new(client.try_clone().unwrap());
                    while let Some(path) = request(&mut reader) {
                        count.fetch_add(1, Ordering::Relaxed);
                        let status = if path == "/" { "200 OK" } else { "404 Not Found" };
                        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
                        if (&client).write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// The path of the next request.
fn request(reader: &mut impl BufRead) -> Option<String> {
    let mut lines = reader.lines();
    let first = lines.next()?.ok()?;
    while !lines.next()?.ok()?.is_empty() {}
    first.split(' ').nth(1).map(str::to_owned)
}
