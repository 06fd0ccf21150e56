//! What a server is: the whole contract between a server's crate and the chassis.

#![expect(deprecated, reason = "clients of 2025 still set a log level")]

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::LoggingLevel;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{Principal, UpstreamAuth};
use crate::changes::{Changes, List};
use crate::health::Check;
use crate::http::{self, Authorities};
use crate::methods::Method;
use crate::tasks::{self, AsTask};
use crate::{Result, ToolError, telemetry};

/// One server. The tools are the chassis' to list and call; prompts, resources and completions, where a
/// server has them, are the methods of its [`ServerHandler`], and its `get_info` declares them.
pub trait Service: ServerHandler + Sized {
    /// The token that is folder, route, chart and `service.name`; the program is `gantry-SLUG`.
    const SLUG: &'static str;
    /// The port it listens on by default.
    const PORT: u16;
    /// What it is for, in a sentence or two: for `--help` and for the model.
    const ABOUT: &'static str;
    /// With whose credential its tools can go to the upstream ([`crate::Call::upstream`]); `--auth upstream` makes
    /// sense where the caller's is among them.
    const UPSTREAM_AUTH: &'static [UpstreamAuth] = &[UpstreamAuth::Own];

    /// The tools that may run as tasks, for clients that know tasks.
    const TASKS: &'static [(&'static str, AsTask)] = &[];

    /// Its own settings.
    type Args: clap::Args + Send;

    /// Makes the server from its settings, and changes nothing in the world: it is also asked for by `check`. A missing
    /// upstream is no error here: tools and checks tell it.
    fn connect(args: Self::Args, kit: Kit) -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// Its tools under these settings, a router a file, each made when it is asked for: what is kept of one is smaller
    /// than it. Adding routers up would let one tool silently take another's name.
    fn tools(args: &Self::Args) -> impl Iterator<Item = ToolRouter<Self>>;

    /// Names that only REST and old clients know; not listed over MCP.
    fn aliases(_args: &Self::Args) -> Aliases<Self> {
        Aliases { router: ToolRouter::new(), of: vec![] }
    }

    /// What its tools with an argument `method` do, each method a thing of its own to the policy; and the further names
    /// of tools, so that whatever the operator says of one holds for all.
    fn methods(_args: &Self::Args) -> Vec<Method> {
        vec![]
    }

    /// A setting of its own that does what `--read-only` does, if it is on.
    fn read_only(_args: &Self::Args) -> Option<&'static str> {
        None
    }

    /// Whether this caller may watch this resource: that there is one, and that it may be read by the caller.
    fn may_watch(&self, _caller: &Principal, _uri: &str) -> bool {
        true
    }

    /// What it depends on.
    fn checks(&self) -> Vec<Check<'_>> {
        vec![]
    }
}

/// Tools under older names.
pub struct Aliases<S> {
    /// The tools.
    pub router: ToolRouter<S>,
    /// Pairs of an alias and the tool it stands for: whatever the operator says of the tool holds for both.
    pub of: Vec<(&'static str, &'static str)>,
}

/// What the chassis lends to a server.
#[derive(Debug, Clone)]
pub struct Kit {
    pub(crate) max_output_bytes: usize,
    pub(crate) read_only: bool,
    pub(crate) changes: TaskTracker,
    pub(crate) news: Arc<Changes>,
    pub(crate) authorities: Authorities,
    pub(crate) open: CancellationToken,
    pub(crate) stopping: CancellationToken,
}

impl Kit {
    /// The largest result, in bytes of JSON.
    pub fn max_output_bytes(&self) -> usize {
        self.max_output_bytes
    }

    /// How much of a result one [`crate::Text`] may take; the rest is room for the other fields.
    pub fn text_limit(&self) -> usize {
        self.max_output_bytes - self.max_output_bytes / 8
    }

    /// Whether the operator lets nothing be changed; such tools are closed, and a client may see to it too.
    pub fn read_only(&self) -> bool {
        self.read_only
    }

    /// A client for one upstream, named as `upstream` in errors (say which setting leads there). It honours
    /// `HTTPS_PROXY`, `NO_PROXY` and `--ca-file`, follows no redirect and gives up after `timeout`.
    pub fn http(&self, upstream: impl Into<String>, timeout: Duration) -> http::Client {
        http::Client::new(upstream, timeout, &self.authorities)
    }

    /// Runs this beside the calls from when the server is open; a program that is only asked about itself never is.
    pub fn once_open(&self, work: impl Future<Output = ()> + Send + 'static) {
        let open = self.open.clone();
        tokio::spawn(async move {
            open.cancelled().await;
            work.await;
        });
    }

    /// Cancelled when the program winds up, once the calls in flight have ended: the time for what runs beside
    /// calls to reach its end.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Tells whoever watches this resource that it has changed.
    pub fn resource_updated(&self, uri: &str) {
        self.news.updated(uri);
    }

    /// Tells whoever wants to know that a list has changed; the server declares that in its `get_info`.
    pub fn list_changed(&self, list: List) {
        self.news.list_changed(list);
    }

    /// The least severe log messages that the client of a request wants; `None` when it wants none.
    pub fn log_level(&self, context: &RequestContext<RoleServer>) -> Option<LoggingLevel> {
        context.meta.log_level().or_else(|| self.news.level(&context.peer))
    }

    /// Runs a change that must not stop half-way: it outlives the request, the deadline and the patience of a
    /// shutdown. When nobody waits any more, the log tells how it ended.
    ///
    /// # Errors
    /// Those of `change`; `INTERNAL_ERROR` when it panicked.
    pub async fn run_to_end<T: Send + 'static>(
        &self,
        what: impl Into<String>,
        change: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let what = what.into();
        tasks::changing();
        let (sender, receiver) = oneshot::channel();
        self.changes.spawn(telemetry::carry(async move {
            let result = AssertUnwindSafe(change)
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(ToolError::internal(format!("{what} panicked"))));
            match sender.send(result) {
                Ok(()) => {}
                // The call's own line could only say that nobody waited.
                Err(Ok(_)) => {
                    tracing::info!(target: "audit", change = what, outcome = "ok", "change ended well after its caller had left");
                }
                Err(Err(error)) => tracing::error!(
                    target: "audit",
                    change = what,
                    outcome = error.code.as_str(),
                    source = error.source_chain(),
                    "change failed after its caller had left: {error}"
                ),
            }
        }));
        receiver.await.unwrap_or_else(|_| Err(ToolError::internal("the change was lost")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::lines::tests::objects;
    use crate::telemetry::Scope;

    #[test]
    fn a_change_without_its_caller_is_still_logged_as_the_callers() {
        let kit = Kit {
            read_only: false,
            max_output_bytes: 1,
            changes: TaskTracker::new(),
            authorities: Authorities::default(),
            open: CancellationToken::new(),
            news: Arc::new(Changes::new(1)),
            stopping: CancellationToken::new(),
        };
        let scope =
            Scope::of_test("restart", "ann", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let (go, gone) = oneshot::channel::<()>();
        let work = async {
            let change = async {
                let _ = gone.await;
                tracing::info!("half way");
                Err::<(), _>(ToolError::service("the engine is down"))
            };
            let mut call = Box::pin(scope.run(kit.run_to_end("web", change)));
            assert!(futures::poll!(&mut call).is_pending());
            drop(call);
            drop(go);
            kit.changes.close();
            kit.changes.wait().await;
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let lines = objects(|| runtime.block_on(work));
        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in &lines {
            assert_eq!((&line["tool"], &line["principal"]), (&"restart".into(), &"ann".into()), "{line}");
            assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736", "{line}");
        }
        assert!(lines[1]["message"].as_str().expect("text").starts_with("change failed"), "{lines:?}");
    }
}
