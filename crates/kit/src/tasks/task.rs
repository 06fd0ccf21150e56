//! One task: what its client sees of it, what it is asked, and how it ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, DetailedTask, InputRequest, InputResponses, JsonObject, Task as Seen, TaskPayload,
    TaskStatus,
};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::dispatch::{Failure, failed};
use crate::text::clip;
use crate::{Result, ToolError};

/// How often a client should ask, in milliseconds.
const POLL_MS: u64 = 1000;

tokio::task_local! {
    static CURRENT: Arc<Task>;
}

/// Says that a change has begun which runs to its end: from now on nothing ends the task but its result.
pub(crate) fn changing() {
    // Outside of tasks there is nobody to tell.
    let _in_task = CURRENT.try_with(|task| task.changing.store(true, Ordering::Relaxed));
}

/// A task, from its begin until it is forgotten.
pub(crate) struct Task {
    pub(crate) id: String,
    owner: Arc<str>,
    began: Timestamp,
    ttl: Duration,
    pub(crate) cancelled: CancellationToken,
    changing: AtomicBool,
    progress: Mutex<Progress>,
}

struct Progress {
    updated: Timestamp,
    message: Option<String>,
    asked: usize,
    open: BTreeMap<String, (InputRequest, oneshot::Sender<Value>)>,
    end: Option<TaskPayload>,
}

impl Task {
    pub(super) fn new(id: String, owner: Arc<str>, ttl: Duration) -> Self {
        let began = Timestamp::now();
        let progress = Progress { updated: began, message: None, asked: 0, open: BTreeMap::new(), end: None };
        Self {
            id,
            owner,
            began,
            ttl,
            cancelled: CancellationToken::new(),
            changing: AtomicBool::new(false),
            progress: Mutex::new(progress),
        }
    }

    pub(super) fn is_of(&self, caller: &str) -> bool {
        *self.owner == *caller
    }

    /// Whether it is half through a change.
    pub(crate) fn is_changing(&self) -> bool {
        self.changing.load(Ordering::Relaxed)
    }

    /// Runs `work` as this task's.
    pub(super) async fn scope<T>(self: Arc<Self>, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }

    /// What `tools/call` answers.
    pub(super) fn seed(&self) -> Seen {
        self.seen(&self.lock(), TaskStatus::Working)
    }

    /// What `tasks/get` answers.
    pub(crate) fn look(&self) -> DetailedTask {
        let progress = self.lock();
        let payload = match &progress.end {
            Some(end) => end.clone(),
            None if progress.open.is_empty() => TaskPayload::Working,
            None => {
                let questions = progress.open.iter();
                let input_requests =
                    questions.map(|(key, (question, _))| (key.clone(), question.clone())).collect();
                TaskPayload::InputRequired { input_requests }
            }
        };
        DetailedTask::new(self.seen(&progress, payload.status()), payload)
    }

    fn seen(&self, progress: &Progress, status: TaskStatus) -> Seen {
        let stamp = |time: Timestamp| format!("{time:.3}");
        let mut seen = Seen::new(&*self.id, status, stamp(self.began), stamp(progress.updated));
        // It is kept that long after its end, which only moves on; the protocol counts from its begin.
        let last = if progress.end.is_some() { progress.updated } else { Timestamp::now() };
        let ran = Duration::try_from(last - self.began).unwrap_or_default();
        seen.ttl_ms = u64::try_from((ran + self.ttl).as_millis()).ok();
        seen.poll_interval_ms = Some(POLL_MS);
        seen.status_message.clone_from(&progress.message);
        seen
    }

    /// Tells how far it is.
    pub(crate) fn tell(&self, message: &str) {
        let mut progress = self.lock();
        progress.message = Some(clip(message));
        progress.updated = Timestamp::now();
    }

    /// Waits for the client's answer to a question.
    ///
    /// # Errors
    /// When the task is cancelled half through a change.
    pub(crate) async fn ask(&self, name: &str, question: InputRequest) -> Result<Value> {
        let answer = {
            let mut progress = self.lock();
            progress.asked += 1;
            // A name is not used twice, also when the same is asked again.
            let key = format!("{name}-{}", progress.asked);
            let (sender, answer) = oneshot::channel();
            // Nobody would end a question that comes after the cancellation.
            if !self.cancelled.is_cancelled() {
                progress.open.insert(key, (question, sender));
                progress.updated = Timestamp::now();
            }
            answer
        };
        match answer.await {
            Ok(answer) => Ok(answer),
            // Half through a change the tool has to see for itself how to go on; otherwise the task ends here.
            Err(_) if self.is_changing() => Err(ToolError::service("the task was cancelled")),
            Err(_) => std::future::pending().await,
        }
    }

    /// Takes answers; those to no open question are ignored, as the protocol has it.
    pub(crate) fn answer(&self, answers: InputResponses) {
        let mut progress = self.lock();
        for (key, answer) in answers {
            if let Some((_, sender)) = progress.open.remove(&key) {
                // A tool that no longer waits has ended.
                let _gone = sender.send(answer);
                progress.updated = Timestamp::now();
            }
        }
    }

    /// Asks it to stop. A change that is half done still runs to its end.
    pub(crate) fn cancel(&self) {
        self.cancelled.cancel();
        self.lock().open.clear();
    }

    pub(super) fn end(&self, result: Result<CallToolResponse, Failure>) {
        let end = match result {
            Ok(CallToolResponse::Complete(result)) => completed(&result),
            Err(Failure::Tool(error)) => match failed(&error) {
                CallToolResponse::Complete(result) => completed(&result),
                _ => failure(&ErrorData::internal_error(error.message, None)),
            },
            Err(Failure::Protocol(error)) => failure(&error),
            Err(Failure::Cancelled) => TaskPayload::Cancelled,
            Ok(_) => failure(&ErrorData::internal_error("the task ended without a result", None)),
        };
        let mut progress = self.lock();
        progress.open.clear();
        progress.updated = Timestamp::now();
        progress.end = Some(end);
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn completed<T: Serialize>(result: &T) -> TaskPayload {
    TaskPayload::Completed { result: object(result) }
}

fn failure(error: &ErrorData) -> TaskPayload {
    TaskPayload::Failed { error: object(error) }
}

fn object<T: Serialize>(value: &T) -> JsonObject {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => JsonObject::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Question;

    /// Half through a change, where the cancellation does not end the task.
    #[tokio::test]
    async fn a_question_after_the_cancellation_is_not_put() {
        let task = Task::new("1".to_owned(), "ops".into(), Duration::from_secs(60));
        task.changing.store(true, Ordering::Relaxed);
        task.cancel();
        let asked = task.ask("roots", Question::roots().request);
        let answer = tokio::time::timeout(Duration::from_secs(5), asked).await.expect("it does not wait");
        assert!(answer.is_err() && task.look().task.status == TaskStatus::Working);
    }
}
