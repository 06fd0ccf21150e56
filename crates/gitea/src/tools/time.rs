//! Time spent on issues: what was noted, and stopwatches that run.

use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::list::{Page, Paging};
use crate::forge::reach::InRepo;
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::name::Repo;
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("timetracking_read", "Read tracked time", "Seconds spent on issues, and running stopwatches.")
            .reads("list_issue_times", list_issue_times)
            .classic("list_tracked_times")
            .reads("list_repo_times", list_repo_times)
            .classic("list_repo_times")
            .reads("get_my_stopwatches", get_my_stopwatches)
            .classic("get_my_stopwatches")
            .reads("get_my_times", get_my_times)
            .classic("get_my_times"),
        Tool::new(
            "timetracking_write",
            "Track time",
            "Runs a stopwatch on an issue, or adds and deletes time spent on it. Stopping notes the time, deleting does not.",
        )
        .writes("start_stopwatch", start_stopwatch)
        .classic("start_stopwatch")
        .writes("stop_stopwatch", stop_stopwatch)
        .classic("stop_stopwatch")
        .destroys("delete_stopwatch", delete_stopwatch)
        .classic("delete_stopwatch")
        .writes("add_time", add_time)
        .classic("add_tracked_time")
        .destroys("delete_time", delete_time)
        .classic("delete_tracked_time"),
    ]
}

/// Which issue.
#[derive(Deserialize, JsonSchema)]
struct Which {
    issue_number: u64,
}

/// Time to be noted.
#[derive(Deserialize, Serialize, JsonSchema)]
struct New {
    /// seconds
    time: u64,
}

/// Which noted time.
#[derive(Deserialize, JsonSchema)]
struct WhichTime {
    id: u64,
}

/// Time that was noted.
#[derive(Debug, Serialize, Deserialize)]
struct Tracked {
    id: u64,
    /// In seconds.
    time: i64,
    user_name: Option<String>,
    created: Option<String>,
    issue: Option<Issue>,
}

/// The issue that it was spent on.
#[derive(Debug, Serialize, Deserialize)]
struct Issue {
    number: u64,
    title: String,
    repository: Option<Place>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Place {
    full_name: String,
}

/// A stopwatch that runs.
#[derive(Debug, Serialize, Deserialize)]
struct Stopwatch {
    issue_index: u64,
    issue_title: Option<String>,
    repo_owner_name: String,
    repo_name: String,
    created: Option<String>,
    seconds: Option<u64>,
    /// Whose it is, as lists across owners are cut by it.
    #[serde(skip_deserializing)]
    full_name: String,
}

/// A stopwatch that no longer does.
#[derive(Debug, Serialize)]
struct Stopped {
    issue_number: u64,
    /// What it came to; nothing where that was less than a second.
    tracked: Option<Tracked>,
}

impl InRepo for Tracked {
    fn full_name(&self) -> Option<&str> {
        Some(&self.issue.as_ref()?.repository.as_ref()?.full_name)
    }
}

impl InRepo for Stopwatch {
    fn full_name(&self) -> Option<&str> {
        Some(&self.full_name)
    }
}

impl Which {
    /// Where it is.
    fn path(&self, repo: &Repo) -> Path {
        repo.path().at("issues").at(self.issue_number)
    }
}

async fn list_issue_times(forge: Forge, repo: Repo, which: Which, paging: Paging) -> Result<Page<Tracked>> {
    forge.list(which.path(&repo).at("times"), &ALL, &paging).await
}

async fn list_repo_times(forge: Forge, repo: Repo, paging: Paging) -> Result<Page<Tracked>> {
    forge.list(repo.path().at("times"), &ALL, &paging).await
}

async fn get_my_times(forge: Forge, paging: Paging) -> Result<Page<Tracked>> {
    let page = forge.list(Path::of("user").at("times"), &ALL, &paging).await?;
    Ok(forge.within_reach(page))
}

async fn get_my_stopwatches(forge: Forge, paging: Paging) -> Result<Page<Stopwatch>> {
    let mut page: Page<Stopwatch> = forge.list(stopwatches(), &ALL, &paging).await?;
    page.items.iter_mut().for_each(Stopwatch::name);
    Ok(forge.within_reach(page))
}

fn stopwatches() -> Path {
    Path::of("user").at("stopwatches")
}

impl Stopwatch {
    fn name(&mut self) {
        self.full_name = format!("{}/{}", self.repo_owner_name, self.repo_name);
    }
}

/// One that runs already is the one that was asked for.
async fn start_stopwatch(forge: Forge, repo: Repo, which: Which) -> Result<Stopwatch> {
    let issue: Issue = forge.get(which.path(&repo)).await?;
    match forge.change(Method::POST, &which.path(&repo).at("stopwatch").at("start"), &ALL).await {
        Err(error) if error.status() != Some(StatusCode::CONFLICT) => return Err(error),
        _ => {}
    }
    let full_name = issue.repository.map_or_else(|| repo.to_string(), |place| place.full_name);
    let mut running: Vec<Stopwatch> = forge.whole(stopwatches(), &ALL).await?;
    running.iter_mut().for_each(Stopwatch::name);
    let started =
        running.into_iter().find(|it| it.full_name == full_name && it.issue_index == which.issue_number);
    started.ok_or_else(|| Error::Unexpected("a stopwatch was started, but does not run".into()))
}

async fn stop_stopwatch(forge: Forge, repo: Repo, which: Which) -> Result<Stopped> {
    let times = which.path(&repo).at("times");
    let before: Vec<Tracked> = forge.whole(times.clone(), &ALL).await?;
    forge.change(Method::POST, &which.path(&repo).at("stopwatch").at("stop"), &ALL).await?;
    let after: Vec<Tracked> = forge.whole(times, &ALL).await?;
    let is_new = |it: &Tracked| before.iter().all(|old| old.id != it.id);
    let tracked = after.into_iter().filter(is_new).max_by_key(|it| it.id);
    Ok(Stopped { issue_number: which.issue_number, tracked })
}

async fn delete_stopwatch(forge: Forge, repo: Repo, which: Which) -> Result<Deleted> {
    forge.delete(which.path(&repo).at("stopwatch").at("delete"), &ALL).await?;
    Ok(Deleted::of(format!("stopwatch of issue {}", which.issue_number)))
}

async fn add_time(forge: Forge, repo: Repo, which: Which, new: New) -> Result<Tracked> {
    forge.post(which.path(&repo).at("times"), &new).await
}

async fn delete_time(forge: Forge, repo: Repo, which: Which, time: WhichTime) -> Result<Deleted> {
    forge.delete(which.path(&repo).at("times").at(time.id), &ALL).await?;
    Ok(Deleted::of(time.id))
}
