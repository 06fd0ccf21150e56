//! Calls that are a question and an answer and nothing between: made in the request's own task, without the
//! session, channels and tasks that rmcp spends on a conversation. Dropping the call cancels it.

use futures::channel::mpsc;
use http::request::Parts;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientJsonRpcMessage, ClientRequest, InitializeRequestParams,
    RequestId, RequestMetaObject, ServerJsonRpcMessage, ServerResult,
};
use rmcp::service::{Peer, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, Service as _};
use tokio_util::sync::CancellationToken;

use crate::handler::Handler;
use crate::service::Service;
use crate::structure::TakesWritten;

/// The handler, with nobody to talk to while it works.
pub(crate) struct Direct<S> {
    handler: Handler<S>,
    nobody: Peer<RoleServer>,
}

impl<S: Service> Direct<S> {
    pub(crate) fn new(handler: Handler<S>) -> Self {
        Self { handler, nobody: nobody() }
    }

    /// Calls a tool through the same handler as every other way.
    ///
    /// # Errors
    /// Of the protocol; a failed tool is a result that says so.
    pub(crate) async fn call(
        &self,
        id: RequestId,
        meta: RequestMetaObject,
        params: CallToolRequestParams,
        parts: Parts,
    ) -> Result<ServerResult, ErrorData> {
        let mut context = RequestContext::new(id, self.nobody.clone());
        context.meta = meta;
        // What the tool left to work elsewhere is told too.
        let _gone = context.ct.clone().drop_guard();
        context.extensions.insert(parts);
        context.extensions.insert(TakesWritten);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        self.handler.handle_request(request, context).await
    }
}

/// A peer that is not there. rmcp makes peers for connections only; this one's was closed at once.
pub(crate) fn nobody() -> Peer<RoleServer> {
    struct Nobody;
    impl ServerHandler for Nobody {}
    let closed = CancellationToken::new();
    closed.cancel();
    let (sink, _) = mpsc::channel::<ServerJsonRpcMessage>(0);
    let (_, stream) = mpsc::channel::<ClientJsonRpcMessage>(0);
    let client = Some(InitializeRequestParams::default());
    rmcp::service::serve_directly_with_ct(Nobody, (sink, stream), client, closed).peer().clone()
}
