//! Reviews of pull requests, and the threads of their comments.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::pulls::{let_bob_in, pull, review};
use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("pull_request_review_write", "create", ["create_pull_request_review"], create),
        row!("pull_request_review_write", "submit", ["submit_pull_request_review"], submit),
        row!("pull_request_review_write", "delete", ["delete_pull_request_review"], delete),
        row!("pull_request_review_write", "dismiss", ["dismiss_pull_request_review"], dismiss),
        row!("pull_request_review_write", "reply_comment", [], reply_comment),
        row!("pull_request_review_write", "resolve_thread", [], resolve_thread),
        row!("pull_request_review_write", "unresolve_thread", [], unresolve_thread),
    ]
}

/// A pull request of bob's, which alice may judge.
async fn of_bob(lab: &Lab) -> Result<()> {
    let_bob_in(lab).await?;
    let bob = lab.forge.user("bob");
    let place = format!("alice/{}", lab.repo);
    lab.forge.push(bob, &place, "topic", &[("topic.txt", b"one\ntwo\n"), ("README.md", b"gone\n")]).await?;
    let new = json!({"title": "topic", "head": "topic", "base": "main"});
    lab.forge.post(&bob.token, &format!("/repos/{place}/pulls"), new).await?;
    Ok(())
}

async fn create(lab: &Lab) -> Result<()> {
    of_bob(lab).await?;
    let comments = json!([{"path": "topic.txt", "body": "two?", "new_line_num": 2},
                          {"path": "README.md", "body": "why?", "old_line_num": 1}]);
    let made = lab
        .here(json!({"pull_number": 1, "state": "REQUEST_CHANGES", "body": "No.", "comments": comments}))
        .await?;
    let id = &made["id"];
    let there = lab.get(&format!("/pulls/1/reviews/{id}")).await?;
    assert_eq!((&there["state"], &there["body"]), (&json!("REQUEST_CHANGES"), &json!("No.")));
    let there = lab.get(&format!("/pulls/1/reviews/{id}/comments")).await?;
    let mut lines: Vec<_> = there
        .as_array()
        .context("comments")?
        .iter()
        .map(|it| (it["path"].as_str(), it["position"].as_u64(), it["original_position"].as_u64()))
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, [(Some("README.md"), Some(0), Some(1)), (Some("topic.txt"), Some(2), Some(0))]);

    let ghost = json!([{"path": "topic.txt", "body": "a", "new_line_num": 1}, {"path": "none.txt", "body": "b", "new_line_num": 1}]);
    let reviews = lab.get("/pulls/1/reviews").await?;
    let error = lab.refused(json!({"pull_number": 1, "state": "COMMENT", "comments": ghost})).await?;
    assert_eq!(error["details"]["field"], "comments[1].path", "{error}");
    assert_eq!(lab.get("/pulls/1/reviews").await?, reviews);

    let keyed = json!({"pull_number": 1, "state": "COMMENT", "body": "Once.", "idempotency_key": "k1"});
    let first = lab.here(keyed.clone()).await?;
    assert_eq!(lab.here(keyed).await?["id"], first["id"]);
    assert_eq!(lab.get("/pulls/1/reviews").await?.as_array().map(Vec::len), Some(2));

    let error = lab.refused(json!({"pull_number": 1, "state": "maybe"})).await?;
    assert_eq!(error["details"]["field"], "state");
    let nowhere = json!([{"path": "topic.txt", "body": "?"}]);
    let error = lab.refused(json!({"pull_number": 1, "state": "COMMENT", "comments": nowhere})).await?;
    assert_eq!(error["details"]["field"], "comments[0]", "{error}");
    a_bad_comment_leaves_nothing_behind(lab).await
}

async fn a_bad_comment_leaves_nothing_behind(lab: &Lab) -> Result<()> {
    let before = lab.get("/pulls/1/reviews").await?;
    let good = json!({"path": "topic.txt", "body": "good", "new_line_num": 2});
    let bad = json!({"path": "topic.txt", "body": "bad", "new_line_num": 999});
    let mut review = json!({"pull_number": 1, "state": "COMMENT", "body": "b", "idempotency_key": "half", "comments": [good, bad]});
    let error = lab.refused(review.clone()).await?;
    assert_eq!(
        (&error["error"], &error["details"]["field"]),
        (&json!("VALIDATION_ERROR"), &json!("comments[1]"))
    );
    assert_eq!(lab.get("/pulls/1/reviews").await?, before, "nothing is left of it");
    review["comments"] = json!([good]);
    let id = lab.here(review).await?["id"].clone();
    let comments = lab.get(&format!("/pulls/1/reviews/{id}/comments")).await?;
    assert_eq!(comments.as_array().map(Vec::len), Some(1), "{comments}");

    let pending =
        lab.here(json!({"pull_number": 1, "state": "PENDING", "body": "p", "comments": [good]})).await?["id"]
            .clone();
    let more = json!({"pull_number": 1, "state": "COMMENT", "comments": [good, bad]});
    let error = lab.refused(more).await?;
    assert!(error["message"].to_string().contains(&format!("pending review {pending}")), "{error}");
    lab.here(json!({"pull_number": 1, "state": "COMMENT", "body": "done"})).await?;
    Ok(())
}

async fn submit(lab: &Lab) -> Result<()> {
    of_bob(lab).await?;
    let id = lab.post("/pulls/1/reviews", json!({"event": "PENDING", "body": "hm"})).await?["id"].clone();
    lab.here(json!({"pull_number": 1, "review_id": id, "state": "APPROVED", "body": "Yes."})).await?;
    let there = lab.get(&format!("/pulls/1/reviews/{id}")).await?;
    assert_eq!((&there["state"], &there["body"]), (&json!("APPROVED"), &json!("Yes.")));
    Ok(())
}

async fn delete(lab: &Lab) -> Result<()> {
    of_bob(lab).await?;
    let id = lab.post("/pulls/1/reviews", json!({"event": "COMMENT", "body": "hm"})).await?["id"].clone();
    lab.here(json!({"pull_number": 1, "review_id": id})).await?;
    assert_eq!(lab.status(&format!("/pulls/1/reviews/{id}")).await?, 404);
    assert_eq!(lab.refused(json!({"pull_number": 1, "review_id": id})).await?["details"]["status"], 404);
    Ok(())
}

async fn dismiss(lab: &Lab) -> Result<()> {
    let number = pull(lab, "topic").await?["number"].clone();
    let id = review(lab, &number, "REQUEST_CHANGES").await?["id"].clone();
    lab.here(json!({"pull_number": number, "review_id": id, "message": "done"})).await?;
    assert_eq!(lab.get(&format!("/pulls/1/reviews/{id}")).await?["dismissed"], true);
    Ok(())
}

async fn reply_comment(lab: &Lab) -> Result<()> {
    let number = pull(lab, "topic").await?["number"].clone();
    let (review, comment) = comment(lab, &number).await?;
    let error = lab.refused(json!({"pull_number": number, "comment_id": comment, "body": "So."})).await?;
    assert_eq!(error["details"]["needs"], "1.27", "{error}");
    let there = lab.get(&format!("/pulls/1/reviews/{review}/comments")).await?;
    assert_eq!(there.as_array().map(Vec::len), Some(1));
    Ok(())
}

/// A review of bob's, and its comment.
async fn comment(lab: &Lab, number: &Value) -> Result<(Value, Value)> {
    let review = review(lab, number, "COMMENT").await?["id"].clone();
    let comments = lab.get(&format!("/pulls/{number}/reviews/{review}/comments")).await?;
    Ok((review, comments[0]["id"].clone()))
}

async fn resolver(lab: &Lab, review: &Value) -> Result<Value> {
    let comments = lab.get(&format!("/pulls/1/reviews/{review}/comments")).await?;
    Ok(comments[0]["resolver"]["login"].clone())
}

async fn resolve_thread(lab: &Lab) -> Result<()> {
    let number = pull(lab, "topic").await?["number"].clone();
    let (review, comment) = comment(lab, &number).await?;
    lab.here(json!({"pull_number": number, "comment_id": comment})).await?;
    assert_eq!(resolver(lab, &review).await?, "alice");
    pull(lab, "other").await?;
    let error = lab.refused(json!({"pull_number": 2, "comment_id": comment})).await?;
    assert_eq!(error["details"]["field"], "comment_id", "{error}");
    Ok(())
}

async fn unresolve_thread(lab: &Lab) -> Result<()> {
    let number = pull(lab, "topic").await?["number"].clone();
    let (review, comment) = comment(lab, &number).await?;
    lab.post(&format!("/pulls/comments/{comment}/resolve"), json!({})).await?;
    assert_eq!(resolver(lab, &review).await?, "alice");
    lab.here(json!({"pull_number": number, "comment_id": comment})).await?;
    assert_eq!(resolver(lab, &review).await?, Value::Null);
    Ok(())
}
