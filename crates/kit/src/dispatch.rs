//! The one way a tool is called, whatever door the call came through.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorCode};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use tokio_util::sync::CancellationToken;

use crate::ask::{Patience, Raised, Rounds, Said, Turn};
use crate::auth::{Principal, Role};
use crate::call::{closed, principal, waits_for};
use crate::calls::Calls;
use crate::catalog::{Catalog, Entry};
use crate::policy::Gate;
use crate::record::Record;
use crate::service::Service;
use crate::tasks::{self, Course, Task, Tasks};
use crate::telemetry::{Target, Telemetry};
use crate::text::clip;
use crate::{Code, ToolError, confirm, params};

/// The method, as states are bound to it and telemetry names it.
pub(crate) const TOOLS_CALL: &str = "tools/call";

/// A server with its tools and the limits on calling them.
pub(crate) struct Dispatch<S> {
    pub(crate) service: S,
    pub(crate) catalog: Catalog<S>,
    pub(crate) deadline: Duration,
    pub(crate) max_output_bytes: usize,
    /// Who calls where no door asks: on stdio.
    pub(crate) operator: Option<Principal>,
    /// Calls in flight, so that a shutdown can wait for them.
    pub(crate) calls: Calls,
    pub(crate) rounds: Rounds,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) tasks: Tasks,
}

/// Why a call has no result.
pub(crate) enum Failure {
    /// The tool or the chassis says no: a result with `isError`.
    Tool(ToolError),
    /// The protocol says no.
    Protocol(ErrorData),
    /// Nobody waits for the result.
    Cancelled,
}

impl<S: Service> Dispatch<S> {
    /// Calls a tool.
    ///
    /// # Errors
    /// Only of the protocol; a failed tool is a result that says so.
    pub(crate) async fn call(
        self: &Arc<Self>,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(entry) = self.catalog.get(&params.name) else { return Err(unknown(&params.name)) };
        let _alive = self.calls.begin();
        let caller = self.caller(&context)?;
        let target = Target::Tool(entry.name.clone());
        let operation = self.telemetry.begin(TOOLS_CALL, target, &caller, &context);
        let scope = operation.scope.clone();
        let record = Record::open(entry, operation, params.arguments.as_ref());
        let result = scope.run(self.run(entry, &caller, params, context)).await;
        record.close(&result);
        match result {
            Ok(response) => Ok(response),
            Err(Failure::Tool(error)) => Ok(failed(&error)),
            Err(Failure::Protocol(error)) => Err(error),
            Err(Failure::Cancelled) => Err(ErrorData::internal_error("the call was cancelled", None)),
        }
    }

    /// Who calls: the principal that the door left, or the operator on stdio.
    pub(crate) fn caller(&self, context: &RequestContext<RoleServer>) -> Result<Principal, ErrorData> {
        principal(context)
            .or(self.operator.as_ref())
            .cloned()
            .ok_or_else(|| ErrorData::internal_error("a door let a request in without its caller", None))
    }

    async fn run(
        self: &Arc<Self>,
        entry: &Entry<S>,
        caller: &Principal,
        mut params: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, Failure> {
        let (turn, gate) = self.enter(entry, caller, &mut params, &mut context)?;
        let course = tasks::course(entry, &mut context).map_err(Failure::Protocol)?;
        let until = Until::of(&context, &turn, self.deadline);
        let agreed = match gate.confirms {
            true => self.within(entry, &until, confirm::first(entry, &params, &context)).await?,
            false => Ok(()),
        };
        let again = (course == Course::Later).then(|| (params.clone(), context.clone()));
        let outcome = match agreed {
            Ok(()) if course == Course::Task => {
                return self.go_on_as_task(caller, params, context).map_err(Failure::Tool);
            }
            Ok(()) => {
                let work = (entry.call)(ToolCallContext::new(&self.service, params, context));
                self.within(entry, &until, work).await?
            }
            Err(error) => Err(error.into()),
        };
        let error = match outcome {
            Ok(response) => return self.fits(entry, response).map_err(Failure::Tool),
            Err(error) => error,
        };
        match (Raised::questions(&error), again) {
            (Some(questions), _) => {
                self.rounds.again(&turn, questions).map(CallToolResponse::from).map_err(Failure::Tool)
            }
            (None, Some((params, context))) if Raised::is_task(&error) => {
                self.go_on_as_task(caller, params, context).map_err(Failure::Tool)
            }
            (None, _) => Err(Failure::of(entry, error)),
        }
    }

    /// Lets a call in, or on when it comes again with an answer.
    fn enter<'a>(
        &self,
        entry: &'a Entry<S>,
        caller: &Principal,
        params: &mut CallToolRequestParams,
        context: &mut RequestContext<RoleServer>,
    ) -> Result<(Turn, &'a Gate), Failure> {
        let name = &*entry.name;
        let chosen = entry.methods.chosen(params.arguments.as_ref());
        let gate = chosen.map_or(&entry.gate, |it| &it.gate);
        gate.allow(caller).map_err(Failure::Tool)?;
        if chosen.is_none() {
            entry.methods.refuse_none(caller.role).map_err(Failure::Tool)?;
        }
        let came = (params.input_responses.take(), params.request_state.take());
        let turn = self
            .rounds
            .begin(caller, (TOOLS_CALL, name), params.arguments.as_ref(), came, context)
            .map_err(Failure::Protocol)?;
        if !turn.goes_on {
            gate.count(caller).map_err(Failure::Tool)?;
        }
        if let Some(field) = params.arguments.as_ref().and_then(params::nul) {
            let message = format!("{field} holds a NUL character");
            return Err(Failure::Tool(ToolError::invalid(field, message)));
        }
        if let Some(said) = entry.confirms.take(&mut params.arguments) {
            context.extensions.insert(Said(said));
        }
        Ok((turn, gate))
    }

    /// Works on a call as long as it may.
    pub(crate) async fn within<T>(
        &self,
        entry: &Entry<S>,
        until: &Until,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let outcome = tokio::select! {
            biased;
            outcome = AssertUnwindSafe(work).catch_unwind() => outcome,
            () = until.cancelled() => return Err(Failure::Cancelled),
            () = self.calls.are_cut() => return Err(Failure::Tool(cut_off(entry))),
            () = until.closed() => return Err(Failure::Cancelled),
            () = until.too_long() => return Err(Failure::Tool(too_slow(entry, until.deadline))),
        };
        outcome.map_err(|_panic| {
            let name = &entry.name;
            Failure::Tool(ToolError::internal(format!("{name} panicked; this is a bug")))
        })
    }

    /// Refuses a result that a model could not take in, and says which arguments narrow it.
    pub(crate) fn fits(
        &self,
        entry: &Entry<S>,
        response: CallToolResponse,
    ) -> Result<CallToolResponse, ToolError> {
        let CallToolResponse::Complete(result) = &response else { return Ok(response) };
        let size: usize = result.content.iter().map(size).sum();
        if size <= self.max_output_bytes {
            return Ok(response);
        }
        let tool = entry.definition(Role::Admin);
        let arguments: Vec<&str> = tool
            .input_schema
            .get("properties")
            .and_then(serde_json::Value::as_object)
            .map(|properties| properties.keys().map(String::as_str).collect())
            .unwrap_or_default();
        let how = match arguments.as_slice() {
            [] => "raise --max-output-bytes".to_owned(),
            names => format!("narrow it with {}", names.join(", ")),
        };
        let limit = self.max_output_bytes;
        Err(ToolError::new(
            Code::ValidationError,
            format!("the result of {} is too large ({size} bytes, at most {limit}); {how}", tool.name),
        )
        .with("bytes", size)
        .with("limit", limit))
    }
}

/// What ends a call before its tool does.
pub(crate) struct Until {
    cancelled: CancellationToken,
    closed: Option<CancellationToken>,
    /// The server's, or the client's where that is shorter.
    deadline: Duration,
    patience: Option<Patience>,
    task: Option<Arc<Task>>,
}

impl Until {
    fn of(context: &RequestContext<RoleServer>, turn: &Turn, deadline: Duration) -> Self {
        Self {
            cancelled: context.ct.clone(),
            closed: closed(context),
            deadline: deadline.min(waits_for(context)),
            patience: turn.patience.clone(),
            task: None,
        }
    }

    /// A task has no connection that could close.
    pub(crate) fn task(task: Arc<Task>, deadline: Duration) -> Self {
        Self { cancelled: task.cancelled.clone(), closed: None, deadline, patience: None, task: Some(task) }
    }

    async fn cancelled(&self) {
        self.cancelled.cancelled().await;
        self.is_no_change().await;
    }

    async fn closed(&self) {
        match &self.closed {
            Some(closed) => closed.cancelled().await,
            None => std::future::pending().await,
        }
    }

    async fn too_long(&self) {
        match &self.patience {
            Some(patience) => patience.ends(self.deadline).await,
            None => tokio::time::sleep(self.deadline).await,
        }
        self.is_no_change().await;
    }

    /// A task that has begun a change is waited for: its client can still be told how it ended.
    async fn is_no_change(&self) {
        if self.task.as_ref().is_some_and(|task| task.is_changing()) {
            std::future::pending().await
        }
    }
}

impl Failure {
    /// What an error of a tool means.
    pub(crate) fn of<S>(entry: &Entry<S>, error: ErrorData) -> Self {
        match ToolError::from_protocol(&error) {
            Some(error) => Self::Tool(entry.without_secret(error)),
            None => Self::Protocol(error),
        }
    }
}

fn too_slow<S>(entry: &Entry<S>, deadline: Duration) -> ToolError {
    let (name, rest, deadline) = (&entry.name, rest(entry), humantime::format_duration(deadline));
    ToolError::new(Code::TimeoutError, format!("{name} gave no result within {deadline}{rest}"))
}

fn cut_off<S>(entry: &Entry<S>) -> ToolError {
    let (name, rest) = (&entry.name, rest(entry));
    ToolError::service(format!("the server is stopping; {name} was cut off before it had a result{rest}"))
}

/// What goes on without the call.
fn rest<S>(entry: &Entry<S>) -> &'static str {
    if entry.gate.writes() || entry.methods.write() {
        "; a change that had begun still runs to its end"
    } else {
        ""
    }
}

fn size(content: &ContentBlock) -> usize {
    match content {
        ContentBlock::Text(text) => text.text.len(),
        ContentBlock::Image(image) => image.data.len(),
        ContentBlock::Audio(audio) => audio.data.len(),
        other => serde_json::to_vec(other).map_or(0, |bytes| bytes.len()),
    }
}

/// A failed tool is a result whose text is our error object. No `structuredContent`: clients check that
/// against the output schema even on errors, and would hide ours.
pub(crate) fn failed(error: &ToolError) -> CallToolResponse {
    CallToolResult::error(vec![ContentBlock::text(error.to_json())]).into()
}

fn unknown(name: &str) -> ErrorData {
    let error = ToolError::new(Code::NotFound, format!("there is no tool {}", clip(name)));
    ErrorData::new(ErrorCode::INVALID_PARAMS, error.message.clone(), serde_json::to_value(error).ok())
}
