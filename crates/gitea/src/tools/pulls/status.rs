//! What the checks of a pull request's head say, and waiting for them to end.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::Which;
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::model::name::Repo;
use crate::model::pull::{Combined, Pull};

/// Clients give up on calls that take a minute.
const MOST_SECONDS: u64 = 45;
const PAUSE: Duration = Duration::from_secs(2);
/// So long the first check of a commit may take to appear.
const FIRST_CHECK: Duration = Duration::from_secs(5);
const PER_PAGE: usize = 50;

/// Whether to wait.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Wait {
    /// get_status: wait for checks to end, at most 45
    wait_seconds: Option<u64>,
}

/// The checks, as they were last.
#[derive(Serialize)]
pub(super) struct Status {
    #[serde(flatten)]
    combined: Combined,
    /// Some have not ended.
    pending: bool,
    waited_seconds: Option<u64>,
}

pub(super) async fn get_status(forge: Forge, repo: Repo, which: Which, wait: Wait) -> Result<Status> {
    let seconds = wait.wait_seconds.unwrap_or(0);
    if seconds > MOST_SECONDS {
        let message = format!("wait_seconds is at most {MOST_SECONDS}; call again to wait longer");
        return Err(Error::argument("wait_seconds", message));
    }
    let pull: Pull = forge.get(which.path(&repo)).await?;
    let path = repo.path().at("commits").at(&pull.head.sha).at("status");
    let (began, patience) = (Instant::now(), Duration::from_secs(seconds));
    loop {
        let combined = combined(&forge, &path).await?;
        let waited = began.elapsed();
        // What was pushed just now gets its checks a moment later.
        let pending = combined.is_pending() || combined.total_count == 0 && waited < FIRST_CHECK;
        if !pending || waited >= patience {
            let waited_seconds = (seconds > 0).then_some(waited.as_secs());
            return Ok(Status { pending: combined.is_pending(), combined, waited_seconds });
        }
        let message = format!("{} of {} checks have ended", combined.ended(), combined.total_count);
        forge.call().progress(waited.as_secs_f64(), Some(seconds as f64), &message).await;
        sleep_until((Instant::now() + PAUSE).min(began + patience)).await;
    }
}

/// Gitea combines the checks of one page; this is of all.
async fn combined(forge: &Forge, path: &Path) -> Result<Combined> {
    let mut all = Combined::default();
    for page in 1.. {
        let of_page: Combined = forge.find(path.clone(), &[("page", page), ("limit", PER_PAGE)]).await?;
        let checks = of_page.statuses.unwrap_or_default();
        let last = checks.len() < PER_PAGE;
        all.sha = of_page.sha;
        all.total_count += checks.len() as u64;
        if !checks.is_empty() {
            all.state = worse(all.state, of_page.state);
        }
        all.statuses.get_or_insert_default().extend(checks);
        if last {
            break;
        }
    }
    Ok(all)
}

/// The worst first; without any check Gitea says `pending`, which nothing would ever end.
fn worse(one: String, other: String) -> String {
    let rank = |state: &str| {
        ["error", "failure", "pending", "warning"].iter().position(|it| *it == state).unwrap_or(9)
    };
    if one.is_empty() || rank(&other) < rank(&one) { other } else { one }
}

impl Combined {
    fn is_pending(&self) -> bool {
        self.ended() < self.total_count
    }

    fn ended(&self) -> u64 {
        let statuses = self.statuses.as_deref().unwrap_or_default();
        statuses.iter().filter(|check| check.status != "pending").count() as u64
    }
}
