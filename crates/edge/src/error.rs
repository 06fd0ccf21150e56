//! Why the edge answers for itself: one variant per thing that a caller or an operator could do differently.

use std::io;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use kit::{Code, ToolError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Refused(#[from] ToolError),
    #[error("{error}")]
    NotAdmitted { error: Box<ToolError>, challenge: Option<HeaderValue> },
    #[error(
        "the caller is known, but this edge cannot tell servers its role, so it lets in admins only; it needs --edge-key-file"
    )]
    RoleUntold,
    #[error("X-Gantry-Principal: no edge is trusted here; only an edge may send it")]
    Principal,
    #[error(
        "server {slug:?} is sent no X-Upstream-Authorization; leave it out, or have upstream_authorization set for it"
    )]
    UpstreamAuthorization { slug: String },
    #[error("there is no document of a protected resource here")]
    NoDocument,
    #[error("no server {slug:?}; there are: {}", slugs.join(", "))]
    NoSuchServer { slug: String, slugs: Vec<String> },
    #[error(
        "a call names its server in the metadata gantry-slug, or in the first label of its authority; there are: {}",
        slugs.join(", ")
    )]
    NoSlug { slugs: Vec<String> },
    #[error("the path climbs above the server's root; ask for it without \"..\"")]
    Climbs,
    #[error("this route answers GET and HEAD only")]
    Method,
    #[error("upgrade to {0:?} is not supported; use plain HTTP/1.1")]
    Upgrade(String),
    #[error("a request body may have no transfer coding but chunked")]
    TransferCoding,
    #[error("the request cannot be read")]
    Request(#[source] hyper::Error),
    #[error("server {slug:?} cannot be reached ({}); try again when it runs", source.kind())]
    Unreachable { slug: String, source: io::Error },
    #[error("server {slug:?} closed the connection before it answered")]
    Closed { slug: String, source: hyper::Error },
    #[error("server {slug:?} broke off its answer")]
    Broken { slug: String, source: hyper::Error },
    #[error("the edge is stopping; call again")]
    Stopping,
    #[error(
        "server {slug:?} neither answered nor took more of the request for {}",
        humantime::format_duration(*limit)
    )]
    Silent { slug: String, limit: Duration },
    #[error("server {slug:?} answered something that is not HTTP/1.1: {why}")]
    NotHttp { slug: String, why: String },
}

impl Error {
    /// The code's status, except where HTTP has a name of its own for the case.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Upgrade(_) | Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Refused(error) => error.code.status(),
            Self::NotAdmitted { error, .. } => error.code.status(),
            Self::NoSuchServer { .. }
            | Self::RoleUntold
            | Self::Principal
            | Self::UpstreamAuthorization { .. }
            | Self::NoDocument
            | Self::NoSlug { .. }
            | Self::Broken { .. }
            | Self::Stopping
            | Self::Climbs
            | Self::Request(_)
            | Self::Unreachable { .. }
            | Self::Closed { .. }
            | Self::Silent { .. }
            | Self::NotHttp { .. } => self.code().status(),
        }
    }

    /// What tells the client how it would be let in.
    pub(crate) fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::NotAdmitted { challenge, .. } => challenge.clone(),
            Self::Principal => Some(HeaderValue::from_static("Bearer realm=\"gantry\"")),
            _ => None,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Refused(error) => error.code,
            Self::NotAdmitted { error, .. } => error.code,
            Self::Principal => Code::AuthenticationError,
            Self::RoleUntold | Self::UpstreamAuthorization { .. } => Code::Forbidden,
            Self::NoSuchServer { .. } | Self::NoSlug { .. } | Self::NoDocument => Code::NotFound,
            Self::Climbs | Self::Method | Self::Upgrade(_) | Self::TransferCoding | Self::Request(_) => {
                Code::ValidationError
            }
            Self::Unreachable { .. }
            | Self::Closed { .. }
            | Self::Broken { .. }
            | Self::Stopping
            | Self::NotHttp { .. } => Code::ServiceError,
            Self::Silent { .. } => Code::TimeoutError,
        }
    }
}

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        let answer = Self::new(error.code(), error.to_string());
        match error {
            Error::Refused(error) => error,
            Error::NotAdmitted { error, .. } => *error,
            Error::Principal => answer.with("field", "X-Gantry-Principal"),
            Error::UpstreamAuthorization { slug } => {
                answer.with("slug", slug).with("field", "X-Upstream-Authorization")
            }
            Error::NoSuchServer { slug, slugs } => answer.with("slug", slug).with("slugs", slugs),
            Error::NoSlug { slugs } => answer.with("field", "gantry-slug").with("slugs", slugs),
            Error::RoleUntold | Error::Stopping | Error::NoDocument => answer,
            Error::Climbs => answer.with("field", "path"),
            Error::Method => answer.with("field", "method"),
            Error::Upgrade(_) => answer.with("field", "Upgrade"),
            Error::TransferCoding => answer.with("field", "Transfer-Encoding"),
            Error::Request(source) => answer.because(&source),
            Error::Unreachable { slug, source } => answer.with("slug", slug).because(&source),
            Error::Closed { slug, source } | Error::Broken { slug, source } => {
                answer.with("slug", slug).because(&source)
            }
            Error::Silent { slug, .. } | Error::NotHttp { slug, .. } => answer.with("slug", slug),
        }
    }
}
