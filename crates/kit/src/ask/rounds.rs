//! Questions as clients since 2026-07-28 know them: the question is the result, and the request comes again with the
//! answer and the sealed state. Any replica with the same key can take it from there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{
    ErrorCode, InputRequests, InputRequiredResult, InputResponses, JsonObject, RequestMetaObject,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

use super::asker::Open;
use super::keys::Keys;
use super::patience::Patience;
use super::seal::{Bound, Seal, State};
use super::settings::AskArgs;
use super::used::Used;
use crate::auth::Principal;
use crate::{Code, ToolError};

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// Most rounds of one request: it is counted towards the limits once, and runs in each.
const MOST: u32 = 32;

/// What makes rounds of a request.
pub(crate) struct Rounds {
    slug: &'static str,
    seal: Seal,
    timeout: Duration,
}

/// One request, as a round: what to seal the next state for, and with.
#[derive(Default)]
pub(crate) struct Turn {
    bound: Option<Bound>,
    state: Arc<State>,
    /// It goes on with a call that was let in before.
    pub(crate) goes_on: bool,
    /// For a call that can wait for answers.
    pub(crate) patience: Option<Patience>,
}

impl Rounds {
    /// # Errors
    /// When the keys or the folder of the settings cannot be had.
    pub(crate) fn new(slug: &'static str, args: &AskArgs) -> anyhow::Result<Self> {
        let keys = Keys::new(args.state_key_file.as_deref())?;
        let used = Used::new(args.ask_timeout, args.used_states_dir.as_deref())?;
        Ok(Self { slug, seal: Seal::new(keys, used, args.ask_timeout), timeout: args.ask_timeout })
    }

    /// Opens the state that came with a request, and leaves the answers in its context for whoever asks.
    ///
    /// # Errors
    /// When the state is not this server's, or not for this request.
    pub(crate) fn begin(
        &self,
        caller: &Principal,
        what: (&str, &str),
        arguments: Option<&JsonObject>,
        came: (Option<InputResponses>, Option<String>),
        context: &mut RequestContext<RoleServer>,
    ) -> Result<Turn, ErrorData> {
        let patience = self.over_session(context);
        let (responses, sealed) = came;
        if sealed.is_none() && responses.is_none() && !may_be_asked(&context.meta) {
            return Ok(Turn { patience, ..Turn::default() });
        }
        let bound = Bound::to(self.slug, caller, what, arguments);
        let goes_on = sealed.is_some();
        let mut state = match sealed {
            Some(sealed) => self.seal.open(&bound, &sealed).map_err(protocol)?,
            None => State::default(),
        };
        for (name, answer) in responses.unwrap_or_default() {
            let put = state.asked.contains(&name);
            if put { &mut state.answers } else { &mut state.free }.insert(name, answer);
        }
        let state = Arc::new(state);
        context.extensions.insert(state.clone());
        Ok(Turn { bound: Some(bound), state, goes_on, patience })
    }

    /// What a client with a session needs to be asked on the way.
    fn over_session(&self, context: &mut RequestContext<RoleServer>) -> Option<Patience> {
        if context.meta.contains_key(CAPABILITIES) {
            return None;
        }
        let can = &context.peer.peer_info()?.capabilities;
        if can.elicitation.is_none() && can.sampling.is_none() && can.roots.is_none() {
            return None;
        }
        let patience = Patience::default();
        context.extensions.insert(Open(self.timeout, patience.clone()));
        Some(patience)
    }

    /// Has the client call again with the answers to these questions.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` when they were asked too often; `INTERNAL_ERROR` when no state can be made.
    pub(crate) fn again(
        &self,
        turn: &Turn,
        questions: InputRequests,
    ) -> Result<InputRequiredResult, ToolError> {
        let Some(bound) = &turn.bound else {
            return Err(ToolError::internal("a question was put to a client that cannot be asked"));
        };
        let mut state = State::clone(&turn.state);
        if state.rounds == MOST {
            let message = format!("no answer of {MOST} was enough; call again from the start");
            return Err(ToolError::new(Code::ValidationError, message));
        }
        state.rounds += 1;
        state.asked = questions.keys().cloned().collect();
        // An answer that is asked for again was none.
        state.answers.retain(|name, _| !questions.contains_key(name));
        state.free.retain(|name, _| !questions.contains_key(name));
        Ok(InputRequiredResult::new(Some(questions), Some(self.seal.close(bound, state)?)))
    }
}

/// Whether a client of this revision declared anything it can be asked for.
pub(super) fn may_be_asked(meta: &RequestMetaObject) -> bool {
    let declared = meta.get(CAPABILITIES).and_then(Value::as_object);
    declared.is_some_and(|it| ["elicitation", "sampling", "roots"].iter().any(|kind| it.contains_key(*kind)))
}

fn protocol(error: ToolError) -> ErrorData {
    tracing::info!(code = error.code.as_str(), source = error.source_chain(), "{}", error.message);
    ErrorData::new(ErrorCode::INVALID_PARAMS, error.message.clone(), serde_json::to_value(&error).ok())
}

/// What a tool raised instead of failing.
#[derive(Debug, Clone)]
pub(crate) enum Raised {
    /// Questions to be answered first. There may be more by the time the tool returns.
    Questions(Arc<Mutex<InputRequests>>),
    /// The tool runs again, as a task.
    Task,
    /// The protocol says no.
    Protocol(ErrorData),
}

const RAISED: &str = "raised";
const TASK: &str = "task";
const ELSEWHERE: &str = "this call goes on in a way that is not known here";

impl Raised {
    pub(crate) fn into_protocol(self) -> ErrorData {
        match self {
            Self::Protocol(error) => error,
            Self::Task => ErrorData::internal_error(ELSEWHERE, Some(json!({RAISED: TASK}))),
            Self::Questions(questions) => {
                let questions =
                    std::mem::take(&mut *questions.lock().unwrap_or_else(PoisonError::into_inner));
                ErrorData::internal_error(ELSEWHERE, Some(json!({RAISED: questions})))
            }
        }
    }

    /// The questions that [`Raised::into_protocol`] wrote.
    pub(crate) fn questions(error: &ErrorData) -> Option<InputRequests> {
        let questions = error.data.as_ref()?.get(RAISED)?;
        serde_json::from_value(questions.clone()).ok()
    }

    /// Whether [`Raised::into_protocol`] wrote that it becomes a task.
    pub(crate) fn is_task(error: &ErrorData) -> bool {
        error.data.as_ref().is_some_and(|data| data[RAISED] == TASK)
    }
}
