//! What a tool may know of the call it serves: progress out, cancellation in.

use rmcp::handler::server::common::{AsRequestContext, FromContextPart};
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use rmcp::{ErrorData, RoleServer};
use tokio_util::sync::CancellationToken;

use crate::auth::{Principal, UpstreamToken};
use crate::doors::sessions::Closed;

/// The call that a tool serves; an argument of the tool like [`crate::Parameters`].
pub struct Call {
    token: Option<ProgressToken>,
    peer: Peer<RoleServer>,
    cancelled: CancellationToken,
    principal: Principal,
    upstream_token: Option<UpstreamToken>,
}

impl Call {
    /// Tells a client that asked for it how far the work is.
    pub async fn progress(&self, done: f64, total: Option<f64>, message: &str) {
        let Some(token) = self.token.clone() else { return };
        let mut report = ProgressNotificationParam::new(token, done).with_message(message);
        if let Some(total) = total {
            report = report.with_total(total);
        }
        // A client that no longer listens has closed its request, which cancels the call.
        let _gone = self.peer.notify_progress(report).await;
    }

    /// Resolves when the caller is gone or has cancelled.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    /// Who calls.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The caller's own token for the upstream, under `--auth upstream`.
    pub fn upstream_token(&self) -> Option<&UpstreamToken> {
        self.upstream_token.as_ref()
    }
}

impl<C: AsRequestContext> FromContextPart<C> for Call {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        let context = context.as_request_context();
        Ok(Self {
            token: context.meta.get_progress_token(),
            peer: context.peer.clone(),
            cancelled: context.ct.clone(),
            principal: principal(context).cloned().unwrap_or_else(Principal::local),
            upstream_token: extension::<UpstreamToken>(context).cloned(),
        })
    }
}

/// Who calls; `None` on stdio, where it is the operator.
pub(crate) fn principal(context: &RequestContext<RoleServer>) -> Option<&Principal> {
    extension(context)
}

/// The trace that the request's `traceparent` header belongs to.
pub(crate) fn trace_id(context: &RequestContext<RoleServer>) -> Option<&str> {
    let parts = context.extensions.get::<http::request::Parts>()?;
    let id = parts.headers.get("traceparent")?.to_str().ok()?.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

/// Resolves when the session of the request is closed, or nobody can fetch its answer any more.
pub(crate) fn closed(context: &RequestContext<RoleServer>) -> impl Future<Output = ()> + use<> {
    let closed = extension::<Closed>(context).cloned();
    async move {
        match closed {
            Some(Closed(closed)) => closed.cancelled_owned().await,
            None => std::future::pending().await,
        }
    }
}

fn extension<T: Send + Sync + 'static>(context: &RequestContext<RoleServer>) -> Option<&T> {
    context.extensions.get::<http::request::Parts>()?.extensions.get()
}
