//! A running server as its doors see it, and the one check that every request passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Uri, header};
use rmcp::transport::streamable_http_server::tower::StreamableHttpService;
use tokio_util::sync::CancellationToken;

use crate::ToolError;
use crate::auth::upstream::Source;
use crate::auth::{Auth, Principal, Resource};
use crate::dispatch::Dispatch;
use crate::doors::direct::Direct;
use crate::doors::sessions::Sessions;
use crate::doors::sse::SseSessions;
use crate::guard::Guard;
use crate::handler::Handler;
use crate::health::{Finding, Health};
use crate::metrics::Metrics;
use crate::service::Service;

/// Everything the doors share.
pub(crate) struct App<S: Service> {
    pub(crate) dispatch: Arc<Dispatch<S>>,
    pub(crate) handler: Handler<S>,
    pub(crate) direct: Direct<S>,
    pub(crate) streamable: StreamableHttpService<Handler<S>, Sessions>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) sse: SseSessions,
    pub(crate) auth: Auth,
    pub(crate) upstream: Source,
    pub(crate) guard: Guard,
    /// `--public-url`.
    pub(crate) public: Option<Resource>,
    /// `http` or `https`, as this program itself is reached.
    pub(crate) scheme: &'static str,
    pub(crate) health: Health,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) max_body_bytes: usize,
    /// The second in which the log was told of a refusal last.
    pub(crate) told_refusal: AtomicI64,
    /// Ends streams that would otherwise stay open for ever.
    pub(crate) streams: CancellationToken,
}

impl<S: Service> App<S> {
    /// Lets a request in: its host and origin are allowed and its caller is known. The caller is left in the
    /// request's extensions, and as whom it goes to the upstream; its credentials go no further.
    pub(crate) async fn admit(&self, parts: &mut Parts) -> Result<Principal, Refusal> {
        self.guard.check(&parts.uri, &parts.headers).map_err(|error| self.refuse(error, parts))?;
        let admitted = self.auth.admit(&parts.headers).await;
        let admission = admitted.map_err(|error| self.refuse(error, parts))?;
        Auth::strip(&mut parts.headers);
        let identified = self.upstream.identify(admission, &mut parts.headers).await;
        let (principal, upstream) = identified.map_err(|error| self.refuse(error, parts))?;
        if !self.upstream.is_own() {
            parts.extensions.insert(upstream);
        }
        parts.extensions.insert(principal.clone());
        Ok(principal)
    }

    /// Counts a refusal, and tells of one a second in the log: a stranger must not be able to fill it.
    fn refuse(&self, error: ToolError, parts: &Parts) -> Refusal {
        self.metrics.refuse(error.code);
        let second = jiff::Timestamp::now().as_second();
        if self.told_refusal.swap(second, Ordering::Relaxed) != second {
            tracing::warn!(code = error.code.as_str(), "request refused: {}", error.message);
        }
        let challenge = self.auth.challenge(&error, self.resource(&parts.uri, &parts.headers).as_ref());
        Refusal(error, challenge)
    }

    /// This server as the operator says the world sees it, or as the request names it.
    pub(crate) fn resource(&self, uri: &Uri, headers: &HeaderMap) -> Option<Resource> {
        self.public.clone().or_else(|| Resource::asked(self.scheme, uri.authority(), headers))
    }

    /// What the service's checks found, at most a second ago.
    pub(crate) async fn findings(&self) -> Arc<Vec<Finding>> {
        self.health.look(|| self.dispatch.service.checks()).await
    }
}

/// A request that does not get in, and the challenge that tells its client how it would.
pub(crate) struct Refusal(pub(crate) ToolError, Option<HeaderValue>);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        if let Some(challenge) = self.1 {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// A request that was let in, as an extractor for the doors that need no more of it.
pub(crate) struct Admitted(pub(crate) Principal);

impl<S: Service> FromRequestParts<Arc<App<S>>> for Admitted {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App<S>>) -> Result<Self, Refusal> {
        app.admit(parts).await.map(Self)
    }
}
