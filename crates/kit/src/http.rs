//! Outgoing HTTP: one way to make a client and to send, so that time is bounded and failures have a code.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use http::StatusCode;

use crate::{Code, Result, ToolError};

/// A client for one upstream. Honours `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    upstream: String,
}

/// Certificates of authorities beyond the system's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Authorities(Vec<reqwest::Certificate>);

impl Authorities {
    pub(crate) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        let what = || format!("--ca-file (GANTRY_CA_FILE) {}", file.display());
        let pem = std::fs::read(file).with_context(what)?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).with_context(what)?;
        anyhow::ensure!(!certificates.is_empty(), "{}: no certificate in it", what());
        Ok(Self(certificates))
    }
}

impl Client {
    /// See [`crate::Kit::http`].
    pub(crate) fn new(
        upstream: impl Into<String>,
        timeout: Duration,
        authorities: &Authorities,
    ) -> anyhow::Result<Self> {
        let inner = reqwest::Client::builder()
            .user_agent(concat!("gantry/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_merge(authorities.0.iter().cloned())
            .connect_timeout(Duration::from_secs(5).min(timeout))
            .timeout(timeout)
            .build()?;
        Ok(Self { inner, upstream: upstream.into() })
    }

    /// Begins a request; [`Client::send`] sends it.
    pub fn request(&self, method: http::Method, url: url::Url) -> reqwest::RequestBuilder {
        self.inner.request(method, url)
    }

    /// Sends a request. Any status is an answer; see [`Client::ok`].
    ///
    /// # Errors
    /// `SERVICE_ERROR` when the upstream cannot be reached, `TIMEOUT_ERROR` when it does not answer in time.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that sends")]
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
        // The address may hold a secret; the upstream's name says enough.
        request.send().await.map_err(|error| self.failure(&error.without_url()))
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
        failure.because(error)
    }
}
