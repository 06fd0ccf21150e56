//! The real program on loopback, spoken to over REST.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::Lab;

pub(crate) struct Server {
    /// None for one that a container runs.
    program: Option<(Child, PathBuf)>,
    address: SocketAddr,
}

impl Server {
    /// Starts it with the lab's state folder and this way to the engine.
    pub(crate) fn start(lab: &Lab, engine: &str, more: &[&str]) -> Self {
        let folder = lab.folder.path();
        let log = (0..).map(|n| folder.join(format!("server{n}.log"))).find(|path| !path.exists()).unwrap();
        let file = File::create(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_gantry-docker-locust"))
            .args([
                "--docker-host",
                engine,
                "--listen",
                "127.0.0.1:0",
                "--health-timeout",
                "20s",
                "--state-dir",
            ])
            .arg(folder.join("state"))
            .args(more)
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let address = listening(&log);
        Self { program: Some((child, log)), address }
    }

    /// One that runs in a container.
    pub(crate) fn inside(address: SocketAddr) -> Self {
        Self { program: None, address }
    }

    /// Whether it answers yet.
    pub(crate) fn answers(&self) -> bool {
        let asked = TcpStream::connect(self.address).and_then(|mut stream| {
            write!(stream, "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        });
        asked.is_ok_and(|answer| answer.contains("alive"))
    }

    /// Calls a tool; the status and the answer.
    pub(crate) fn call(&self, tool: &str, arguments: &Value) -> (u16, Value) {
        read(self.send(tool, arguments))
    }

    /// Asks for a page in JSON.
    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        read(stream)
    }

    /// Calls a tool that must succeed.
    pub(crate) fn ok(&self, tool: &str, arguments: &Value) -> Value {
        let (status, answer) = self.call(tool, arguments);
        assert_eq!(status, 200, "{tool} {arguments}: {answer}\n{}", self.log());
        answer
    }

    /// Sends a call and leaves the answer to the caller; dropping it closes the request.
    pub(crate) fn send(&self, tool: &str, arguments: &Value) -> TcpStream {
        let body = arguments.to_string();
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        write!(
            stream,
            "POST /tools/{tool} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        stream
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.program.as_ref().map(|(_, log)| std::fs::read_to_string(log).unwrap()).unwrap_or_default()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some((child, _)) = &mut self.program {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read(mut stream: TcpStream) -> (u16, Value) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, "null"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
}

fn listening(log: &Path) -> SocketAddr {
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(log).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let address = lines
            .filter(|line| line["message"] == "listening")
            .find_map(|line| line["address"].as_str()?.parse().ok());
        match address {
            Some(address) => return address,
            None => assert!(start.elapsed() < Duration::from_secs(20), "the server does not listen: {text}"),
        }
        sleep(Duration::from_millis(10));
    }
}
