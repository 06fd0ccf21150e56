//! How a call becomes a task, and runs as one: under the same policy, audit and shutdown as every call, with a
//! deadline of its own.

use std::sync::Arc;

use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CreateTaskResult};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};

use super::{AsTask, MayGoOn, Task, knows_tasks, required};
use crate::auth::Principal;
use crate::catalog::Entry;
use crate::dispatch::{Dispatch, Failure, TOOLS_CALL, Until};
use crate::record::Record;
use crate::service::Service;
use crate::telemetry::Target;
use crate::{ToolError, structure};

/// What becomes of a call.
#[derive(PartialEq, Eq)]
pub(crate) enum Course {
    /// Its client waits for the result.
    Wait,
    /// It is a task from its start.
    Task,
    /// It becomes one when its tool says so.
    Later,
}

/// Decides what becomes of a call that may go on.
///
/// # Errors
/// Of the protocol, for a client that does not know tasks and a tool that is nothing else.
pub(crate) fn course<S>(
    entry: &Entry<S>,
    context: &mut RequestContext<RoleServer>,
) -> Result<Course, ErrorData> {
    let Some(as_task) = entry.as_task else { return Ok(Course::Wait) };
    match (as_task, knows_tasks(context)) {
        (AsTask::Required, false) => Err(required(&entry.name)),
        (AsTask::Optional | AsTask::Later, false) => Ok(Course::Wait),
        (AsTask::Optional | AsTask::Required, true) => Ok(Course::Task),
        (AsTask::Later, true) => {
            context.extensions.insert(MayGoOn);
            Ok(Course::Later)
        }
    }
}

impl<S: Service> Dispatch<S> {
    /// Goes on with a call as a task.
    ///
    /// # Errors
    /// `RATE_LIMITED` when too many are kept.
    pub(crate) fn go_on_as_task(
        self: &Arc<Self>,
        caller: &Principal,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ToolError> {
        let task = self.tasks.admit(&caller.name)?;
        let seed = task.seed();
        let context = self.tasks.context(&task, context);
        let (dispatch, caller, alive) = (self.clone(), caller.clone(), self.calls.begin());
        let work = async move {
            let result = task.clone().scope(dispatch.run_task(&task, &caller, params, context)).await;
            task.end(result);
            drop(alive);
            tokio::time::sleep(dispatch.tasks.args.task_ttl).await;
            dispatch.tasks.lock().remove(&task.id);
        };
        tokio::spawn(work);
        Ok(CreateTaskResult::new(seed).into())
    }

    async fn run_task(
        &self,
        task: &Arc<Task>,
        caller: &Principal,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, Failure> {
        let Some(entry) = self.catalog.get(&params.name) else {
            return Err(Failure::Tool(ToolError::internal("a task of a tool that is not there")));
        };
        let target = Target::Tool(entry.name.clone());
        let operation = self.telemetry.begin(TOOLS_CALL, target, caller, &context);
        let scope = operation.scope.clone();
        let record = Record::open(entry, operation, params.arguments.as_ref());
        let until = Until::task(task.clone(), self.tasks.args.task_deadline);
        let work = (entry.call)(ToolCallContext::new(&self.service, params, context));
        let result = match scope.run(self.within(entry, &until, work)).await {
            Ok(Ok(response)) => self.fits(entry, response).map_err(Failure::Tool),
            Ok(Err(error)) => Err(Failure::of(entry, error)),
            Err(failure) => Err(failure),
        };
        record.close(&result);
        result.map(|mut response| {
            if let CallToolResponse::Complete(result) = &mut response {
                structure::read(result);
            }
            response
        })
    }
}
