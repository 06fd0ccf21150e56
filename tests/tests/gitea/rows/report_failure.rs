//! One report after the other; reports beside each other and replicas that die are in `reports.rs`.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![row!("report_failure", "", [], report_failure)]
}

async fn report_failure(lab: &Lab) -> Result<()> {
    let label = lab.post("/labels", json!({"name": "ci", "color": "#ff0000"})).await?;
    let report = |id: &str| {
        json!({"title": "build fails", "body": "no space", "fingerprint": "disk", "occurrence_id": id,
               "labels": ["ci"]})
    };

    let mut dry = report("1");
    dry["dry_run"] = true.into();
    let would = lab.here(dry).await?;
    assert_eq!(
        (&would["would"]["method"], lab.get("/issues").await?),
        (&json!("POST"), json!([])),
        "{would}"
    );

    let made = lab.here(report("1")).await?;
    let number = made["issue"]["number"].clone();
    assert_eq!((&made["action"], &made["occurrences"]), (&json!("created"), &json!(1)), "{made}");
    let issue = lab.get(&format!("/issues/{number}")).await?;
    assert_eq!((&issue["title"], &issue["labels"][0]["id"]), (&json!("build fails"), &label["id"]));
    assert!(issue["body"].as_str().is_some_and(|body| body.ends_with("no space")), "{issue}");

    let again = lab.here(report("2")).await?;
    assert_eq!((&again["action"], &again["occurrences"]), (&json!("commented"), &json!(2)), "{again}");
    let comments = lab.get(&format!("/issues/{number}/comments")).await?;
    assert_eq!(comments.as_array().map(Vec::len), Some(1), "{comments}");
    assert!(comments[0]["body"].as_str().is_some_and(|body| body.contains("no space")), "{comments}");

    let retry = lab.here(report("2")).await?;
    assert_eq!((&retry["action"], &retry["occurrences"]), (&json!("unchanged"), &json!(2)), "{retry}");
    assert_eq!(lab.get(&format!("/issues/{number}/comments")).await?, comments);

    let without_id = lab.here(json!({"title": "build fails", "body": "", "fingerprint": "disk"})).await?;
    assert_eq!(without_id["occurrences"], 3);
    let retry = json!({"title": "build fails", "body": "", "fingerprint": "disk",
                       "occurrence_id": without_id["occurrence_id"]});
    assert_eq!(lab.here(retry).await?["action"], "unchanged", "the id that was answered is good for a retry");

    refuses_what_is_wrong(lab, &report("4")).await?;
    makes_one_though_lists_are_empty(lab).await
}

/// With such a milestone Gitea lists no issues at all: what was made is not found, and must not be made again.
async fn makes_one_though_lists_are_empty(lab: &Lab) -> Result<()> {
    lab.post("/milestones", json!({"title": ""})).await?;
    assert_eq!(lab.get("/issues?state=all").await?, json!([]), "Gitea does so no more; this can go");
    let count = async || anyhow::Ok(lab.get("").await?["open_issues_count"].as_u64());
    let before = count().await?;
    let error = lab.refused(json!({"title": "t", "body": "b", "fingerprint": "unseen"})).await?;
    assert!(error["message"].as_str().is_some_and(|it| it.contains("it made issue")), "{error}");
    assert_eq!(count().await?, before.map(|before| before + 1));
    Ok(())
}

async fn refuses_what_is_wrong(lab: &Lab, good: &Value) -> Result<()> {
    let before = lab.get("/issues?state=all").await?;
    for (field, bad) in [
        ("fingerprint", json!("")),
        ("fingerprint", json!("x".repeat(1001))),
        ("title", json!(" ")),
        ("title", json!("x".repeat(256))),
        ("occurrence_id", json!("")),
        ("occurrence_id", json!("x".repeat(201))),
        ("labels", json!(["ci", "unheard of"])),
    ] {
        let mut report = good.clone();
        report[field] = bad;
        report["fingerprint"] = if field == "fingerprint" { report[field].clone() } else { json!("another") };
        let error = lab.refused(report).await?;
        let told = error["details"]["field"].as_str().unwrap_or_default();
        assert!(error["error"] == "VALIDATION_ERROR" && told.starts_with(field), "{field}: {error}");
    }
    assert_eq!(lab.get("/issues?state=all").await?, before);
    Ok(())
}
