//! Replacing a container by one with another environment, so that whatever dies on the way, the engine holds
//! enough to finish or undo it.
//!
//! A is the old container, named `web`; B is the new one. Every step is one call of the engine, and the two
//! names tell how far it got:
//!
//! | step | A | B | cut off here |
//! |---|---|---|---|
//! | create B, connect its networks | `web`, running | `web-gantry-next-A`, created | undone |
//! | stop A, take its restart policy | `web`, stopped | | undone |
//! | rename A | `web-gantry-old-A` | | undone |
//! | rename B | | `web`, created | undone |
//! | start B, wait until it is up | | `web`, running | finished, or undone if it does not come up |
//! | rename A | `web-gantry-replaced-A-TIME` | | finished: this is the commit |
//! | remove A, unless its writable layer has changes | gone | `web` | |
//!
//! Undoing goes the other way: B is renamed and stopped, A gets its name, restart policy and state back, and
//! B is removed last, because its labels are the journal (`replace/journal.rs`): B is created before A is
//! touched, so there is no moment without one. B takes neither ports nor addresses until it is started. A
//! name of ours holds the id of the container it stands for, so nobody else's is ever taken for one.
//!
//! Whose it is to undo: the lock of the name (`lock.rs`) is free when its holder is dead, and holds A's id. A
//! replacement that is not noted there is another server's, or the state folder is lost; it is left alone
//! until the time on its label has passed, by which its server would have ended it.

pub(crate) mod changes;
mod copy;
pub(crate) mod env;
pub(crate) mod journal;
mod recover;
mod refuse;
pub(crate) mod settle;
pub(crate) mod trial;

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use kit::Kit;
use serde_json::{Value, json};
use tracing::warn;

use self::copy::{Context, Copy};
use self::env::Edit;
use self::journal::Journal;
use self::settle::Kept;
use crate::docker::Docker;
use crate::docker::container::Container;
use crate::error::{Error, Result};
use crate::lock::{Lock, Locks};
use crate::names;
use crate::own::Own;
use crate::resolve::{COMPOSE_SERVICE, resolve};

/// Containers that are inspected at once when looking for those that hang on another.
const AT_ONCE: usize = 8;
/// A name may change hands while its lock is waited for, but not endlessly.
const TRIES: usize = 5;

/// Replaces containers, one change per container at a time.
#[derive(Clone)]
pub(crate) struct Replacer {
    pub docker: Docker,
    pub locks: Locks,
    pub own: Own,
    pub health_timeout: Duration,
    pub keep_replaced: Duration,
    pub kit: Kit,
}

/// What a change of the environment came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The container's name.
    pub name: String,
    /// The id it has now.
    pub id: String,
    /// The id it had before, when it was replaced.
    pub replaced: Option<String>,
    /// Whether the variable was there before.
    pub existed: bool,
    /// How it is known that the container is up; `None` when it was stopped and stays so.
    pub up: Option<&'static str>,
    /// The old container, when it had to be kept.
    pub kept: Option<Kept>,
    /// Its compose service.
    pub compose: Option<String>,
    /// What else the caller should know.
    pub notes: Vec<String>,
}

/// All that is known before the first container is touched.
struct Plan {
    old: Container,
    journal: Journal,
    copy: Copy,
    secret: String,
}

impl Replacer {
    /// Locks the container that `service` means, ends what a crash left of it, and looks at it.
    pub(crate) async fn hold(&self, service: &str) -> kit::Result<(Lock, Container)> {
        for _ in 0..TRIES {
            let name = self.stands_for(service).await?;
            let mut lock = self.locks.acquire(&name).await?;
            let containers = self.docker.list().await?;
            for journal in journal::unfinished(&containers).into_iter().filter(|it| it.name == name) {
                if !recover::is_ours(&journal, &lock, jiff::Timestamp::now().as_second()) {
                    return Err(Error::Busy(name).into());
                }
                lock = self.settle(journal, lock).await?;
            }
            let containers = self.docker.list().await?;
            let found = resolve(&containers, service)?;
            if names::parse(names::of(found), names::id(found)).0 == name {
                return Ok((lock, self.docker.inspect(names::id(found)).await?));
            }
        }
        Err(Error::Busy(kit::clip(service)).into())
    }

    async fn stands_for(&self, service: &str) -> Result<String> {
        let containers = self.docker.list().await?;
        let found = resolve(&containers, service)?;
        self.not_own(names::id(found), names::of(found))?;
        Ok(names::parse(names::of(found), names::id(found)).0.to_owned())
    }

    fn not_own(&self, id: &str, name: &str) -> Result<()> {
        if self.own.is(id) { Err(Error::Own(name.to_owned())) } else { Ok(()) }
    }

    /// Sets one environment variable of the container that `service` means.
    pub(crate) async fn update_env(&self, service: &str, key: &str, value: &str) -> kit::Result<Outcome> {
        env::check(key, value)?;
        let (mut lock, old) = self.hold(service).await?;
        refuse::unfit(&old)?;
        let edit = env::set(old.list("/Config/Env"), key, value);
        if !edit.changed {
            return Ok(unchanged(&old));
        }
        let existed = edit.existed;
        let (plan, notes) = self.plan(old, edit, value).await?;
        lock.note(&plan.journal.old)?;
        let this = self.clone();
        let change = async move {
            let outcome = this.carry_out(plan, existed, notes).await;
            drop(lock);
            outcome.map_err(Into::into)
        };
        self.kit.run_to_end(format!("docker_update_env {}", kit::clip(service)), change).await
    }

    async fn plan(&self, old: Container, edit: Edit, secret: &str) -> Result<(Plan, Vec<String>)> {
        refuse::needed_by(&old, &self.others(old.id()).await?)?;
        let mut notes = Vec::new();
        let (reference, id) = (old.text("/Config/Image"), old.text("/Image"));
        let named = self.docker.image(reference).await?.filter(|image| image["Id"] == id);
        let image = match &named {
            Some(_) => reference,
            None => {
                notes.push(format!("the image name {reference} means another image by now; the container keeps its own, by id"));
                id
            }
        };
        let image_config = match named {
            Some(image) => image,
            None => self.docker.image(id).await?.ok_or_else(|| gone_image(&old))?,
        };
        let many_networks = speaks(&self.docker.engine().version().await?, (1, 44));
        let journal = Journal::new(&old, jiff::Timestamp::now().as_second(), self.health_timeout);
        let context = Context { env: edit.env, image, image_config: &image_config, many_networks };
        let copy = copy::of(&old, &journal, context);
        Ok((Plan { copy, journal, old, secret: secret.to_owned() }, notes))
    }

    async fn others(&self, id: &str) -> Result<Vec<Container>> {
        let containers = self.docker.list().await?;
        let ids = containers.iter().map(names::id).filter(|other| *other != id).map(str::to_owned);
        let found = stream::iter(ids.collect::<Vec<_>>())
            .map(|id| async move { self.docker.find(&id).await })
            .buffer_unordered(AT_ONCE);
        found.try_filter_map(async |container| Ok(container)).try_collect().await
    }

    /// From the first call that changes anything to the end or the way back.
    async fn carry_out(&self, mut plan: Plan, existed: bool, mut notes: Vec<String>) -> Result<Outcome> {
        let (body, platform) = (&plan.copy.body, plan.copy.platform.as_deref());
        let created = self.docker.create(&plan.journal.next_name(), platform, body).await;
        plan.journal.new = created.map_err(|error| error.without(&plan.secret))?;
        let now = jiff::Timestamp::now().as_second();
        let done = match self.exchange(&plan).await {
            Ok(up) => settle::finish(&self.docker, &plan.journal, now).await.map(|kept| (up, kept)),
            Err(error) => Err(error),
        };
        let (up, kept) = match done {
            Ok(done) => done,
            Err(error) => return Err(self.back_out(&plan, error).await),
        };
        notes.extend(moved_ports(&plan.old, &self.docker.inspect(&plan.journal.new).await?));
        Ok(Outcome {
            name: plan.journal.name,
            id: plan.journal.new,
            replaced: Some(plan.journal.old),
            existed,
            up,
            kept,
            compose: plan.old.label(COMPOSE_SERVICE).map(str::to_owned),
            notes,
        })
    }

    async fn exchange(&self, plan: &Plan) -> Result<Option<&'static str>> {
        let (docker, Journal { old, new, name, .. }) = (&self.docker, &plan.journal);
        for network in self.docker.inspect(new).await?.networks().keys() {
            if !plan.old.networks().contains_key(network) {
                docker.disconnect(network, new).await?;
            }
        }
        for (network, endpoint) in &plan.copy.later {
            docker.connect(network, new, endpoint).await?;
        }
        if plan.journal.ran {
            docker.stop(&plan.old).await?;
        }
        settle::set_policy(docker, &plan.old, &settle::no_restart()).await?;
        docker.rename(old, &plan.journal.old_name()).await?;
        docker.rename(new, name).await?;
        if !plan.journal.ran {
            return Ok(None);
        }
        docker.start(new).await?;
        trial::until_up(docker, new, self.health_timeout).await.map(Some)
    }

    async fn back_out(&self, plan: &Plan, error: Error) -> Error {
        let logs = match &error {
            Error::NotUp { .. } => trial::last_words(&self.docker, &plan.journal.new, &plan.secret).await,
            _ => Vec::new(),
        };
        let name = plan.journal.name.clone();
        let reason = match error {
            Error::NotUp { reason, .. } => reason,
            other => other.without(&plan.secret).to_string(),
        };
        warn!(container = name, "the change failed and is undone: {reason}");
        match settle::undo(&self.docker, &plan.journal).await {
            Ok(back) => Error::RolledBack { name, reason, back, logs },
            Err(trouble) => Error::Unsettled { name, reason, trouble: trouble.to_string() },
        }
    }
}

fn unchanged(old: &Container) -> Outcome {
    Outcome {
        name: old.name().to_owned(),
        id: old.id().to_owned(),
        replaced: None,
        existed: true,
        up: None,
        kept: None,
        compose: old.label(COMPOSE_SERVICE).map(str::to_owned),
        notes: Vec::new(),
    }
}

fn gone_image(old: &Container) -> Error {
    let reason = "its image is gone, so no other container can be made from it".to_owned();
    Error::NotReplaceable { name: old.name().to_owned(), reason, blockers: Vec::new() }
}

/// Host ports that the engine picks are picked anew at every start; callers want to know them.
fn moved_ports(old: &Container, new: &Container) -> Option<String> {
    let ports =
        |container: &Container| container.0.pointer("/NetworkSettings/Ports").cloned().unwrap_or(json!({}));
    let (before, after) = (ports(old), ports(new));
    let host_port = |ports: &Value, port: &str| ports[port][0]["HostPort"].as_str().map(str::to_owned);
    let moved = after.as_object()?.keys().filter_map(|port| {
        let (before, after) = (host_port(&before, port)?, host_port(&after, port)?);
        (before != after).then(|| format!("{port} was published on {before} and is now on {after}"))
    });
    let moved: Vec<String> = moved.collect();
    (!moved.is_empty()).then(|| moved.join("; "))
}

fn speaks(version: &str, least: (u16, u16)) -> bool {
    let parsed =
        version.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.is_some_and(|version: (u16, u16)| version >= least)
}
