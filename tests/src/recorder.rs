//! An HTTP server that remembers what it was asked and answers as it is told: an upstream or a collector whose side
//! of the exchange a test can read.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use http::HeaderMap;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The target of its first line.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// A server on loopback that lives as long as the test's runtime.
#[derive(Debug)]
pub struct Recorder {
    /// `ADDRESS:PORT`.
    pub host: String,
    seen: Arc<Mutex<Vec<Recorded>>>,
}

impl Recorder {
    /// Answers every request with `status`.
    pub async fn start(status: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let host = listener.local_addr()?.to_string();
        let seen = Arc::new(Mutex::new(vec![]));
        let all = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let all = all.clone();
                tokio::spawn(async move {
                    // A client that goes away half-way leaves no record.
                    if let Ok(request) = serve(stream, status).await {
                        all.lock().expect("records").push(request);
                    }
                });
            }
        });
        Ok(Self { host, seen })
    }

    /// What has arrived so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Recorded> {
        self.seen.lock().expect("records").clone()
    }
}

async fn serve(stream: TcpStream, status: u16) -> Result<Recorded> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let target = line.split(' ').nth(1).context("no target")?.to_owned();
    let mut headers = HeaderMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.append(http::HeaderName::from_bytes(name.as_bytes())?, value.trim().parse()?);
    }
    let length = headers.get("content-length").map(|value| value.to_str().unwrap_or_default().parse());
    let mut body = vec![0; length.transpose()?.unwrap_or_default()];
    stream.read_exact(&mut body).await?;
    let answer = format!("HTTP/1.1 {status} Recorded\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await?;
    Ok(Recorded { target, headers, body })
}
