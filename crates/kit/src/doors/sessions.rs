//! Sessions of MCP clients of 2025: bounded in number and age, each its owner's alone, and the calls of a closed
//! one cancelled, so that the bound on sessions bounds work too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::common::server_side_http::ServerSseMessage;
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError, SessionConfig,
};
use rmcp::transport::streamable_http_server::session::{SessionId, SessionManager};

use tokio_util::sync::CancellationToken;

use crate::metrics::{Metrics, OpenSession};

/// rmcp's sessions in memory, with a most and with owners.
pub(crate) struct Sessions {
    inner: LocalSessionManager,
    open: Mutex<HashMap<SessionId, Session>>,
    /// Those that are being made, too.
    taken: AtomicUsize,
    max: usize,
    metrics: Arc<Metrics>,
}

struct Session {
    owner: Option<Arc<str>>,
    closed: CancellationToken,
    _open: OpenSession,
}

/// Cancelled when the session of a request is closed, or nobody can fetch its answer any more.
#[derive(Clone)]
pub(crate) struct Closed(pub(crate) CancellationToken);

/// Why a session could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionsError {
    #[error("{FULL}")]
    Full,
    #[error(transparent)]
    Inner(#[from] LocalSessionManagerError),
}

/// How the door recognises a refusal in rmcp's answer.
pub(crate) const FULL: &str = "all sessions are taken; close one or raise --max-sessions";

impl Sessions {
    pub(crate) fn new(max: usize, max_idle: Duration, metrics: Arc<Metrics>) -> Self {
        let mut inner = LocalSessionManager::default();
        let mut config = SessionConfig::default();
        config.keep_alive = Some(max_idle);
        inner.session_config = config;
        Self { inner, open: Mutex::default(), taken: AtomicUsize::new(0), max, metrics }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }

    /// Gives a new session to the caller that asked for it.
    pub(crate) fn own(&self, id: &str, owner: &Arc<str>) {
        if let Some(session) = self.open().get_mut(id) {
            session.owner.get_or_insert_with(|| owner.clone());
        }
    }

    /// Lets a caller use a session; `None` when it is another's. An unknown one may be used: rmcp says that it is
    /// unknown.
    pub(crate) fn enter(&self, id: &str, caller: &str) -> Option<Closed> {
        match self.open().get(id) {
            Some(Session { owner: Some(owner), .. }) if **owner != *caller => None,
            Some(session) => Some(Closed(session.closed.child_token())),
            None => Some(Closed(CancellationToken::new())),
        }
    }
}

impl SessionManager for Sessions {
    type Error = SessionsError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), SessionsError> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return Err(SessionsError::Full);
        }
        let open = self.metrics.session();
        match self.inner.create_session().await {
            Ok((id, transport)) => {
                let session = Session { owner: None, closed: CancellationToken::new(), _open: open };
                self.open().insert(id.clone(), session);
                Ok((id, transport))
            }
            Err(error) => {
                self.give_back();
                Err(error.into())
            }
        }
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionsError> {
        Ok(self.inner.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionsError> {
        Ok(self.inner.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionsError> {
        if let Some(session) = self.open().remove(id) {
            session.closed.cancel();
            self.give_back();
        }
        Ok(self.inner.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        Ok(self.inner.create_stream(id, message).await?)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionsError> {
        Ok(self.inner.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        Ok(self.inner.create_standalone_stream(id).await?)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        Ok(self.inner.resume(id, last_event_id).await?)
    }
}
