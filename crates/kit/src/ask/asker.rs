//! Puts a question in the way that the client of a call knows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ClientCapabilities, InputRequests};
use rmcp::service::{Peer, PeerRequestOptions, RequestContext, ServiceError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::patience::Patience;
use super::question::{Question, declined, filled};
use super::rounds::{Raised, may_be_asked};
use super::seal::State;
use crate::tasks::Task;
use crate::{Code, Result, ToolError};

/// The name of a confirmation, and of the argument that stands for it.
pub(crate) const CONFIRM: &str = "confirm";

/// On a request whose answer is one JSON object: nothing can be asked on the way to it.
#[derive(Clone)]
pub(crate) struct Mute;

/// What the argument `confirm` said.
#[derive(Clone, Copy)]
pub(crate) struct Said(pub(crate) bool);

/// The form behind a confirmation.
#[derive(Deserialize, JsonSchema)]
struct Consent {
    /// Do it.
    confirm: bool,
}

/// Asks for one call.
#[derive(Clone)]
pub(crate) struct Asker {
    way: Way,
    can: ClientCapabilities,
    /// What is known already.
    state: Option<Arc<State>>,
    confirmed: bool,
}

#[derive(Clone)]
enum Way {
    /// The question is the result.
    Rounds(Arc<Mutex<InputRequests>>),
    /// The client answers while the call waits.
    Session { peer: Peer<RoleServer>, patience: Patience, timeout: Duration },
    /// The task waits for its client.
    Task(Arc<Task>),
    /// There is nobody to ask.
    Nobody,
}

/// How long a question over a session stays open; on a context of such a call, with the patience of its deadline.
#[derive(Clone)]
pub(crate) struct Open(pub(crate) Duration, pub(crate) Patience);

impl Asker {
    pub(crate) fn of(context: &RequestContext<RoleServer>) -> Self {
        let parts = context.extensions.get::<http::request::Parts>();
        let mute = parts.is_some_and(|parts| parts.extensions.get::<Mute>().is_some());
        let later = context.protocol_version().is_some_and(|version| !version.has_initialize());
        let asked = !later || may_be_asked(&context.meta);
        let can = asked.then(|| context.client_capabilities()).flatten().unwrap_or_default();
        let way = match (context.extensions.get::<Arc<Task>>(), context.extensions.get::<Open>()) {
            (Some(task), _) => Way::Task(task.clone()),
            (None, _) if later => Way::Rounds(Arc::default()),
            (None, Some(Open(timeout, patience))) if !mute => {
                Way::Session { peer: context.peer.clone(), patience: patience.clone(), timeout: *timeout }
            }
            (None, _) => Way::Nobody,
        };
        Self {
            way,
            can,
            state: context.extensions.get::<Arc<State>>().cloned(),
            confirmed: context.extensions.get::<Said>().is_some_and(|said| said.0),
        }
    }

    /// Whether the client can be asked this.
    pub(crate) fn can(&self, question: &Question) -> bool {
        !matches!(self.way, Way::Nobody) && question.suits(&self.can)
    }

    /// The answer to a question, of the question's kind.
    ///
    /// # Errors
    /// What ends this round of the call, to be returned as it is; or why there is no answer.
    pub(crate) async fn ask(&self, name: &str, question: Question) -> Result<Value> {
        if let Some(answer) = self.known(name, question.put_first).filter(|it| (question.fits)(it)) {
            return Ok(answer.clone());
        }
        if !self.can(&question) {
            return Err(ToolError::raising(Raised::Protocol(question.missing())));
        }
        match &self.way {
            Way::Rounds(open) => {
                let mut questions = open.lock().unwrap_or_else(PoisonError::into_inner);
                questions.insert(name.to_owned(), question.request);
                Err(ToolError::raising(Raised::Questions(open.clone())))
            }
            Way::Session { peer, patience, timeout } => {
                let _waiting = patience.wait();
                over_session(peer, name, question, *timeout).await
            }
            Way::Task(task) => loop {
                let answer = task.ask(name, question.request.clone()).await?;
                if (question.fits)(&answer) {
                    return Ok(answer);
                }
            },
            Way::Nobody => Err(ToolError::raising(Raised::Protocol(question.missing()))),
        }
    }

    /// Goes on when the user agrees. Who cannot be asked says so with the argument `confirm`; who can is asked even
    /// so, for the argument may be the model's own.
    ///
    /// # Errors
    /// As of [`Asker::ask`]; `FORBIDDEN` when the user declined; `VALIDATION_ERROR` when `confirm` is missing.
    pub(crate) async fn confirm(&self, message: &str) -> Result<()> {
        let question = Question::form::<Consent>(message).put_first();
        if !self.can(&question) {
            let ask = "Nothing was done yet: if this is wanted, call again with confirm: true";
            let unsaid = || ToolError::invalid(CONFIRM, format!("{message} {ask}"));
            return if self.confirmed { Ok(()) } else { Err(unsaid()) };
        }
        let answer = self.ask(CONFIRM, question).await?;
        let Consent { confirm } = filled(CONFIRM, answer)?;
        if confirm { Ok(()) } else { Err(declined(CONFIRM)) }
    }

    fn known(&self, name: &str, put_first: bool) -> Option<&Value> {
        let state = self.state.as_ref()?;
        state.answers.get(name).or_else(|| state.free.get(name).filter(|_| !put_first))
    }
}

async fn over_session(
    peer: &Peer<RoleServer>,
    name: &str,
    question: Question,
    timeout: Duration,
) -> Result<Value> {
    let fits = question.fits;
    let lost = |error: ServiceError| match error {
        ServiceError::Timeout { .. } => {
            let waited = humantime::format_duration(timeout);
            ToolError::new(Code::TimeoutError, format!("{name} was asked and not answered within {waited}"))
        }
        error => ToolError::service(format!("{name} was asked and cannot be answered")).because(&error),
    };
    let Some(request) = question.over_session() else {
        return Err(ToolError::internal("a question of an unknown kind"));
    };
    let options = PeerRequestOptions::with_timeout(timeout);
    let answer = peer.send_cancellable_request(request, options).await.map_err(lost)?;
    let answer = serde_json::to_value(answer.await_response().await.map_err(lost)?)
        .map_err(|error| ToolError::internal("an answer could not be read").because(&error))?;
    if fits(&answer) {
        return Ok(answer);
    }
    Err(ToolError::invalid(name, format!("the answer to {name} does not fit the question")))
}
