//! How a server serves until it is told to stop, and winds up without losing an answer.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rmcp::service::ServerInitializeError;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::app::App;
use crate::doors;
use crate::serve::Connections;
use crate::service::{Kit, Service};
use crate::tls::Tls;

/// How long answers may take to leave once their calls have ended.
const FLUSH: Duration = Duration::from_millis(250);
/// What a client on stdin may send ahead of the session, in bytes.
const STDIN_BUFFER: usize = 64 * 1024;
/// How long connections, or the session on stdio, may linger once every call has been answered.
const LINGER: Duration = Duration::from_secs(2);

/// A server that is set up and not yet open.
pub(crate) struct Server<S: Service> {
    pub(crate) app: Arc<App<S>>,
    /// None on stdio.
    pub(crate) listener: Option<TcpListener>,
    pub(crate) tls: Option<Tls>,
    pub(crate) kit: Kit,
    pub(crate) legacy_sse: bool,
    pub(crate) max_connections: NonZeroUsize,
    /// What the calls in flight get at the end.
    pub(crate) grace: Duration,
    /// How much of that goes by at least before no more connections are accepted.
    pub(crate) delay: Duration,
}

impl<S: Service> Server<S> {
    /// Serves until `stop` resolves, then winds up.
    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        self.kit.open.cancel();
        let ended = match self.listener.take() {
            Some(listener) => self.serve_http(listener, stop).await,
            None => self.serve_stdio(stop).await,
        };
        finish_changes(&self.kit).await;
        self.app.dispatch.telemetry.stop().await;
        ended
    }

    /// Not ready from the signal on, but still serving until the calls that it found are done, so that those who
    /// have not heard yet lose nothing; then closed.
    async fn serve_http(&self, listener: TcpListener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let router = doors::router(self.app.clone(), self.legacy_sse)?;
        let mut connections = Connections::accept(listener, self.tls.clone(), router, self.max_connections);
        tokio::select! {
            () = stop => {}
            ended = connections.ended() => return Ok(ended?),
        }
        self.app.health.stop();
        let calls = &self.app.dispatch.calls;
        self.drain(async {
            tokio::join!(calls.found_ended(), tokio::time::sleep(self.delay));
            connections.close();
            // A request that had come but was no call yet may have become one.
            while !connections.end_within(FLUSH).await && calls.len() > 0 {
                calls.ended().await;
            }
        })
        .await;
        connections.close();
        // A call has ended when its result is made; the doors still have to write it.
        if !connections.end_within(FLUSH).await {
            self.app.streams.cancel();
            if !connections.end_within(LINGER).await {
                tracing::warn!("connections did not close in time and are cut off");
            }
        }
        Ok(())
    }

    /// The session sees the end of its input only when the calls in flight are done, so that their answers leave
    /// as usual.
    async fn serve_stdio(&self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let (mut stdin, stdout) = rmcp::transport::stdio();
        let (input, mut inlet) = tokio::io::simplex(STDIN_BUFFER);
        let calls = &self.app.dispatch.calls;
        let feed = async {
            tokio::select! {
                ended = tokio::io::copy(&mut stdin, &mut inlet) => if let Err(error) = ended {
                    tracing::error!("stdin ends with an error: {error}");
                },
                () = stop => {}
            }
            // What was read last may be a call that has not begun.
            tokio::time::sleep(FLUSH).await;
            self.drain(calls.ended()).await;
            inlet.shutdown().await
        };
        let session = async {
            let (handler, ended) = (self.app.handler.clone(), self.app.streams.clone());
            match rmcp::service::serve_server_with_ct(handler, (input, stdout), ended).await {
                Ok(session) => session.waiting().await.map(drop).map_err(anyhow::Error::from),
                // A client that closes its end before it said anything has changed its mind.
                Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
                Err(error) => Err(error.into()),
            }
        };
        let mut session = pin!(session);
        tokio::select! {
            ended = &mut session => return ended,
            fed = feed => fed?,
        }
        if let Ok(ended) = tokio::time::timeout(FLUSH, &mut session).await {
            return ended;
        }
        self.app.streams.cancel();
        tokio::time::timeout(LINGER, session).await.unwrap_or_else(|_| {
            tracing::warn!("the session did not close in time and is cut off");
            Ok(())
        })
    }

    /// Gives the calls in flight the grace, and `drained` to use it. What is left then is cut off: its caller is
    /// told so, and the log.
    async fn drain(&self, drained: impl Future<Output = ()>) {
        let calls = &self.app.dispatch.calls;
        calls.stop();
        tracing::info!(in_flight = calls.len(), "stopping");
        if tokio::time::timeout(self.grace, drained).await.is_ok() || calls.len() == 0 {
            return;
        }
        tracing::warn!(in_flight = calls.len(), "calls did not end in time and are cut off");
        calls.cut();
        if tokio::time::timeout(LINGER, calls.ended()).await.is_err() {
            tracing::error!(in_flight = calls.len(), "calls cannot be cut off and are left behind");
        }
    }
}

/// A change that is half done is waited for, however long it takes: it is bounded by its own timeouts.
async fn finish_changes(kit: &Kit) {
    kit.stopping.cancel();
    kit.changes.close();
    if !kit.changes.is_empty() {
        tracing::info!(changes = kit.changes.len(), "waiting for changes to reach their end");
    }
    kit.changes.wait().await;
}
