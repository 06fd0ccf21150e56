//! One call as a stream: progress as it comes, then the result. Dropping the stream drops the call.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use http::request::Parts;
use proto::gantry::tool::v1::call_tool_response::Message;
use proto::gantry::tool::v1::{CallToolResponse, Progress};
use rmcp::model::{CallToolRequestParams, NumberOrString, RequestMetaObject};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tracing::Instrument;

use super::message;
use crate::ToolError;
use crate::app::App;
use crate::doors::outcome::outcome;
use crate::service::Service;

/// How many messages a call may be ahead of its client.
const AHEAD: usize = 16;

type Item = Result<CallToolResponse, Status>;

/// Where a call tells its stream how far it is.
#[derive(Clone)]
pub(crate) struct Reports(mpsc::Sender<Item>);

impl Reports {
    /// Waits while the client is behind; its patience ends that.
    pub(crate) async fn progress(&self, progress: f64, total: Option<f64>, message: &str) {
        let progress = Progress { progress, total, message: message.to_owned() };
        // A client that no longer listens has ended its call.
        let _gone = self.0.send(Ok(said(Message::Progress(progress)))).await;
    }
}

/// Calls a tool, in a task of its own: a client that does not read must not hold up the call's deadline.
///
/// # Errors
/// Those of a call that fails before it says anything, so that they need no stream.
pub(super) async fn call<S: Service>(
    app: Arc<App<S>>,
    params: CallToolRequestParams,
    mut parts: Parts,
) -> Result<BoxStream<'static, Item>, Status> {
    let (sender, messages) = mpsc::channel(AHEAD);
    parts.extensions.insert(Reports(sender.clone()));
    let work = async move {
        let id = NumberOrString::Number(1);
        let called = app.direct.call(id, RequestMetaObject::default(), params, parts).await;
        let result = outcome(called).and_then(message::result);
        let last = result.map(|result| said(Message::Result(result))).map_err(|error| Status::from(&error));
        let _gone = sender.send(last).await;
    };
    let task = AbortOnDropHandle::new(tokio::spawn(work.in_current_span()));
    let mut rest = stream::unfold(Some((messages, task)), next).boxed();
    let first = rest.next().await.transpose()?;
    Ok(stream::iter(first.map(Ok)).chain(rest).boxed())
}

type Open = (mpsc::Receiver<Item>, AbortOnDropHandle<()>);

/// The result or an error is the last message, also when something the tool left behind could still report.
async fn next(open: Option<Open>) -> Option<(Item, Option<Open>)> {
    let (mut messages, task) = open?;
    match messages.recv().await {
        Some(Ok(response)) if !matches!(response.message, Some(Message::Result(_))) => {
            Some((Ok(response), Some((messages, task))))
        }
        Some(last) => Some((last, None)),
        None => {
            let error = ToolError::internal("the call ended without a result; this is a bug");
            Some((Err(Status::from(&error)), None))
        }
    }
}

fn said(message: Message) -> CallToolResponse {
    CallToolResponse { message: Some(message) }
}
