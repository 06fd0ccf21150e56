//! Sessions of MCP clients of 2025: bounded in number and age, and each its owner's alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::common::server_side_http::ServerSseMessage;
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError, SessionConfig,
};
use rmcp::transport::streamable_http_server::session::{SessionId, SessionManager};

use crate::metrics::Metrics;

/// rmcp's sessions in memory, with a most and with owners.
pub(crate) struct Sessions {
    inner: LocalSessionManager,
    owners: Mutex<HashMap<SessionId, Option<Arc<str>>>>,
    max: usize,
    metrics: Arc<Metrics>,
}

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
        Self { inner, owners: Mutex::default(), max, metrics }
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Option<Arc<str>>>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a new session to the caller that asked for it.
    pub(crate) fn own(&self, id: &str, owner: &Arc<str>) {
        if let Some(slot) = self.owners().get_mut(id) {
            slot.get_or_insert_with(|| owner.clone());
        }
    }

    /// Whether a session may be used by this caller. An unknown one may: rmcp says that it is unknown.
    pub(crate) fn may_use(&self, id: &str, caller: &str) -> bool {
        !matches!(self.owners().get(id), Some(Some(owner)) if **owner != *caller)
    }
}

impl SessionManager for Sessions {
    type Error = SessionsError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), SessionsError> {
        if self.owners().len() >= self.max {
            return Err(SessionsError::Full);
        }
        let (id, transport) = self.inner.create_session().await?;
        self.owners().insert(id.clone(), None);
        self.metrics.sessions.inc();
        Ok((id, transport))
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
        if self.owners().remove(id).is_some() {
            self.metrics.sessions.dec();
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
