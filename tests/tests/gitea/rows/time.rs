//! Time spent on issues.

use anyhow::Result;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::lab::{Lab, Row, row};

/// A user has one stopwatch: starting another stops it, and these rows are all alice's.
static STOPWATCH: Mutex<()> = Mutex::const_new(());

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("timetracking_read", "list_issue_times", ["list_tracked_times"], list_issue_times),
        row!("timetracking_read", "list_repo_times", ["list_repo_times"], list_repo_times),
        row!("timetracking_read", "get_my_stopwatches", ["get_my_stopwatches"], get_my_stopwatches),
        row!("timetracking_read", "get_my_times", ["get_my_times"], get_my_times),
        row!("timetracking_write", "start_stopwatch", ["start_stopwatch"], start_stopwatch),
        row!("timetracking_write", "stop_stopwatch", ["stop_stopwatch"], stop_stopwatch),
        row!("timetracking_write", "delete_stopwatch", ["delete_stopwatch"], delete_stopwatch),
        row!("timetracking_write", "add_time", ["add_tracked_time"], add_time),
        row!("timetracking_write", "delete_time", ["delete_tracked_time"], delete_time),
    ]
}

/// An issue with this many seconds spent on it; its number, and the entry.
async fn spent(lab: &Lab, seconds: u64) -> Result<(Value, Value)> {
    let number = issue(lab).await?;
    let entry = lab.post(&format!("/issues/{number}/times"), json!({"time": seconds})).await?;
    Ok((number, entry))
}

async fn issue(lab: &Lab) -> Result<Value> {
    Ok(lab.post("/issues", json!({"title": "an issue"})).await?["number"].clone())
}

/// Starts a stopwatch by Gitea itself, whose answer is empty.
async fn start(lab: &Lab, number: &Value) -> Result<()> {
    lab.post(&format!("/issues/{number}/stopwatch/start"), json!(null)).await.map(|_| ())
}

/// Whether Gitea has one for this repository.
async fn runs(lab: &Lab) -> Result<bool> {
    let all = lab.forge.get(&lab.alice().token, "/user/stopwatches?limit=50").await?;
    Ok(all.as_array().into_iter().flatten().any(|it| it["repo_name"] == lab.repo.as_str()))
}

async fn list_issue_times(lab: &Lab) -> Result<()> {
    let (number, entry) = spent(lab, 90).await?;
    let times = lab.here(json!({"issue_number": number})).await?;
    assert_eq!((&times["items"][0]["id"], &times["items"][0]["time"]), (&entry["id"], &json!(90)), "{times}");
    assert_eq!(times["items"][0]["user_name"], "alice");
    assert_eq!(lab.refused(json!({"issue_number": 99})).await?["details"]["status"], 404);
    Ok(())
}

async fn list_repo_times(lab: &Lab) -> Result<()> {
    spent(lab, 90).await?;
    let (number, _) = spent(lab, 30).await?;
    let times = lab.here(json!({})).await?;
    assert_eq!(times["total_count"], 2, "{times}");
    assert_eq!(times["items"][1]["issue"]["number"], number, "{times}");
    Ok(())
}

async fn get_my_times(lab: &Lab) -> Result<()> {
    let (_, entry) = spent(lab, 90).await?;
    let times = lab.call(json!({"all": true})).await?;
    let found = times["items"].as_array().into_iter().flatten().find(|it| it["id"] == entry["id"]);
    assert_eq!(found.map(|it| &it["time"]), Some(&json!(90)), "{times}");
    Ok(())
}

async fn get_my_stopwatches(lab: &Lab) -> Result<()> {
    let _alone = STOPWATCH.lock().await;
    let number = issue(lab).await?;
    start(lab, &number).await?;
    let watches = lab.call(json!({"all": true})).await?;
    let found =
        watches["items"].as_array().into_iter().flatten().find(|it| it["repo_name"] == lab.repo.as_str());
    assert_eq!(found.map(|it| &it["issue_index"]), Some(&number), "{watches}");
    Ok(())
}

async fn start_stopwatch(lab: &Lab) -> Result<()> {
    let _alone = STOPWATCH.lock().await;
    let number = issue(lab).await?;
    let started = lab.here(json!({"issue_number": number})).await?;
    assert_eq!(started["issue_index"], number, "{started}");
    assert!(runs(lab).await?);
    lab.here(json!({"issue_number": number})).await?;
    assert!(runs(lab).await?, "a retry lets it run");
    assert_eq!(lab.refused(json!({"issue_number": 99})).await?["details"]["status"], 404);
    Ok(())
}

async fn stop_stopwatch(lab: &Lab) -> Result<()> {
    let _alone = STOPWATCH.lock().await;
    let number = issue(lab).await?;
    start(lab, &number).await?;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await; // Gitea counts whole seconds
    let stopped = lab.here(json!({"issue_number": number})).await?;
    assert!(!runs(lab).await?);
    let times = lab.get(&format!("/issues/{number}/times")).await?;
    assert_eq!(times[0]["id"], stopped["tracked"]["id"], "{times} {stopped}");
    assert_eq!(lab.refused(json!({"issue_number": number})).await?["details"]["status"], 409);
    Ok(())
}

async fn delete_stopwatch(lab: &Lab) -> Result<()> {
    let _alone = STOPWATCH.lock().await;
    let number = issue(lab).await?;
    start(lab, &number).await?;
    lab.here(json!({"issue_number": number})).await?;
    assert!(!runs(lab).await?);
    assert_eq!(lab.get(&format!("/issues/{number}/times")).await?, json!([]), "nothing is noted");
    assert_eq!(lab.refused(json!({"issue_number": number})).await?["details"]["status"], 409);
    Ok(())
}

async fn add_time(lab: &Lab) -> Result<()> {
    let number = issue(lab).await?;
    let dry = lab.here(json!({"issue_number": number, "time": 60, "dry_run": true})).await?;
    assert_eq!(lab.get(&format!("/issues/{number}/times")).await?, json!([]), "{dry}");
    lab.here(json!({"issue_number": number, "time": "60"})).await?;
    assert_eq!(lab.get(&format!("/issues/{number}/times")).await?[0]["time"], 60);
    let error = lab.refused(json!({"issue_number": number, "time": -1})).await?;
    assert_eq!(error["details"]["field"], "time", "{error}");
    Ok(())
}

async fn delete_time(lab: &Lab) -> Result<()> {
    let (number, entry) = spent(lab, 90).await?;
    lab.here(json!({"issue_number": number, "id": entry["id"]})).await?;
    assert_eq!(lab.get(&format!("/issues/{number}/times")).await?, json!([]));
    let error = lab.refused(json!({"issue_number": number, "id": entry["id"]})).await?;
    assert_eq!(error["details"]["status"], 404, "{error}");
    Ok(())
}
