//! Outgoing HTTP: one way to make a client and to send, so that time is bounded and failures have a code.

use std::time::Duration;

use http::StatusCode;

use crate::{Code, Result, ToolError};

/// A client for one upstream. Honours `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    upstream: String,
}

impl Client {
    /// A client that names its upstream as `upstream` (with the setting that leads there) in errors, never
    /// follows a redirect and gives up after `timeout`.
    ///
    /// # Errors
    /// When the machine's certificates cannot be read.
    pub fn new(upstream: impl Into<String>, timeout: Duration) -> anyhow::Result<Self> {
        let inner = reqwest::Client::builder()
            .user_agent(concat!("gantry/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
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
