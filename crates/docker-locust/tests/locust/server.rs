//! The real server on loopback, spoken to over REST.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Program, http, wait};

pub(crate) struct Server {
    pub(crate) program: Program,
    port: u16,
}

impl Server {
    /// With these settings, no others, and no engine.
    pub(crate) fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gantry-docker-locust"));
        command
            .env_clear()
            .args([
                "--listen",
                "127.0.0.1:0",
                "--docker-host",
                "unix:///nonexistent/docker.sock",
                "--state-dir",
            ])
            .arg(folder.path())
            .args(args);
        let program = Program::start(command, folder);
        let port = wait("server", Duration::from_secs(20), || {
            let log = program.log();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let address = lines.map(|line| line["address"].clone()).find(|address| !address.is_null())?;
            address.as_str()?.rsplit_once(':')?.1.parse::<u16>().ok()
        });
        Self { program, port }
    }

    /// Status and body of a call.
    pub(crate) fn call(&self, tool: &str, arguments: &Value) -> (u16, Value) {
        let path = format!("/tools/{tool}");
        let (status, body) =
            http(self.port, "POST", &path, "application/json", &arguments.to_string()).unwrap();
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{tool}: {body}")))
    }

    /// The result of a call that must succeed.
    pub(crate) fn ok(&self, tool: &str, arguments: &Value) -> Value {
        let (status, body) = self.call(tool, arguments);
        assert_eq!(status, 200, "{tool} {arguments}: {body}");
        body
    }

    /// Code and message of a call that must fail, and the field it complains of.
    pub(crate) fn error(&self, tool: &str, arguments: &Value) -> (String, String, Value) {
        let (status, body) = self.call(tool, arguments);
        assert_ne!(status, 200, "{tool} {arguments}: {body}");
        let text = |key: &str| body[key].as_str().unwrap().to_owned();
        (text("error"), text("message"), body["details"]["field"].clone())
    }

    /// Sends a call and leaves without waiting for the answer.
    pub(crate) fn leave(&self, tool: &str, arguments: &Value) {
        let body = arguments.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST /tools/{tool} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }

    /// What the health check says of a dependency.
    pub(crate) fn health(&self, dependency: &str) -> Value {
        let (_, body) = http(self.port, "GET", "/health/ready", "", "").unwrap();
        serde_json::from_str::<Value>(&body).unwrap()["dependencies"][dependency].clone()
    }

    pub(crate) fn stats(&self) -> Value {
        self.ok("locust_get_stats", &json!({}))
    }
}
