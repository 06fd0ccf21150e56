//! `/sse` and `/messages`: the HTTP+SSE transport of MCP 2024-11-05, which rmcp does not have. One stream a
//! session; closing it ends the session and cancels what runs in it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{SinkExt, Stream, StreamExt, channel::mpsc};
use http::StatusCode;
use rmcp::model::{ClientJsonRpcMessage, GetExtensions, ServerJsonRpcMessage};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::app::App;
use crate::service::Service;
use crate::{Code, ToolError};

/// Messages a client may send ahead of the server.
const QUEUE: usize = 16;
/// Requests a session may have unanswered, a slow reader's included.
const UNANSWERED: usize = 64;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The open sessions: where a posted message goes, and whose session it is.
#[derive(Default)]
pub(crate) struct SseSessions {
    open: Mutex<HashMap<String, Session>>,
    max: usize,
}

#[derive(Clone)]
struct Session {
    owner: Arc<str>,
    inbox: mpsc::Sender<ClientJsonRpcMessage>,
    unanswered: Arc<Semaphore>,
}

impl SseSessions {
    pub(crate) fn new(max: usize) -> Self {
        Self { open: Mutex::default(), max }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a session. The first event tells where to post, relative to this address, so that it holds behind
/// any prefix.
pub(super) async fn open<S: Service>(State(app): State<Arc<App<S>>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let principal = match app.admit(&mut parts).await {
        Ok(principal) => principal,
        Err(refusal) => return refusal.into_response(),
    };
    let (inbox, from_client) = mpsc::channel(QUEUE);
    let (to_client, outbox) = mpsc::channel(QUEUE);
    let unanswered = Arc::new(Semaphore::new(UNANSWERED));
    let id = uuid::Uuid::new_v4().simple().to_string();
    {
        let mut open = app.sse.open();
        if open.len() >= app.sse.max {
            let error = ToolError::new(Code::RateLimited, super::sessions::FULL);
            return error.with("retry_after", 60).into_response();
        }
        open.insert(id.clone(), Session { owner: principal.name, inbox, unanswered: unanswered.clone() });
    }
    let closed = app.streams.child_token();
    tokio::spawn(run(app.clone(), id.clone(), (to_client, from_client), closed.clone()));
    let endpoint = Event::default().event("endpoint").data(format!("messages?session_id={id}"));
    let events = futures::stream::once(async move { Ok(endpoint) }).chain(events(outbox, unanswered, closed));
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

async fn run<S: Service>(
    app: Arc<App<S>>,
    id: String,
    transport: (mpsc::Sender<ServerJsonRpcMessage>, mpsc::Receiver<ClientJsonRpcMessage>),
    closed: CancellationToken,
) {
    let _open = app.metrics.session();
    let served = async {
        match rmcp::service::serve_server_with_ct(app.handler.clone(), transport, closed.clone()).await {
            Ok(session) => drop(session.waiting().await),
            Err(error) => tracing::debug!("SSE session did not begin: {error}"),
        }
    };
    tokio::select! {
        () = served => {}
        () = closed.cancelled() => {}
    }
    closed.cancel();
    app.sse.open().remove(&id);
}

/// What the client reads; dropping it, as a closed connection does, ends the session.
fn events(
    outbox: mpsc::Receiver<ServerJsonRpcMessage>,
    unanswered: Arc<Semaphore>,
    closed: CancellationToken,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let guard: DropGuard = closed.clone().drop_guard();
    outbox.take_until(closed.cancelled_owned()).filter_map(move |message| {
        let _held = &guard;
        if matches!(message, ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_)) {
            unanswered.add_permits(1);
        }
        let event = match serde_json::to_string(&message) {
            Ok(json) => Some(Ok(Event::default().event("message").data(json))),
            Err(error) => {
                tracing::error!("a message could not be written: {error}");
                None
            }
        };
        std::future::ready(event)
    })
}

#[derive(Deserialize)]
pub(super) struct Address {
    #[serde(alias = "sessionId")]
    session_id: String,
}

/// Takes a client's messages for its session.
pub(super) async fn message<S: Service>(
    State(app): State<Arc<App<S>>>,
    address: Result<Query<Address>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = match app.admit(&mut parts).await {
        Ok(principal) => principal.name,
        Err(refusal) => return refusal.into_response(),
    };
    let Ok(Query(Address { session_id })) = address else {
        return ToolError::invalid("session_id", "session_id is missing").into_response();
    };
    let session = app.sse.open().get(&session_id).filter(|session| session.owner == caller).cloned();
    let Some(Session { mut inbox, unanswered, .. }) = session else {
        return ToolError::new(Code::NotFound, "there is no such session; open one on sse").into_response();
    };
    let body = match super::read(body, app.max_body_bytes).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    let mut message: ClientJsonRpcMessage = match serde_json::from_slice(&body) {
        Ok(message) => message,
        Err(error) => {
            let message = format!("not a JSON-RPC 2.0 message of MCP: {error}");
            return ToolError::new(Code::ValidationError, message).into_response();
        }
    };
    match &mut message {
        ClientJsonRpcMessage::Request(it) => {
            let Ok(permit) = unanswered.try_acquire() else {
                let message = format!("{UNANSWERED} requests of this session wait for their answers");
                return ToolError::new(Code::RateLimited, message).with("retry_after", 1).into_response();
            };
            // Given back with the answer.
            permit.forget();
            it.request.extensions_mut().insert(parts);
        }
        ClientJsonRpcMessage::Notification(it) => drop(it.notification.extensions_mut().insert(parts)),
        ClientJsonRpcMessage::Response(_) | ClientJsonRpcMessage::Error(_) => {}
    }
    match inbox.send(message).await {
        Ok(()) => (StatusCode::ACCEPTED, "Accepted").into_response(),
        Err(_) => ToolError::new(Code::NotFound, "the session has ended; open one on sse").into_response(),
    }
}
