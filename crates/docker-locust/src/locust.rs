//! The client for Locust's web interface. A test counts as started or stopped when Locust was seen in that
//! state: its own answer says "started" of tests that never run.

mod args;
mod error;
mod login;
mod page;
mod plan;
mod run;
mod stats;
mod targets;
mod web;

use std::sync::Arc;
use std::time::Duration;

use kit::Kit;
use reqwest::Method;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

pub use args::LocustArgs;
pub(crate) use error::Error;
pub(crate) use plan::{Plan, Started};
pub(crate) use stats::{Failure, Row, Stats, Worker};

use page::Page;
use run::Run;
use targets::Targets;
use web::Web;

/// Between two looks at a state that is about to change.
const POLL: Duration = Duration::from_millis(200);
/// How long a test may take to start its first user, and a stop to let the last one go.
const START_WITHIN: Duration = Duration::from_secs(10);
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// Locust, as far as it is configured.
#[derive(Clone)]
pub(crate) struct Locust {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    web: Web,
    targets: Targets,
    max_users: u32,
    max_duration: Option<Duration>,
    kit: Kit,
    /// Held while a test is started, resized or stopped: one change at a time.
    changing: Mutex<()>,
    run: Mutex<Option<Run>>,
}

/// A test that was stopped, or was not there.
pub(crate) struct Stopped {
    pub(crate) was_running: bool,
    pub(crate) stats: Stats,
}

/// The figures, and what only this server knows.
pub(crate) struct Report {
    pub(crate) stats: Stats,
    /// Of the test that this server started.
    pub(crate) host: Option<String>,
    /// Until this server stops the test.
    pub(crate) remaining: Option<Duration>,
}

impl Locust {
    /// Does no I/O: Locust may come and go while this server runs.
    pub(crate) fn new(args: LocustArgs, kit: Kit) -> anyhow::Result<Self> {
        let Some(url) = args.url()? else { return Ok(Self { inner: None }) };
        let inner = Inner {
            web: Web::new(url, &args, &kit),
            targets: Targets::new(&args.allow_target_hosts)?,
            max_users: args.max_users,
            max_duration: args.max_duration,
            kit,
            changing: Mutex::new(()),
            run: Mutex::new(None),
        };
        Ok(Self { inner: Some(Arc::new(inner)) })
    }

    /// Starts a test, or resizes the one that runs. It goes on to its end when the caller leaves.
    pub(crate) async fn start(&self, plan: Plan) -> kit::Result<Started> {
        let inner = self.inner()?.clone();
        let kit = inner.kit.clone();
        kit.run_to_end("start of a load test", async move { Ok(inner.start(plan).await?) }).await
    }

    /// Stops the test that runs, whoever started it.
    pub(crate) async fn stop(&self) -> kit::Result<Stopped> {
        let inner = self.inner()?.clone();
        let kit = inner.kit.clone();
        kit.run_to_end("stop of a load test", async move { Ok(inner.stop().await?) }).await
    }

    /// The figures of the test that runs or ran last.
    pub(crate) async fn report(&self) -> Result<Report, Error> {
        let inner = self.inner()?;
        let stats = inner.stats().await?;
        let run = inner.run.lock().await;
        let ours = run.as_ref().filter(|_| stats.state.is_running());
        let host = ours.map(|run| run.host.clone()).filter(|host| !host.is_empty());
        let remaining = ours.and_then(|run| run.ends).map(|ends| ends - Instant::now());
        Ok(Report { host, remaining, stats })
    }

    /// In what state Locust is, for health checks.
    pub(crate) async fn check(&self) -> Result<String, Error> {
        let stats = self.inner()?.stats().await?;
        Ok(format!("{} with {} users", kit::clip(&stats.state.0), stats.user_count))
    }

    fn inner(&self) -> Result<&Arc<Inner>, Error> {
        self.inner.as_ref().ok_or(Error::NotConfigured)
    }
}

impl Inner {
    async fn page(&self) -> Result<Page, Error> {
        let html = self.web.text(Method::GET, "", &[]).await?;
        Page::parse(&html)
            .ok_or_else(|| self.web.not_locust("its front page is not that of locust 2.21 or newer"))
    }

    async fn stats(&self) -> Result<Stats, Error> {
        self.web.json(Method::GET, "stats/requests", &[]).await
    }

    async fn stop(&self) -> Result<Stopped, Error> {
        let _changing = self.changing.lock().await;
        let was_running = !self.page().await?.state.is_idle();
        if was_running {
            self.halt().await?;
        }
        *self.run.lock().await = None;
        Ok(Stopped { was_running, stats: self.final_stats().await? })
    }

    /// Stops whatever runs, and waits until it has.
    async fn halt(&self) -> Result<(), Error> {
        match self.web.text(Method::POST, "stop", &[]).await {
            // Until 2.46 the route takes GET only, since then POST only.
            Err(Error::Status { status, .. }) if status == http::StatusCode::METHOD_NOT_ALLOWED => {
                self.web.text(Method::GET, "stop", &[]).await?;
            }
            answer => {
                answer?;
            }
        }
        let give_up = Instant::now() + STOP_WITHIN;
        loop {
            let page = self.page().await?;
            if page.state.is_idle() {
                return Ok(());
            }
            if Instant::now() > give_up {
                return Err(Error::StillStopping { users: page.user_count });
            }
            sleep(POLL).await;
        }
    }

    /// The figures after a stop: those that Locust keeps may be from before it.
    async fn final_stats(&self) -> Result<Stats, Error> {
        let give_up = Instant::now() + Duration::from_secs(5);
        loop {
            let stats = self.stats().await?;
            if stats.state.is_idle() || Instant::now() > give_up {
                return Ok(stats);
            }
            sleep(POLL).await;
        }
    }
}
