//! An HTTP client that sends what it is told: it does not tidy paths, follow redirects or reuse connections.

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long any one answer may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a request to `host` (`ADDRESS:PORT`), which also becomes its `Host` unless it names one; the answer's
/// body is read as it comes.
pub async fn open(host: &str, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
    if !request.headers().contains_key(header::HOST) {
        request.headers_mut().insert(header::HOST, host.parse()?);
    }
    let stream = TcpStream::connect(host).await.with_context(|| format!("connect to {host}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = tokio::time::timeout(PATIENCE, sender.send_request(request)).await;
    answer.context("no answer in time")?.context("no answer")
}

/// Sends a request and reads the whole answer.
pub async fn send(host: &str, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
    whole(open(host, request).await?).await
}

/// Reads the whole body.
pub async fn whole(answer: Response<Incoming>) -> Result<Response<Bytes>> {
    let (head, body) = answer.into_parts();
    let body = tokio::time::timeout(PATIENCE, body.collect()).await.context("the answer does not end")??;
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// `GET path`.
pub async fn get(host: &str, path: &str) -> Result<Response<Bytes>> {
    send(host, Request::get(path).body(Full::default())?).await
}

/// `POST path` with a JSON body.
pub async fn post(host: &str, path: &str, body: &Value) -> Result<Response<Bytes>> {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    send(host, request.body(Full::from(body.to_string()))?).await
}

/// The body as JSON.
pub fn json(answer: &Response<Bytes>) -> Result<Value> {
    serde_json::from_slice(answer.body())
        .with_context(|| format!("{} is not JSON: {:?}", answer.status(), answer.body()))
}
