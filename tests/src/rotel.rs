//! A real OTLP collector, and what it printed of the spans and metrics that reached it.

use std::collections::HashMap;
use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A collector; it can be killed and started again on the same ports.
#[derive(Debug)]
pub struct Collector {
    /// `http://ADDRESS:PORT` for OTLP over HTTP.
    pub http: String,
    /// The same for gRPC.
    pub grpc: String,
    program: String,
    folder: TempDir,
    child: Option<Child>,
}

/// A span as the collector printed it.
#[derive(Debug, Clone, Default)]
pub struct Span {
    /// Of its resource.
    pub service: String,
    /// In hexadecimal, as are the ids that follow.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// Its parent's; empty for a root.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// `SERVER`, `CLIENT`, …
    pub kind: String,
    /// `UNSET`, `OK`, `ERROR`.
    pub status: String,
    /// What else it says.
    pub attributes: HashMap<String, String>,
}

impl Collector {
    /// Starts the collector `program` on free ports.
    pub async fn start(program: String) -> Result<Self> {
        let free = || anyhow::Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?);
        let [http, grpc] = [free()?, free()?].map(|address| format!("http://{address}"));
        let mut collector = Self { http, grpc, program, folder: TempDir::new()?, child: None };
        collector.resume().await?;
        Ok(collector)
    }

    /// Starts it again after [`Collector::kill`].
    pub async fn resume(&mut self) -> Result<()> {
        let bare = |url: &str| url.trim_start_matches("http://").to_owned();
        let log = File::options().append(true).create(true).open(self.folder.path().join("log"))?;
        let child = Command::new(&self.program)
            .args(["start", "--exporter", "blackhole", "--debug-log-verbosity", "detailed"])
            .args(["--debug-log", "traces", "--debug-log", "metrics"])
            .args(["--otlp-http-endpoint", &bare(&self.http), "--otlp-grpc-endpoint", &bare(&self.grpc)])
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log)
            .spawn()
            .with_context(|| format!("start {}", self.program))?;
        self.child = Some(child);
        let end = Instant::now() + Duration::from_secs(30);
        while tokio::net::TcpStream::connect(bare(&self.http)).await.is_err() {
            ensure!(Instant::now() < end, "the collector does not listen:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Ends it without a word, as a crash does.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Everything it has printed.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until the spans that arrived satisfy `enough`.
    pub async fn spans(&self, enough: impl Fn(&[Span]) -> bool) -> Result<Vec<Span>> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let spans = parse(&self.log());
            if enough(&spans) {
                return Ok(spans);
            }
            ensure!(Instant::now() < end, "not the spans that were waited for: {spans:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn parse(log: &str) -> Vec<Span> {
    let (mut spans, mut service, mut in_span) = (vec![], String::new(), false);
    for line in log.lines() {
        if line.starts_with("Span #") {
            spans.push(Span { service: service.clone(), ..Span::default() });
            in_span = true;
        } else if line.starts_with("Resource") || line.starts_with("Scope") {
            in_span = false;
        } else if let Some((name, value)) = line.trim().strip_prefix("-> ").and_then(|it| it.split_once(": "))
        {
            let value = value.split_once('(').map_or(value, |(_, value)| value.trim_end_matches(')'));
            match spans.last_mut().filter(|_| in_span) {
                Some(span) => drop(span.attributes.insert(name.to_owned(), value.to_owned())),
                None if name == "service.name" => value.clone_into(&mut service),
                None => {}
            }
        } else if let Some((name, value)) = line.split_once(':')
            && let Some(span) = spans.last_mut().filter(|_| in_span)
        {
            let value = value.trim().to_owned();
            match name.trim() {
                "Trace ID" => span.trace = value,
                "Parent ID" => span.parent = value,
                "ID" => span.id = value,
                "Name" => span.name = value,
                "Kind" => value.trim_start_matches("SPAN_KIND_").clone_into(&mut span.kind),
                "Status code" => value.trim_start_matches("STATUS_CODE_").clone_into(&mut span.status),
                _ => {}
            }
        }
    }
    spans
}
