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
    /// The method of its first line.
    pub method: String,
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

/// What becomes of a request, which so many came before; `None` resets its connection.
type Respond = dyn Fn(&Recorded, usize) -> Option<Vec<u8>> + Send + Sync;

/// An answer as it goes over the wire.
#[must_use]
pub fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Recorded\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

impl Recorder {
    /// Answers every request with `status`, and with the `Authorization` that it came with for a body.
    pub async fn start(status: u16) -> Result<Self> {
        Self::answering(move |request, _| {
            let credential = request.headers.get("authorization").map(|value| value.as_bytes().to_vec());
            Some(response(status, &[], &credential.unwrap_or_default()))
        })
        .await
    }

    /// Answers with these in turn, and with the last of them from then on.
    pub async fn scripted(answers: Vec<Option<Vec<u8>>>) -> Result<Self> {
        Self::answering(move |_, number| answers.get(number).or(answers.last()).cloned().flatten()).await
    }

    async fn answering(
        respond: impl Fn(&Recorded, usize) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Result<Self> {
        let respond: Arc<Respond> = Arc::new(respond);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let host = listener.local_addr()?.to_string();
        let seen = Arc::new(Mutex::new(vec![]));
        let all = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (all, respond) = (all.clone(), respond.clone());
                tokio::spawn(async move {
                    // A client that goes away half-way leaves no record.
                    let _gone = serve(stream, &*respond, &all).await;
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

    /// Which of these texts stand anywhere in what has arrived.
    #[must_use]
    pub fn leaked<'a>(&self, secrets: &[&'a str]) -> Vec<&'a str> {
        let seen = self.seen();
        let stands = |secret: &str| {
            let has = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(secret);
            seen.iter().any(|it| {
                it.target.contains(secret)
                    || it
                        .headers
                        .iter()
                        .any(|(name, value)| has(name.as_str().as_bytes()) || has(value.as_bytes()))
                    || has(&it.body)
            })
        };
        secrets.iter().copied().filter(|secret| stands(secret)).collect()
    }
}

async fn serve(stream: TcpStream, respond: &Respond, seen: &Mutex<Vec<Recorded>>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().context("no method")?, words.next().context("no target")?);
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
    let request = Recorded { method, target, headers, body };
    let answer = {
        let mut seen = seen.lock().expect("records");
        let answer = respond(&request, seen.len());
        seen.push(request);
        answer
    };
    match answer {
        Some(answer) => stream.write_all(&answer).await?,
        None => stream.get_ref().set_zero_linger()?,
    }
    Ok(())
}
