//! What a tool may know of the call it serves: progress out, questions out and answers in, cancellation in.

use std::sync::Arc;
use std::time::Duration;

use rmcp::handler::server::common::{AsRequestContext, FromContextPart};
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use rmcp::{ErrorData, RoleServer};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::ask::{Asker, Question, Raised, filled};
use crate::auth::{Principal, Upstream};
use crate::doors::grpc::Reports;
use crate::doors::sessions::Closed;
use crate::tasks::{MayGoOn, Task};
use crate::{Result, ToolError};

/// The call that a tool serves; an argument of the tool like [`crate::Parameters`].
pub struct Call {
    listener: Listener,
    cancelled: CancellationToken,
    principal: Principal,
    upstream: Upstream,
    asker: Asker,
    task: Option<Arc<Task>>,
    may_go_on: bool,
}

/// Who is told how far the work is.
enum Listener {
    Nobody,
    /// An MCP client that asked for it.
    Client(Peer<RoleServer>, ProgressToken),
    /// The stream of a gRPC call.
    Stream(Reports),
    /// Whoever asks for the task.
    Task(Arc<Task>),
}

impl Listener {
    fn of(context: &RequestContext<RoleServer>) -> Self {
        if let Some(task) = context.extensions.get::<Arc<Task>>() {
            return Self::Task(task.clone());
        }
        match (context.meta.get_progress_token(), extension::<Reports>(context)) {
            (_, Some(reports)) => Self::Stream(reports.clone()),
            (Some(token), None) => Self::Client(context.peer.clone(), token),
            (None, None) => Self::Nobody,
        }
    }
}

impl Call {
    /// The call of a request that is no tool's: a prompt's or a resource's.
    pub fn of(context: &RequestContext<RoleServer>) -> Self {
        Self {
            listener: Listener::of(context),
            cancelled: context.ct.clone(),
            principal: principal(context).cloned().unwrap_or_else(Principal::local),
            upstream: extension::<Upstream>(context).cloned().unwrap_or_default(),
            asker: Asker::of(context),
            task: context.extensions.get::<Arc<Task>>().cloned(),
            may_go_on: context.extensions.get::<MayGoOn>().is_some(),
        }
    }

    /// Tells a client that asked for it how far the work is; that of a task sees the message.
    pub async fn progress(&self, done: f64, total: Option<f64>, message: &str) {
        match &self.listener {
            Listener::Nobody => {}
            Listener::Client(peer, token) => {
                let mut report = ProgressNotificationParam::new(token.clone(), done).with_message(message);
                if let Some(total) = total {
                    report = report.with_total(total);
                }
                // A client that no longer listens has closed its request, which cancels the call.
                let _gone = peer.notify_progress(report).await;
            }
            Listener::Task(task) => task.tell(message),
            Listener::Stream(reports) => reports.progress(done, total, message).await,
        }
    }

    /// Resolves when the caller is gone or has cancelled.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    /// Has the user fill in a form with the fields of `T`, and waits for it in the way the client knows. Return its
    /// error as it is: a client that answers by calling again makes the tool run again, up to here and on, so that
    /// nothing may have been changed by then. `name` tells this question from the others of the call; questions that
    /// are to be asked at once go through `futures::join!`.
    ///
    /// # Errors
    /// `FORBIDDEN` when the user declines; an error of the protocol for a client that cannot be asked.
    pub async fn fill_in<T: JsonSchema + DeserializeOwned>(&self, name: &str, message: &str) -> Result<T> {
        filled(name, self.ask(name, Question::form::<T>(message)).await?)
    }

    /// Puts any question, and gives the answer as the protocol has it; see [`Call::fill_in`].
    ///
    /// # Errors
    /// An error of the protocol for a client that cannot be asked; `TIMEOUT_ERROR` for one that does not answer.
    pub async fn ask(&self, name: &str, question: Question) -> Result<Value> {
        self.asker.ask(name, question).await
    }

    /// Whether the client can be asked this.
    pub fn can_ask(&self, question: &Question) -> bool {
        self.asker.can(question)
    }

    /// Goes on when the user agrees; `message` is a whole sentence that says what would be done. Where nobody can be
    /// asked, the caller says so with the tool's own argument `confirm`, a boolean.
    ///
    /// # Errors
    /// `FORBIDDEN` when the user declines; `VALIDATION_ERROR` when the argument is missing.
    pub async fn confirm(&self, message: &str) -> Result<()> {
        self.asker.confirm(message).await
    }

    /// From here on the call is a task, if its client knows tasks and [`crate::Service::TASKS`] has this tool as
    /// [`crate::AsTask::Later`]. Return its error as it is: the tool runs again as a task, up to here and on, with all
    /// answers it has got.
    ///
    /// # Errors
    /// The one that makes it so.
    pub fn go_on_as_task(&self) -> Result<()> {
        if self.may_go_on && self.task.is_none() { Err(ToolError::raising(Raised::Task)) } else { Ok(()) }
    }

    /// Who calls.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// As whom this call goes to the upstream.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }
}

impl<C: AsRequestContext> FromContextPart<C> for Call {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        Ok(Self::of(context.as_request_context()))
    }
}

/// Who calls; `None` on stdio, where it is the operator.
pub(crate) fn principal(context: &RequestContext<RoleServer>) -> Option<&Principal> {
    extension(context)
}

/// Cancelled when the session of the request is closed, or nobody can fetch its answer any more.
pub(crate) fn closed(context: &RequestContext<RoleServer>) -> Option<CancellationToken> {
    extension::<Closed>(context).map(|Closed(closed)| closed.clone())
}

/// How long the client of a request waits for its answer, where it said so.
#[derive(Clone, Copy)]
pub(crate) struct WaitsFor(pub(crate) Duration);

/// How long the client waits.
pub(crate) fn waits_for(context: &RequestContext<RoleServer>) -> Duration {
    extension(context).map_or(Duration::MAX, |WaitsFor(time)| *time)
}

fn extension<T: Send + Sync + 'static>(context: &RequestContext<RoleServer>) -> Option<&T> {
    context.extensions.get::<http::request::Parts>()?.extensions.get()
}
