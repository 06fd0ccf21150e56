//! From what was asked to a test that runs: checked against this Locust and the operator's limits first,
//! believed only when users were seen.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::page::{Page, State};
use super::run::Run;
use super::{Error, Inner, POLL, START_WITHIN};

/// A test as it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) users: u32,
    /// Users per second.
    pub(crate) spawn_rate: f64,
    /// `None`: until somebody stops it, or as long as the operator allows.
    pub(crate) duration: Option<Duration>,
    /// `None`: the target that Locust has.
    pub(crate) host: Option<String>,
    /// Empty: all of them.
    pub(crate) user_classes: Vec<String>,
    /// Change the test that runs instead of refusing.
    pub(crate) resize: bool,
}

/// A test that was seen to run.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) resized: bool,
    pub(crate) state: State,
    /// How long it will run from now; `None`: until somebody stops it.
    pub(crate) duration: Option<Duration>,
    /// Empty when the user classes have their own.
    pub(crate) host: String,
    pub(crate) workers: Option<u32>,
}

#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default)]
    message: String,
    #[serde(default)]
    host: Option<String>,
}

impl Inner {
    pub(super) async fn start(self: &Arc<Self>, plan: Plan) -> Result<Started, Error> {
        self.within_limits(&plan)?;
        let _changing = self.changing.lock().await;
        let page = self.settled().await?;
        let running = page.state.is_running();
        if running && !plan.resize {
            return Err(Error::Running { users: page.user_count });
        }
        fits(&plan, &page, running)?;
        let host = self.target(&plan, &page, running)?;
        let ends = self.end(&plan, running).await;
        let duration = ends.map(left);

        let form = form(&plan, host.as_deref(), ends.filter(|_| page.cancels_timers()));
        let sent: Result<Answer, Error> = self.web.json(Method::POST, "swarm", &form).await;
        let seen = match sent {
            Ok(Answer { success: false, message, .. }) => return Err(Error::Refused(kit::clip(&message))),
            Ok(answer) => self.seen_running().await.map(|page| (page, answer.host.unwrap_or_default())),
            Err(error) => Err(error),
        };
        let (seen, host) = match seen {
            Ok(seen) => seen,
            Err(error @ (Error::Login(_) | Error::Status { .. })) => return Err(error),
            Err(error) if running => return Err(error),
            Err(error) => {
                // It may run for all we know: nobody would end it.
                if let Err(error) = self.halt().await {
                    tracing::warn!("a load test that could not be confirmed may run: {error}");
                }
                return Err(error);
            }
        };
        *self.run.lock().await = Some(match ends {
            Some(ends) => Run::bounded(host.clone(), ends, self, page.cancels_timers()).await,
            None => Run::endless(host.clone()),
        });
        let workers = seen.is_distributed.then_some(seen.worker_count);
        Ok(Started { resized: running, state: seen.state, duration, host, workers })
    }

    fn within_limits(&self, plan: &Plan) -> Result<(), Error> {
        let invalid = |field, message| Err(Error::Invalid { field, message });
        if plan.users == 0 || plan.users > self.max_users {
            return invalid("users", format!("users must be between 1 and {} (--max-users)", self.max_users));
        }
        // A slower rate may take longer to start its first user than we wait for one.
        if !(0.1..=10_000.0).contains(&plan.spawn_rate) {
            return invalid("spawn_rate", "spawn_rate must be between 0.1 and 10000 users per second".into());
        }
        if let (Some(asked), Some(most)) = (plan.duration, self.max_duration)
            && asked > most
        {
            let most = most.as_secs();
            return invalid("duration", format!("duration must be at most {most} seconds (--max-duration)"));
        }
        Ok(())
    }

    /// The page, once a stop that is under way is over.
    async fn settled(&self) -> Result<Page, Error> {
        let give_up = Instant::now() + START_WITHIN;
        loop {
            let page = self.page().await?;
            if page.state.is_idle() || page.state.is_running() {
                return Ok(page);
            }
            if Instant::now() > give_up {
                return Err(Error::StillStopping { users: page.user_count });
            }
            sleep(POLL).await;
        }
    }

    /// The target to send along: always one where the operator limits them, because Locust remembers the last
    /// one, and user classes may have others of their own.
    fn target(&self, plan: &Plan, page: &Page, running: bool) -> Result<Option<String>, Error> {
        match &plan.host {
            Some(_) if running => Err(Error::Invalid {
                field: "host",
                message: "the host of a running test cannot be changed: stop it first".into(),
            }),
            Some(host) => self.targets.check(host).map(Some),
            None if self.targets.is_limited() && page.host.is_empty() => Err(Error::Invalid {
                field: "host",
                message:
                    "locust has no single default host to compare with --allow-target-hosts: name a host"
                        .into(),
            }),
            None if self.targets.is_limited() => self.targets.check(&page.host).map(Some),
            None => Ok(None),
        }
    }

    /// When the test is to end. A resize that names no duration keeps the end that was promised.
    async fn end(&self, plan: &Plan, running: bool) -> Option<Instant> {
        let promised = self.run.lock().await.as_ref().and_then(|run| run.ends).filter(|_| running);
        match plan.duration {
            Some(duration) => Some(Instant::now() + duration),
            None => promised.or_else(|| self.max_duration.map(|most| Instant::now() + most)),
        }
    }

    /// The page, once users run.
    async fn seen_running(&self) -> Result<Page, Error> {
        let asked = Instant::now();
        loop {
            let page = self.page().await?;
            if page.state.is_running() && page.user_count > 0 {
                self.figures_follow().await?;
                return Ok(page);
            }
            let (patience, hint) = match page.missing_host_warning {
                true => (Duration::from_secs(3), ": it has no default host, so pass host"),
                false => (START_WITHIN, ": look at the log of locust"),
            };
            if asked.elapsed() > patience {
                return Err(Error::NotStarted { state: page.state.0, hint });
            }
            sleep(POLL).await;
        }
    }

    /// Waits until Locust's cached figures are of this test, so that who asks next is not told of the last one.
    /// A test shorter than the cache may be over by then.
    async fn figures_follow(&self) -> Result<(), Error> {
        let asked = Instant::now();
        while !self.stats().await?.state.is_running() && asked.elapsed() < Duration::from_millis(2500) {
            sleep(POLL).await;
        }
        Ok(())
    }
}

/// What this Locust could not do, or would ignore without a word.
fn fits(plan: &Plan, page: &Page, running: bool) -> Result<(), Error> {
    let invalid = |field, message| Err(Error::Invalid { field, message });
    if page.is_distributed && page.worker_count == 0 {
        return Err(Error::NoWorkers);
    }
    if page.has_shape() {
        return Err(Error::Refused(
            "its locustfile has a load shape, which alone decides users, spawn rate and duration".into(),
        ));
    }
    if plan.user_classes.is_empty() {
        return Ok(());
    }
    if running {
        return invalid("user_classes", "the user classes of a running test cannot be changed".into());
    }
    if !page.show_userclass_picker {
        return invalid(
            "user_classes",
            "this locust ignores user_classes: start it with --class-picker".into(),
        );
    }
    let known = page.available_user_classes.as_deref().unwrap_or_default();
    match plan.user_classes.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let known = known.iter().take(50).map(|name| kit::clip(name)).collect::<Vec<_>>().join(", ");
            invalid("user_classes", format!("locust has no user class {}; it has {known}", kit::clip(name)))
        }
    }
}

fn form<'a>(plan: &Plan, host: Option<&str>, ends: Option<Instant>) -> Vec<(&'a str, String)> {
    let mut form = vec![("user_count", plan.users.to_string()), ("spawn_rate", plan.spawn_rate.to_string())];
    form.extend(host.map(|host| ("host", host.to_owned())));
    form.extend(ends.map(|ends| ("run_time", left(ends).as_secs().to_string())));
    form.extend(plan.user_classes.iter().map(|name| ("user_classes", name.clone())));
    form
}

/// Whole seconds until then, at least one.
fn left(ends: Instant) -> Duration {
    Duration::from_secs((ends - Instant::now()).as_secs_f64().ceil().max(1.0) as u64)
}
