//! The two ends of a replacement: the new container stays, or everything is as before. Each starts from what
//! the engine shows, not from what was done, so that it may be cut off anywhere and run again.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::changes::{self, Changes};
use super::journal::Journal;
use super::trial;
use crate::docker::Docker;
use crate::docker::container::Container;
use crate::error::{Error, Result};
use crate::names;

/// Margin for a stop that a dead server had begun: the engine ends it some time after we look.
const AFTERMATH: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(250);
const TRIES: u32 = 4;

/// The old container, when it had to be kept.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Its name now.
    pub name: String,
    /// What it has that the new one has not.
    pub changes: Changes,
}

/// In what state the old container is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// As it was: stopped.
    Stopped,
    /// As it was: running.
    Running,
    /// It was started again and ended by itself, which nobody but its owner can mend.
    Ended,
}

/// How a replacement that a crash cut off has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The new container has taken the place of the old one.
    Finished,
    /// The old container is back.
    Undone,
}

/// The policy of a container that must stay as it is, whatever the engine goes through.
pub(crate) fn no_restart() -> Value {
    json!({"Name": "no", "MaximumRetryCount": 0})
}

/// Makes the new container the one. Naming the old one as replaced is the moment from which it is.
pub(crate) async fn finish(docker: &Docker, journal: &Journal, now: i64) -> Result<Option<Kept>> {
    // Somebody who removed the old one meanwhile wants the new one.
    let Some(old) = docker.find(&journal.old).await? else { return Ok(None) };
    let changes = changes::of(&old, &docker.changes(&journal.old).await?);
    let name = names::replaced(&journal.name, &journal.old, now);
    docker.rename(&journal.old, &name).await?;
    if changes.total > 0 {
        return Ok(Some(Kept { name, changes }));
    }
    if let Err(error) = docker.remove(&journal.old, false).await {
        warn!(container = name, "the replaced container could not be removed and is kept: {error}");
        return Ok(Some(Kept { name, changes }));
    }
    Ok(None)
}

/// Brings the old container back: its name, its restart policy, and running if it ran. The new one goes last,
/// because the journal is on it.
pub(crate) async fn undo(docker: &Docker, journal: &Journal) -> Result<Back> {
    let mut tries = 1;
    loop {
        match undo_once(docker, journal).await {
            // A container in the middle of something makes the engine refuse what it takes a moment later.
            Err(Error::Refused { .. }) if tries < TRIES => tries += 1,
            other => return other,
        }
        sleep(PAUSE * tries).await;
    }
}

async fn undo_once(docker: &Docker, journal: &Journal) -> Result<Back> {
    // Without an old one there is nothing to go back to, and the new one must not be touched.
    docker.inspect(&journal.old).await?;
    quiet(docker, &journal.new).await?;
    if let Some(new) = docker.find(&journal.new).await?
        && new.name() != journal.next_name()
    {
        docker.rename(&journal.new, &journal.next_name()).await?;
    }
    // Renaming waits for a start that was still under way in the engine.
    quiet(docker, &journal.new).await?;
    let old = docker.inspect(&journal.old).await?;
    if old.name() != journal.name {
        docker.rename(&journal.old, &journal.name).await?;
    }
    set_policy(docker, &old, &journal.policy).await?;
    let back = if journal.ran { start_again(docker, &old).await? } else { Back::Stopped };
    docker.remove(&journal.new, true).await?;
    Ok(back)
}

/// Stops the new container and keeps it stopped.
async fn quiet(docker: &Docker, id: &str) -> Result<()> {
    let Some(new) = docker.find(id).await? else { return Ok(()) };
    if new.running() {
        set_policy(docker, &new, &no_restart()).await?;
        docker.stop(&new).await?;
    }
    Ok(())
}

/// Ends a replacement that a crash cut off: a new container that runs in its place gets its trial, everything
/// else is undone.
pub(crate) async fn settle(docker: &Docker, journal: &Journal, timeout: Duration, now: i64) -> Result<End> {
    let new = docker.inspect(&journal.new).await?;
    let old = docker.inspect(&journal.old).await?;
    let on_trial = new.name() == journal.name && old.name() == journal.old_name() && new.running();
    if on_trial {
        match trial::until_up(docker, &journal.new, timeout).await {
            Ok(_) => return finish(docker, journal, now).await.map(|_| End::Finished),
            Err(Error::NotUp { reason, .. }) => {
                warn!(container = journal.name, "the new container did not come up: {reason}");
            }
            Err(error) => return Err(error),
        }
    } else if journal.ran && old.running() {
        outlast_a_stop(docker, &old).await?;
    }
    if undo(docker, journal).await? == Back::Ended {
        warn!(container = journal.name, "the old container is back, but ended when it was started");
    }
    Ok(End::Undone)
}

/// Sets a restart policy unless it is set.
pub(crate) async fn set_policy(docker: &Docker, container: &Container, policy: &Value) -> Result<()> {
    let name = |policy: &Value| {
        Some(policy["Name"].as_str().unwrap_or_default().to_owned()).filter(|it| !it.is_empty())
    };
    let same = container.restart_policy() == *policy
        || (name(policy).is_none_or(|it| it == "no")
            && name(&container.restart_policy()).is_none_or(|it| it == "no"));
    if same { Ok(()) } else { docker.set_restart_policy(container.id(), policy).await }
}

/// The server may have died right after it had asked for a stop, which the engine carries out all the same.
async fn outlast_a_stop(docker: &Docker, old: &Container) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < old.stop_timeout() + AFTERMATH && docker.inspect(old.id()).await?.running() {
        sleep(PAUSE).await;
    }
    Ok(())
}

async fn start_again(docker: &Docker, before: &Container) -> Result<Back> {
    docker.start(before.id()).await?;
    let after = docker.inspect(before.id()).await?;
    match after.running() {
        true => Ok(Back::Running),
        false if after.started_at() != before.started_at() => Ok(Back::Ended),
        // A stop that was still under way when it was started took it down.
        false => {
            let reason = format!("started again, the old container is {}", after.status());
            Err(Error::NotUp { name: before.name().to_owned(), reason })
        }
    }
}
