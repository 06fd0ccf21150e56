//! The one way to the engine, for the SDK and for raw JSON alike: a connection per request to the address
//! of `DOCKER_HOST`, in the engine's own API version, so that no field it knows is hidden from a clone.

use kit::Code;
use kit::telemetry::Exchange;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::BollardRequest;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use url::Url;

use crate::error::{Error, Result};

/// What one call may take when the engine has nothing to wait for.
pub(crate) const CALL: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
/// No answer of the engine that we read whole comes near it.
const MAX_ANSWER: usize = 64 << 20;

/// The engine's address, and the API version it speaks once that is known.
#[derive(Debug, Clone)]
pub(crate) struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: Address,
    host: String,
    version: Mutex<Option<String>>,
}

#[derive(Debug)]
enum Address {
    Unix(PathBuf),
    Tcp(String),
}

/// What a connection can be; hyper needs no more of it.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Engine {
    /// Reads `DOCKER_HOST`. Nothing is connected yet, so that a server starts before its engine.
    pub(crate) fn new(host: &str) -> Result<Self> {
        let address = match host.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Address::Unix(path.into()),
            Some(("tcp" | "http", rest)) => Address::Tcp(tcp_authority(rest).ok_or(Error::BadHost)?),
            _ => return Err(Error::BadHost),
        };
        Ok(Self(Arc::new(Inner { address, host: host.to_owned(), version: Mutex::new(None) })))
    }

    /// Whether the engine shares this machine's file system, as far as the address tells.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.0.address, Address::Unix(_))
    }

    /// The host on which containers' published ports are found.
    pub(crate) fn published_on(&self) -> String {
        match &self.0.address {
            Address::Unix(_) => "127.0.0.1".to_owned(),
            Address::Tcp(authority) => {
                authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host).to_owned()
            }
        }
    }

    /// The API version in use: the engine's own, asked for once and again after the engine refused it.
    pub(crate) async fn version(&self) -> Result<String> {
        let known = self.0.version.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(version) = known {
            return Ok(version);
        }
        let answer = self.send(get("/version")).await.map_err(|error| self.explain(error))?;
        let answer = json(answer).await?;
        let version = answer["ApiVersion"].as_str().filter(|text| is_version(text));
        let version =
            version.ok_or_else(|| Error::Unexpected("an engine without ApiVersion".into()))?.to_owned();
        *self.0.version.lock().unwrap_or_else(PoisonError::into_inner) = Some(version.clone());
        Ok(version)
    }

    /// Asks in raw JSON. Every segment and value is escaped here and nowhere else.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Value> {
        let what = format!("{method} /{}", path.join("/"));
        bounded(&what, patience, async { json(self.open(method, path, query, body).await?).await }).await
    }

    /// The same, for an answer that is read as it comes.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Response<Incoming>> {
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(locate(path, query)?)
            .header(header::CONTENT_TYPE, "application/json")
            .body(bollard::body_full(body))
            .map_err(|error| Error::Unexpected(error.to_string()))?;
        let answer = self.exchange(request).await.map_err(|error| self.explain(error))?;
        if answer.status().is_success() || answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(answer);
        }
        let status = answer.status();
        let message = read(answer).await.map(|bytes| reason(&bytes)).unwrap_or_default();
        Err(self.refused(status, message))
    }

    /// One request in the version of the engine; the SDK's transport.
    pub(crate) async fn exchange(
        &self,
        mut request: BollardRequest,
    ) -> std::result::Result<Response<Incoming>, bollard::errors::Error> {
        let version = self.version().await.map_err(std::io::Error::other)?;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("/v{version}{path}").parse()?;
        let method = request.method().clone();
        let (host, port) = self.0.address.name();
        let call = Exchange::upstream(&method, host, port, request.headers_mut());
        let sent = self.send(request).await;
        match &sent {
            Ok(answer) => call.answered(answer.status()),
            Err(_) => call.failed(Code::ServiceError),
        }
        sent
    }

    /// Turns what the SDK reports into what a caller can act on.
    pub(crate) fn explain(&self, error: bollard::errors::Error) -> Error {
        use bollard::errors::Error as Sdk;
        match error {
            Sdk::DockerResponseServerError { status_code, message } => {
                let status = StatusCode::from_u16(status_code).unwrap_or(StatusCode::BAD_GATEWAY);
                self.refused(status, message)
            }
            Sdk::IOError { err } => match err.downcast::<Error>() {
                Ok(ours) => ours,
                Err(err) => self.unreachable(&err),
            },
            Sdk::HyperResponseError { err } => self.unreachable(&err),
            Sdk::RequestTimeoutError => Error::Timeout("docker engine".into()),
            other => Error::Unexpected(other.to_string()),
        }
    }

    fn refused(&self, status: StatusCode, message: String) -> Error {
        if status == StatusCode::BAD_REQUEST && message.contains("client version") {
            // The engine was exchanged for another one under our feet: ask again which version it speaks.
            *self.0.version.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        Error::Refused { status, message }
    }

    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        Error::Unreachable { host: self.0.host.clone(), reason: error.to_string() }
    }

    async fn send(
        &self,
        request: BollardRequest,
    ) -> std::result::Result<Response<Incoming>, bollard::errors::Error> {
        let stream = tokio::time::timeout(CONNECT, self.0.address.connect())
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = request;
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("docker"));
        Ok(sender.send_request(request).await?)
    }
}

impl Address {
    /// Its host and port; a socket has neither.
    fn name(&self) -> (Option<&str>, Option<u16>) {
        match self {
            Self::Unix(_) => (None, None),
            Self::Tcp(authority) => match authority.rsplit_once(':') {
                Some((host, port)) => (Some(host), port.parse().ok()),
                None => (Some(authority), None),
            },
        }
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Self::Tcp(authority) => Box::new(TcpStream::connect(authority).await?),
        })
    }
}

/// Runs one call of the engine within its patience.
pub(crate) async fn bounded<T>(
    what: &str,
    patience: Duration,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::time::timeout(patience, call).await.map_err(|_| Error::Timeout(what.to_owned()))?
}

fn get(path: &'static str) -> BollardRequest {
    let mut request = Request::new(bollard::body_full(Bytes::new()));
    *request.uri_mut() = Uri::from_static(path);
    request
}

fn locate(path: &[&str], query: &[(&str, &str)]) -> Result<Uri> {
    let broken = || Error::Unexpected("a path that is none".into());
    let mut url = Url::parse("http://docker").map_err(|_| broken())?;
    url.path_segments_mut().map_err(|()| broken())?.clear().extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url[url::Position::BeforePath..].parse().map_err(|_| broken())
}

async fn read(answer: Response<Incoming>) -> Result<Bytes> {
    let body = http_body_util::Limited::new(answer.into_body(), MAX_ANSWER);
    let body = body.collect().await.map_err(|error| Error::Unexpected(error.to_string()))?;
    Ok(body.to_bytes())
}

async fn json(answer: Response<Incoming>) -> Result<Value> {
    let bytes = read(answer).await?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|error| Error::Unexpected(error.to_string()))
}

fn reason(bytes: &[u8]) -> String {
    let parsed: Option<Value> = serde_json::from_slice(bytes).ok();
    let message = parsed.as_ref().and_then(|value| value["message"].as_str());
    message.map_or_else(|| String::from_utf8_lossy(bytes).trim().to_owned(), str::to_owned)
}

fn is_version(text: &str) -> bool {
    text.split_once('.')
        .is_some_and(|(major, minor)| major.parse::<u16>().is_ok() && minor.parse::<u16>().is_ok())
}

fn tcp_authority(rest: &str) -> Option<String> {
    let url = Url::parse(&format!("tcp://{rest}")).ok()?;
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.username().is_empty();
    let host = url.host_str().filter(|host| bare && !host.is_empty())?;
    Some(format!("{host}:{}", url.port().unwrap_or(2375)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_address() {
        for host in ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375", "tcp://[::1]:1", "http://engine"]
        {
            assert!(Engine::new(host).is_ok(), "{host}");
        }
        for host in ["", "docker.sock", "unix://relative", "ssh://host", "tcp://", "tcp://a/b", "tcp://u@a"] {
            assert!(Engine::new(host).is_err(), "{host}");
        }
        assert_eq!(tcp_authority("engine").as_deref(), Some("engine:2375"));
        assert_eq!(tcp_authority("[::1]:80").as_deref(), Some("[::1]:80"));
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        let uri = locate(&["networks", "a/../b?x#y z", "connect"], &[("name", "a&b=c")]).unwrap();
        assert_eq!(uri.to_string(), "/networks/a%2F..%2Fb%3Fx%23y%20z/connect?name=a%26b%3Dc");
    }

    #[tokio::test]
    async fn an_absent_engine_is_named() {
        let engine = Engine::new("unix:///nonexistent/docker.sock").unwrap();
        let error = engine.version().await.unwrap_err();
        assert!(error.to_string().contains("unix:///nonexistent/docker.sock"), "{error}");
    }
}
