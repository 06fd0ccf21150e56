//! One export over the wire: OTLP is a POST of protobuf, in gRPC a framed one, so that one client with one way to
//! proxies, authorities and secrets serves both.

use std::cell::OnceCell;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, TE};
use http_body_util::{BodyExt, Limited};
use prost::Message;

use super::args::Protocol;
use super::plan::Target;
use crate::http::Authorities;

/// An answer of a collector is a few bytes; a longer one is cut off.
const MAX_ANSWER: usize = 64 * 1024;
/// Longest pause that a collector may ask for.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Why an export failed; says nothing that may be secret.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: String,
    /// The same may succeed later.
    pub(super) passes: bool,
    /// When, if the collector said so.
    pub(super) pause: Option<Duration>,
}

impl Failure {
    fn lasting(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), passes: false, pause: None }
    }

    fn passing(reason: impl Into<String>) -> Self {
        Self { passes: true, ..Self::lasting(reason) }
    }
}

/// A way to one target. Its client is made with the first export, on the exporter's thread: reading the machine's
/// certificates takes longer than all else that a start does.
pub(super) struct Wire {
    client: OnceCell<reqwest::Client>,
    authorities: Authorities,
    target: Target,
}

impl Wire {
    pub(super) fn new(target: Target, authorities: &Authorities) -> Self {
        Self { client: OnceCell::new(), authorities: authorities.clone(), target }
    }

    fn client(&self) -> Result<&reqwest::Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let builder = crate::http::builder(&self.authorities).timeout(self.target.timeout);
        // gRPC without TLS is HTTP/2 from the first byte; with TLS both agree on it.
        let builder = match self.target.protocol {
            Protocol::Http => builder.http1_only(),
            Protocol::Grpc => builder.http2_prior_knowledge(),
        };
        let client =
            builder.build().map_err(|error| Failure::lasting(format!("no client for it: {error}")))?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Where it leads, fit for a log.
    pub(super) fn name(&self) -> String {
        self.target.url.origin().ascii_serialization()
    }

    /// Sends one request; its answer's body.
    pub(super) async fn send(&self, body: Bytes) -> Result<Bytes, Failure> {
        let mut headers =
            self.target.headers.read().map_err(|error| Failure::passing(format!("{error:#}")))?;
        let (kind, body) = match self.target.protocol {
            Protocol::Http => ("application/x-protobuf", body),
            Protocol::Grpc => ("application/grpc", framed(&body)),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if self.target.protocol == Protocol::Grpc {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        let mut request = reqwest::Request::new(http::Method::POST, self.target.url.clone());
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        #[expect(
            clippy::disallowed_methods,
            reason = "an export is no call of a tool, and must not be traced itself"
        )]
        let answer =
            self.client()?.execute(request).await.map_err(|error| unreachable(&error.without_url()))?;
        let answer = http::Response::<reqwest::Body>::from(answer);
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|_| Failure::passing("its answer broke off or was too long"))?;
        if !parts.status.is_success() {
            return Err(refused(parts.status, &parts.headers));
        }
        if self.target.protocol == Protocol::Http {
            return Ok(body.to_bytes());
        }
        // Without a body, the trailers come as headers.
        let trailers = body.trailers().cloned().unwrap_or_default();
        let code = trailers.get("grpc-status").or_else(|| parts.headers.get("grpc-status"));
        match code.and_then(|code| code.to_str().ok()?.parse().ok()) {
            Some(0) => Ok(unframed(&body.to_bytes())),
            Some(code) => Err(failed(tonic::Code::from_i32(code))),
            None => Err(Failure::lasting("it does not speak gRPC")),
        }
    }
}

/// A gRPC message: not compressed, its length, itself.
fn framed(message: &Bytes) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("a batch is far smaller than 4 GiB"));
    frame.extend_from_slice(message);
    frame.freeze()
}

fn unframed(frame: &Bytes) -> Bytes {
    if frame.len() < 5 { Bytes::new() } else { frame.slice(5..) }
}

/// Encodes a request of OTLP.
pub(super) fn encoded(request: &impl Message) -> Bytes {
    request.encode_to_vec().into()
}

fn unreachable(error: &reqwest::Error) -> Failure {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        reason = format!("{reason}: {error}");
        source = error.source();
    }
    Failure::passing(reason)
}

/// By the table of OTLP/HTTP, Failures.
fn refused(status: http::StatusCode, headers: &HeaderMap) -> Failure {
    let reason = format!("it answered {status}");
    if !matches!(status.as_u16(), 429 | 502 | 503 | 504) {
        return Failure::lasting(reason);
    }
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let pause = seconds.map(|seconds| Duration::from_secs(seconds).min(MAX_PAUSE));
    Failure { pause, ..Failure::passing(reason) }
}

/// By the table of OTLP/gRPC, Failures.
fn failed(code: tonic::Code) -> Failure {
    use tonic::Code::{
        Aborted, Cancelled, DataLoss, DeadlineExceeded, OutOfRange, ResourceExhausted, Unavailable,
    };
    let reason = format!("it answered {code:?}");
    match code {
        Cancelled | DeadlineExceeded | ResourceExhausted | Aborted | OutOfRange | Unavailable | DataLoss => {
            Failure::passing(reason)
        }
        _ => Failure::lasting(reason),
    }
}
