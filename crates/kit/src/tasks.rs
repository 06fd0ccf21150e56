//! Calls that go on without their request (the extension `io.modelcontextprotocol/tasks`): how many are kept, whose
//! they are, and for how long.

mod call;
mod settings;
mod task;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{ClientCapabilities, RequestId};
use rmcp::service::{Peer, RequestContext};
use rmcp::{ErrorData, RoleServer};

use crate::auth::Principal;
use crate::doors::direct::nobody;
use crate::text::clip;
use crate::{Code, ToolError};

pub(crate) use call::{Course, course};
pub(crate) use settings::TaskArgs;
pub(crate) use task::{Task, changing};

/// How a tool may run as a task, for clients that know tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsTask {
    /// From its start. Other clients wait for its result.
    Optional,
    /// From its start. Other clients cannot call it.
    Required,
    /// From where it says so with [`crate::Call::go_on_as_task`]: what it asks or refuses before that, it does in the
    /// call. Other clients wait for its result.
    Later,
}

/// On a call of a tool that may become a task later.
#[derive(Clone)]
pub(crate) struct MayGoOn;

/// The tasks of this process.
pub(crate) struct Tasks {
    /// Leads every id, so that whoever routes can tell whose it is.
    instance: String,
    args: TaskArgs,
    kept: Mutex<HashMap<String, Arc<Task>>>,
    nobody: Peer<RoleServer>,
}

impl Tasks {
    pub(crate) fn new(args: TaskArgs) -> Self {
        let instance = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        Self { instance, args, kept: Mutex::default(), nobody: nobody() }
    }

    /// Makes room for one more.
    ///
    /// # Errors
    /// `RATE_LIMITED` when too many are kept, of this caller or in all.
    fn admit(&self, owner: &Arc<str>) -> Result<Arc<Task>, ToolError> {
        let mut kept = self.lock();
        let own = kept.values().filter(|task| task.is_of(owner)).count();
        let full = if kept.len() >= self.args.max_tasks {
            "all tasks are taken (--max-tasks)"
        } else if own >= self.args.max_tasks_per_caller {
            "all tasks of this caller are taken (--max-tasks-per-caller)"
        } else {
            let id = format!("{}-{}", self.instance, uuid::Uuid::new_v4().simple());
            let task = Arc::new(Task::new(id.clone(), owner.clone(), self.args.task_ttl));
            kept.insert(id, task.clone());
            return Ok(task);
        };
        let message =
            format!("{full}; a finished one is kept for {}", humantime::format_duration(self.args.task_ttl));
        Err(ToolError::new(Code::RateLimited, message).with("retry_after", 10))
    }

    /// A caller's task. Another's is told from none by nothing.
    ///
    /// # Errors
    /// Of the protocol, when there is none.
    pub(crate) fn find(&self, id: &str, caller: &Principal) -> Result<Arc<Task>, ErrorData> {
        let task = self.lock().get(id).filter(|task| task.is_of(&caller.name)).cloned();
        task.ok_or_else(|| {
            let message = format!("there is no task {} in instance {}", clip(id), self.instance);
            ErrorData::invalid_params(message, None)
        })
    }

    /// The context of a call that goes on as `task`: without the connection it came by.
    fn context(&self, task: &Arc<Task>, call: RequestContext<RoleServer>) -> RequestContext<RoleServer> {
        let mut context =
            RequestContext::new(RequestId::String(task.id.as_str().into()), self.nobody.clone());
        context.ct = task.cancelled.clone();
        context.meta = call.meta;
        context.extensions = call.extensions;
        context.extensions.insert(task.clone());
        context
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Task>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the client of a call knows tasks.
fn knows_tasks(context: &RequestContext<RoleServer>) -> bool {
    context.client_capabilities().is_some_and(|can| can.supports_tasks())
}

/// The error for a client that does not.
fn required(name: &str) -> ErrorData {
    let needed = ClientCapabilities::builder().enable_tasks().build();
    let mut error = ErrorData::missing_required_client_capability(needed);
    error.message =
        format!("{name} runs as a task only, so its client must know io.modelcontextprotocol/tasks").into();
    error
}
