//! Outgoing HTTP: one way to make a client and to send, so that time is bounded and failures have a code.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use http::StatusCode;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::telemetry::Exchange;
use crate::{Code, Result, ToolError};

/// The detail of an error which says that the request had gone out: what it asked for may have been done.
pub const SENT: &str = "sent";

/// A client for one upstream. Honours `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
///
/// Its TLS is made ready with the first request: a server whose upstream is never asked does without the memory.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<OnceLock<reqwest::Client>>,
    upstream: String,
    timeout: Duration,
    authorities: Authorities,
    way: Way,
}

/// How an upstream is reached, where that is not by its address and a certificate that is checked.
#[derive(Debug, Clone, Default)]
struct Way {
    socket: Option<PathBuf>,
    any_certificate: bool,
}

/// Certificates of authorities, beyond the system's or instead of them.
#[derive(Debug, Clone, Default)]
pub struct Authorities {
    certificates: Vec<reqwest::Certificate>,
    /// The system's do not count.
    only: bool,
}

impl Authorities {
    /// Those of a file in PEM, which errors name as `--ca-file`; none without a file.
    ///
    /// # Errors
    /// When the file cannot be read, holds no certificate, or one that no authority could have.
    pub fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        Ok(Self { only: false, ..Self::only("--ca-file (GANTRY_CA_FILE)", file)? })
    }

    /// Those of a file in PEM and no others; `setting` is what errors call it.
    pub(crate) fn only(setting: &str, file: &Path) -> anyhow::Result<Self> {
        let what = || format!("{setting} {}", file.display());
        let pem = std::fs::read(file).with_context(what)?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).with_context(what)?;
        anyhow::ensure!(!certificates.is_empty(), "{}: no certificate in it", what());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.with_context(what)?).with_context(what)?;
        }
        Ok(Self { certificates, only: true })
    }
}

/// What all outgoing clients have in common: who they are, whom they trust, and that they follow no redirect.
pub(crate) fn builder(authorities: &Authorities) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder();
    let certificates = authorities.certificates.iter().cloned();
    let builder = if authorities.only {
        builder.tls_certs_only(certificates)
    } else {
        builder.tls_certs_merge(certificates)
    };
    builder
        .user_agent(concat!("gantry/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
}

impl Client {
    /// See [`crate::Kit::http`].
    pub(crate) fn new(upstream: impl Into<String>, timeout: Duration, authorities: &Authorities) -> Self {
        let (upstream, authorities) = (upstream.into(), authorities.clone());
        Self { inner: Arc::default(), upstream, timeout, authorities, way: Way::default() }
    }

    /// Goes through this Unix socket, whatever the address says.
    #[must_use]
    pub fn through_socket(mut self, socket: Option<PathBuf>) -> Self {
        self.way.socket = socket;
        self
    }

    /// Believes any certificate when `any` is true: only where the operator says so.
    #[must_use]
    pub fn believing_any_certificate(mut self, any: bool) -> Self {
        self.way.any_certificate = any;
        self
    }

    /// Begins a request; [`Client::send`] sends it.
    ///
    /// # Errors
    /// `SERVICE_ERROR` when the machine's certificates cannot be read.
    pub fn request(&self, method: http::Method, url: url::Url) -> Result<reqwest::RequestBuilder> {
        Ok(self.client()?.request(method, url))
    }

    fn client(&self) -> Result<&reqwest::Client> {
        if let Some(client) = self.inner.get() {
            return Ok(client);
        }
        let connect = Duration::from_secs(5).min(self.timeout);
        let mut builder = builder(&self.authorities)
            .connect_timeout(connect)
            .timeout(self.timeout)
            .tls_danger_accept_invalid_certs(self.way.any_certificate);
        if let Some(socket) = &self.way.socket {
            builder = builder.unix_socket(socket.as_path());
        }
        let client = builder.build().map_err(|error| {
            ToolError::service(format!("{} cannot be asked: no TLS here", self.upstream)).because(&error)
        })?;
        Ok(self.inner.get_or_init(|| client))
    }

    /// Sends a request. Any status is an answer; see [`Client::ok`].
    ///
    /// # Errors
    /// `SERVICE_ERROR` when the upstream cannot be reached, `TIMEOUT_ERROR` when it does not answer in time.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that sends")]
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
        let (client, request) = request.build_split();
        // The address may hold a secret; the upstream's name says enough.
        let failure = |error: reqwest::Error| self.failure(&error.without_url());
        let mut request = request.map_err(failure)?;
        let (method, url) = (request.method().clone(), request.url().clone());
        let call =
            Exchange::upstream(&method, url.host_str(), url.port_or_known_default(), request.headers_mut());
        match client.execute(request).await.map_err(failure) {
            Ok(response) => {
                call.answered(response.status());
                Ok(response)
            }
            Err(error) => {
                call.failed(error.code);
                Err(error)
            }
        }
    }

    /// Reads an answer's body, or makes an error of a status that is none of success.
    ///
    /// # Errors
    /// By [`Code::of_upstream`]; those of a body that breaks off.
    pub async fn ok(&self, response: reqwest::Response) -> Result<bytes::Bytes> {
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(status));
        }
        response.bytes().await.map_err(|error| self.failure(&error.without_url()))
    }

    /// [`Client::ok`] for an answer that must not be larger than `limit` bytes.
    ///
    /// # Errors
    /// Those of [`Client::ok`]; `SERVICE_ERROR` for a larger one.
    pub async fn ok_within(&self, response: reqwest::Response, limit: usize) -> Result<bytes::Bytes> {
        match response.status() {
            status if status.is_success() => self.body_within(response, limit).await,
            status => Err(self.refused(status)),
        }
    }

    /// The body of an answer, whatever its status, that must not be larger than `limit` bytes.
    ///
    /// # Errors
    /// `SERVICE_ERROR` for a larger one; those of a body that breaks off.
    pub async fn body_within(&self, mut response: reqwest::Response, limit: usize) -> Result<bytes::Bytes> {
        let (mut chunks, mut size) = (vec![], 0);
        while let Some(chunk) = self.chunk(&mut response).await? {
            size += chunk.len();
            if size > limit {
                let upstream = &self.upstream;
                return Err(ToolError::service(format!("{upstream} answered more than {limit} bytes")));
            }
            chunks.push(chunk);
        }
        match <[_; 1]>::try_from(chunks) {
            Ok([whole]) => Ok(whole),
            Err(chunks) => Ok(chunks.concat().into()),
        }
    }

    /// The next piece of an answer that is too large to be read whole; `None` at its end.
    ///
    /// # Errors
    /// For a body that breaks off or takes too long.
    pub async fn chunk(&self, response: &mut reqwest::Response) -> Result<Option<bytes::Bytes>> {
        response.chunk().await.map_err(|error| self.failure(&error.without_url()))
    }

    /// The error for an upstream's status.
    pub fn refused(&self, status: StatusCode) -> ToolError {
        ToolError::new(Code::of_upstream(status), format!("{} answered {status}", self.upstream))
            .with("status", status.as_u16())
    }

    fn failure(&self, error: &reqwest::Error) -> ToolError {
        let upstream = &self.upstream;
        let failure = if error.is_timeout() {
            ToolError::new(Code::TimeoutError, format!("{upstream} did not answer in time"))
        } else if error.is_connect() {
            ToolError::service(format!("{upstream} cannot be reached"))
        } else {
            ToolError::service(format!("{upstream} broke off the exchange"))
        };
        let failure = if error.is_connect() { failure } else { failure.with(SENT, true) };
        failure.because(error)
    }
}
