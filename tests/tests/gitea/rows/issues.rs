//! Issues and their comments.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::lab::{Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("list_issues", "", ["list_repo_issues"], list),
        row!("issue_read", "get", ["get_issue_by_index"], get),
        row!("issue_read", "get_comments", ["get_issue_comments_by_index"], get_comments),
        row!("issue_read", "get_comment", [], get_comment),
        row!("issue_read", "get_labels", [], get_labels),
        row!("issue_read", "get_blocked_by", [], get_blocked_by),
        row!("issue_read", "get_blocking", [], get_blocking),
        row!("issue_write", "create", ["create_issue"], create),
        row!("issue_write", "update", ["edit_issue"], update),
        row!("issue_write", "add_comment", ["create_issue_comment"], add_comment),
        row!("issue_write", "edit_comment", ["edit_issue_comment"], edit_comment),
        row!("issue_write", "add_labels", ["add_issue_labels"], add_labels),
        row!("issue_write", "remove_label", ["remove_issue_label"], remove_label),
        row!("issue_write", "replace_labels", ["replace_issue_labels"], replace_labels),
        row!("issue_write", "clear_labels", ["clear_issue_labels"], clear_labels),
        row!("issue_write", "add_dependency", [], add_dependency),
        row!("issue_write", "remove_dependency", [], remove_dependency),
    ]
}

/// A text with the marks that reports of failures and retries look for.
const MARKED: &str = "<!-- gantry:failure 0 occurrence 1 -->\n\ntext\n\n<!-- gantry:key 2 3 -->";

/// A new issue's number.
async fn issue(lab: &Lab, title: &str) -> Result<Value> {
    Ok(lab.post("/issues", json!({"title": title, "body": "as it was"})).await?["number"].clone())
}

/// A new label's id.
async fn label(lab: &Lab, name: &str) -> Result<Value> {
    Ok(lab.post("/labels", json!({"name": name, "color": "#00ff00"})).await?["id"].clone())
}

/// A new issue with labels, and their ids.
async fn labelled(lab: &Lab, names: &[&str]) -> Result<(Value, Vec<Value>)> {
    let number = issue(lab, "labelled").await?;
    let mut ids = vec![];
    for name in names {
        ids.push(label(lab, name).await?);
    }
    lab.post(&format!("/issues/{number}/labels"), json!({"labels": ids})).await?;
    Ok((number, ids))
}

/// A new milestone's id.
async fn milestone(lab: &Lab, title: &str) -> Result<Value> {
    Ok(lab.post("/milestones", json!({"title": title})).await?["id"].clone())
}

/// A new comment's id.
async fn comment(lab: &Lab, number: &Value, body: &str) -> Result<Value> {
    let made = lab.post(&format!("/issues/{number}/comments"), json!({"body": body})).await?;
    Ok(made["id"].clone())
}

/// Two issues, of which the first waits for the second.
async fn linked(lab: &Lab) -> Result<(Value, Value)> {
    let (waits, first) = (issue(lab, "waits").await?, issue(lab, "first").await?);
    let other = json!({"owner": "alice", "repo": lab.repo, "index": first});
    lab.post(&format!("/issues/{waits}/dependencies"), other).await?;
    Ok((waits, first))
}

/// A public repository of bob's with a label and a milestone, as arguments and as a path: alice may report there, and
/// set nothing.
async fn elsewhere(lab: &Lab) -> Result<(Value, String)> {
    let (token, name) = (&lab.forge.user("bob").token, format!("open-{}", lab.number));
    lab.forge.post(token, "/user/repos", json!({"name": name})).await?;
    let path = format!("/repos/bob/{name}");
    lab.forge.post(token, &format!("{path}/labels"), json!({"name": "bug", "color": "#ff0000"})).await?;
    lab.forge.post(token, &format!("{path}/milestones"), json!({"title": "1.0"})).await?;
    Ok((json!({"owner": "bob", "repo": name}), path))
}

fn with(mut arguments: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        arguments[name] = value.clone();
    }
    arguments
}

/// What each item of a list has under a name.
fn each(list: &Value, key: &str) -> Vec<String> {
    let text = |item: &Value| item[key].as_str().map_or_else(|| item[key].to_string(), str::to_owned);
    list.as_array().into_iter().flatten().map(text).collect()
}

/// What is on an issue, as Gitea lists it.
async fn on(lab: &Lab, number: &Value) -> Result<Vec<String>> {
    let mut names = each(&lab.get(&format!("/issues/{number}/labels")).await?, "name");
    names.sort();
    Ok(names)
}

fn candidates(error: &Value) -> Vec<&str> {
    error["details"]["candidates"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

async fn list(lab: &Lab) -> Result<()> {
    let (number, ids) = labelled(lab, &["bug", "later"]).await?;
    let mile = milestone(lab, "1.0").await?;
    issue(lab, "another").await?;
    let long =
        lab.post("/issues", json!({"title": "long", "body": "x".repeat(5000), "milestone": mile})).await?;
    let first = lab.here(json!({"per_page": 2})).await?;
    assert_eq!((&first["total_count"], &first["has_next"]), (&json!(3), &json!(true)), "{first}");
    assert_eq!(each(&first["items"], "title"), ["long", "another"]);
    let body = first["items"][0]["body"].as_str().unwrap_or_default();
    assert!(body.len() < 500 && body.contains("issue_read get"), "shortened where all can see it: {body}");
    let rest = lab.here(json!({"cursor": first["next_cursor"]})).await?;
    assert_eq!(
        (each(&rest["items"], "title"), &rest["has_next"]),
        (vec!["labelled".to_owned()], &json!(false))
    );
    for labels in [json!(["bug"]), json!([ids[1]]), json!(["bug", "later"]), json!("bug")] {
        let found = lab.here(json!({"labels": labels})).await?;
        assert_eq!(each(&found["items"], "number"), [number.to_string()], "{labels}");
    }
    for title in [json!("1.0"), mile] {
        let found = lab.here(json!({"milestones": [title]})).await?;
        assert_eq!(each(&found["items"], "number"), [long["number"].to_string()], "{title}");
    }
    assert_eq!(lab.here(json!({"state": "closed"})).await?["total_count"], 0);
    assert_eq!(lab.here(json!({"type": "pulls"})).await?["total_count"], 0);
    let comma = label(lab, "bug,later").await?;
    for (wrong, field, candidate) in [
        (json!({"labels": ["bug", "bugs"]}), "labels[1]", Some("bug")),
        (json!({"milestones": ["2.0"]}), "milestones[0]", Some("1.0")),
        (json!({"milestones": ["1.0", 0]}), "milestones[1]", None),
        (json!({"labels": ["bug,later"]}), "labels[0]", None),
        (json!({"labels": ["bug", comma]}), "labels[1]", None),
        (json!({"state": "opened"}), "state", None),
        (json!({"type": "issue"}), "type", None),
    ] {
        let error = lab.refused(wrong).await?;
        assert_eq!(error["details"]["field"], field, "{error}");
        assert!(candidate.is_none_or(|name| candidates(&error).contains(&name)), "{error}");
    }
    list_by_a_label_of_the_organisation(lab).await
}

/// Gitea would drop it and answer everything.
async fn list_by_a_label_of_the_organisation(lab: &Lab) -> Result<()> {
    let (token, org) = (&lab.alice().token, format!("org-{}", lab.number));
    lab.forge.post(token, "/orgs", json!({"username": org})).await?;
    let all = json!({"name": "all", "color": "#123456"});
    lab.forge.post(token, &format!("/orgs/{org}/labels"), all).await?;
    lab.forge.post(token, &format!("/orgs/{org}/repos"), json!({"name": "lab"})).await?;
    let issues = format!("/repos/{org}/lab/issues");
    lab.forge.post(token, &issues, json!({"title": "one"})).await?;
    let error = lab.refused_as(json!({"owner": org, "repo": "lab", "labels": ["all"]})).await?;
    assert_eq!(error["details"]["field"], "labels[0]", "{error}");
    Ok(())
}

async fn get(lab: &Lab) -> Result<()> {
    let (number, _) = labelled(lab, &["bug"]).await?;
    let read = lab.here(json!({"issue_number": number})).await?;
    assert_eq!((&read["title"], &read["user"]), (&json!("labelled"), &json!("alice")), "{read}");
    assert_eq!((&read["body"], &read["labels"]), (&json!("as it was"), &json!(["bug"])), "{read}");
    let long = lab.post("/issues", json!({"title": "long", "body": "ü".repeat(200_000)})).await?;
    let body = lab.here(json!({"issue_number": long["number"]})).await?["body"].take();
    let body = body.as_str().context("body")?;
    assert!(body.len() > 100_000 && body.ends_with(" bytes more]"), "{} bytes", body.len());
    assert_eq!(lab.refused(json!({"issue_number": 99})).await?["details"]["status"], 404);
    let error = lab.refused(json!({"issue_number": "one"})).await?;
    assert_eq!(error["details"]["field"], lab.named("issue_number"), "{error}");
    Ok(())
}

async fn get_comments(lab: &Lab) -> Result<()> {
    let number = issue(lab, "talk").await?;
    for body in ["one", "two", "three"] {
        comment(lab, &number, body).await?;
    }
    let first = lab.here(json!({"issue_number": number, "per_page": 2})).await?;
    assert_eq!(each(&first["items"], "body"), ["one", "two"]);
    assert_eq!((&first["total_count"], &first["has_next"]), (&json!(3), &json!(true)), "{first}");
    let rest = lab.here(json!({"issue_number": number, "cursor": first["next_cursor"]})).await?;
    assert_eq!((each(&rest["items"], "body"), &rest["has_next"]), (vec!["three".to_owned()], &json!(false)));
    assert_eq!(lab.refused(json!({"issue_number": 99})).await?["details"]["status"], 404);
    Ok(())
}

async fn get_comment(lab: &Lab) -> Result<()> {
    let number = issue(lab, "talk").await?;
    let id = comment(lab, &number, "one").await?;
    let read = lab.here(json!({"comment_id": id})).await?;
    assert_eq!((&read["body"], &read["user"]), (&json!("one"), &json!("alice")), "{read}");
    assert_eq!(lab.refused(json!({"comment_id": 999_999})).await?["details"]["status"], 404);
    // An event of the issue has a comment's number, and Gitea answers nothing for it.
    label(lab, "bug").await?;
    lab.post(&format!("/issues/{number}/labels"), json!({"labels": ["bug"]})).await?;
    let event = lab.get(&format!("/issues/{number}/timeline")).await?[1]["id"].clone();
    let error = lab.refused(json!({"comment_id": event})).await?;
    assert_eq!(error["details"]["status"], 404, "{error}");
    Ok(())
}

async fn get_labels(lab: &Lab) -> Result<()> {
    let (number, _) = labelled(lab, &["bug", "later"]).await?;
    let read = lab.here(json!({"issue_number": number})).await?;
    assert_eq!(each(&read["items"], "name"), ["bug", "later"], "{read}");
    Ok(())
}

async fn get_blocked_by(lab: &Lab) -> Result<()> {
    let (waits, first) = linked(lab).await?;
    assert_eq!(lab.here(json!({"issue_number": waits})).await?["items"][0]["number"], first);
    assert_eq!(lab.here(json!({"issue_number": first})).await?["items"], json!([]));
    Ok(())
}

async fn get_blocking(lab: &Lab) -> Result<()> {
    let (waits, first) = linked(lab).await?;
    assert_eq!(lab.here(json!({"issue_number": first})).await?["items"][0]["number"], waits);
    assert_eq!(lab.here(json!({"issue_number": waits})).await?["items"], json!([]));
    Ok(())
}

async fn create(lab: &Lab) -> Result<()> {
    let (bug, mile) = (label(lab, "bug").await?, milestone(lab, "1.0").await?);
    label(lab, "later").await?;
    for title in ["", "  ", &"x".repeat(256)] {
        assert_eq!(lab.refused(json!({"title": title})).await?["details"]["field"], "title", "{title:?}");
    }
    let dry = lab.here(json!({"title": "x", "labels": ["bug"], "dry_run": true})).await?;
    assert_eq!((&dry["dry_run"], lab.get("/issues").await?), (&json!(true), json!([])), "{dry}");
    let new = json!({
        "title": "it breaks", "body": "so", "labels": [bug, "later"], "milestone": "1.0", "assignees": ["alice"],
        "deadline": "2030-01-02", "ref": "refs/heads/main", "idempotency_key": "k",
    });
    let made = lab.here(new.clone()).await?;
    let again = lab.here(new).await?;
    assert_eq!(made["number"], again["number"], "a retry makes no second one");
    let there = lab.get("/issues?state=all").await?;
    assert_eq!(there.as_array().map(Vec::len), Some(1), "{there}");
    let there = &there[0];
    assert_eq!((&there["title"], &there["ref"]), (&json!("it breaks"), &json!("refs/heads/main")));
    assert!(there["body"].as_str().is_some_and(|text| text.starts_with("so\n")), "{there}");
    assert_eq!(each(&there["labels"], "name"), ["bug", "later"]);
    assert_eq!((&there["milestone"]["id"], &there["assignees"][0]["login"]), (&mile, &json!("alice")));
    assert!(there["due_date"].as_str().is_some_and(|day| day.starts_with("2030-01-02")), "{there}");
    let by_number = lab.here(json!({"title": "two", "milestone": mile})).await?;
    assert_eq!(lab.get(&format!("/issues/{}", by_number["number"])).await?["milestone"]["title"], "1.0");
    for (wrong, field, candidate) in [
        (json!({"title": "it holds", "idempotency_key": "k"}), "idempotency_key", None),
        (json!({"title": "x", "labels": ["bug", "bugs"]}), "labels[1]", Some("bug")),
        (json!({"title": "x", "milestone": "2.0"}), "milestone", Some("1.0")),
        (json!({"title": "x", "assignees": ["alice", "bob"]}), "assignees[1]", Some("alice")),
        (json!({"title": "x", "deadline": "soon"}), "deadline", None),
    ] {
        let error = lab.refused(wrong).await?;
        assert_eq!(error["details"]["field"], field, "{error}");
        assert!(candidate.is_none_or(|name| candidates(&error).contains(&name)), "{error}");
    }
    assert_eq!(
        lab.get("/issues?state=all").await?.as_array().map(Vec::len),
        Some(2),
        "nothing came of those"
    );
    create_without_write_access(lab).await
}

async fn create_without_write_access(lab: &Lab) -> Result<()> {
    let (at, path) = elsewhere(lab).await?;
    let fields =
        json!({"labels": ["bug"], "milestone": "1.0", "assignees": ["bob"], "deadline": "2030-01-02"});
    let error = lab.refused_as(with(with(json!({"title": "mine"}), &fields), &at)).await?;
    assert_eq!(
        error["details"]["fields"],
        json!(["labels", "milestone", "assignees", "deadline"]),
        "{error}"
    );
    let number = &error["details"]["issue_number"];
    let there = lab.forge.get(&lab.alice().token, &format!("{path}/issues/{number}")).await?;
    assert_eq!(there["title"], "mine", "that much is there: {error}");
    lab.call(with(json!({"title": "no more than this"}), &at)).await?;
    Ok(())
}

async fn update(lab: &Lab) -> Result<()> {
    let (number, _) = labelled(lab, &["bug"]).await?;
    label(lab, "later").await?;
    let mile = milestone(lab, "1.0").await?;
    let path = format!("/issues/{number}");
    let was = lab.get(&path).await?;
    let dry = lab.here(json!({"issue_number": number, "title": "x", "dry_run": true})).await?;
    assert_eq!((&dry["dry_run"], lab.get(&path).await?), (&json!(true), was.clone()), "{dry}");
    let edit = json!({
        "issue_number": number, "title": "edited", "body": "anew", "state": "closed", "labels": ["later"],
        "milestone": "1.0", "assignees": ["alice"], "deadline": "2030-01-02",
        "expected_updated_at": was["updated_at"],
    });
    lab.here(edit).await?;
    let is = lab.get(&path).await?;
    assert_eq!(
        (&is["title"], &is["body"], &is["state"]),
        (&json!("edited"), &json!("anew"), &json!("closed"))
    );
    assert_eq!((each(&is["labels"], "name"), &is["milestone"]["id"]), (vec!["later".to_owned()], &mile));
    assert_eq!(is["assignees"][0]["login"], "alice");
    assert!(is["due_date"].as_str().is_some_and(|day| day.starts_with("2030-01-02")), "{is}");
    let back = json!({
        "issue_number": number, "state": "open", "labels": [], "milestone": 0, "assignees": [],
        "remove_deadline": true,
    });
    lab.here(back).await?;
    let is = lab.get(&path).await?;
    assert_eq!((&is["state"], &is["body"]), (&json!("open"), &json!("anew")), "what is not given stays");
    assert_eq!((&is["labels"], &is["milestone"], &is["due_date"]), (&json!([]), &json!(null), &json!(null)));
    assert_eq!(is["assignees"], json!(null));
    for (wrong, field) in [
        (json!({"title": "x", "expected_updated_at": "2001-01-01T00:00:00Z"}), "expected_updated_at"),
        (json!({"title": "x", "labels": ["bugs"]}), "labels[0]"),
        (json!({"title": "x", "milestone": "2.0"}), "milestone"),
        (json!({"title": "x", "assignees": ["bob"]}), "assignees[0]"),
        (json!({"title": "x", "state": "done"}), "state"),
        (json!({"title": ""}), "title"),
        (json!({"deadline": "2030-01-02", "remove_deadline": true}), "remove_deadline"),
        (json!({}), "title"),
    ] {
        let mut wrong = wrong;
        wrong["issue_number"] = number.clone();
        let error = lab.refused(wrong).await?;
        assert_eq!(error["details"]["field"], field, "{error}");
    }
    assert_eq!(lab.get(&path).await?["title"], "edited", "nothing came of those");
    update_without_write_access(lab).await?;
    update_of_one_that_may_not_be_closed(lab).await?;
    let number = lab.post("/issues", json!({"title": "marked", "body": MARKED})).await?["number"].clone();
    lab.here(json!({"issue_number": number, "body": "anew"})).await?;
    assert_eq!(lab.get(&format!("/issues/{number}")).await?["body"], MARKED.replace("text", "anew"));
    Ok(())
}

async fn update_of_one_that_may_not_be_closed(lab: &Lab) -> Result<()> {
    let (waits, _) = linked(lab).await?;
    let edit =
        json!({"issue_number": waits, "title": "as far as it may", "labels": ["later"], "state": "closed"});
    let error = lab.refused(edit).await?;
    assert_eq!(error["details"]["written"], json!(["title", "labels"]), "{error}");
    let is = lab.get(&format!("/issues/{waits}")).await?;
    assert_eq!((&is["state"], &is["title"]), (&json!("open"), &json!("as far as it may")));
    Ok(())
}

async fn update_without_write_access(lab: &Lab) -> Result<()> {
    let (at, path) = elsewhere(lab).await?;
    let token = &lab.alice().token;
    let mine = lab.forge.post(token, &format!("{path}/issues"), json!({"title": "mine"})).await?;
    let at = with(json!({"issue_number": mine["number"]}), &at);
    let edit = json!({"title": "edited", "milestone": "1.0", "assignees": ["bob"], "deadline": "2030-01-02"});
    let error = lab.refused_as(with(edit, &at)).await?;
    assert_eq!(error["details"]["fields"], json!(["milestone", "assignees", "deadline"]), "{error}");
    let error = lab.refused_as(with(json!({"title": "again", "labels": ["bug"]}), &at)).await?;
    assert_eq!(error["details"]["status"], 403, "{error}");
    let there = lab.forge.get(token, &format!("{path}/issues/{}", mine["number"])).await?;
    assert_eq!(there["title"], "edited", "the first was written as far as it may, the second not at all");
    Ok(())
}

async fn add_comment(lab: &Lab) -> Result<()> {
    let number = issue(lab, "talk").await?;
    let path = format!("/issues/{number}/comments");
    let dry = lab.here(json!({"issue_number": number, "body": "one", "dry_run": true})).await?;
    assert_eq!((&dry["dry_run"], lab.get(&path).await?), (&json!(true), json!([])), "{dry}");
    let new = json!({"issue_number": number, "body": "one", "idempotency_key": "k"});
    let made = lab.here(new.clone()).await?;
    assert_eq!(made["id"], lab.here(new).await?["id"], "a retry makes no second one");
    let there = lab.get(&path).await?;
    assert_eq!(each(&there, "id"), [made["id"].to_string()]);
    assert!(there[0]["body"].as_str().is_some_and(|text| text.starts_with("one\n")), "{there}");
    let error = lab.refused(json!({"issue_number": number, "body": "two", "idempotency_key": "k"})).await?;
    assert_eq!(error["details"]["field"], "idempotency_key", "{error}");
    assert_eq!(lab.refused(json!({"issue_number": 99, "body": "one"})).await?["details"]["status"], 404);
    Ok(())
}

async fn edit_comment(lab: &Lab) -> Result<()> {
    let number = issue(lab, "talk").await?;
    let id = comment(lab, &number, "one").await?;
    lab.here(json!({"commentID": id, "body": "two"})).await?;
    assert_eq!(lab.get(&format!("/issues/comments/{id}")).await?["body"], "two");
    let marked = comment(lab, &number, MARKED).await?;
    lab.here(json!({"commentID": marked, "body": "anew"})).await?;
    let is = lab.get(&format!("/issues/comments/{marked}")).await?;
    assert_eq!(is["body"], MARKED.replace("text", "anew"));
    assert_eq!(lab.refused(json!({"commentID": 999_999, "body": "x"})).await?["details"]["status"], 404);
    let error = lab.refused(json!({"commentID": "one", "body": "x"})).await?;
    assert_eq!(error["details"]["field"], "commentID", "{error}");
    Ok(())
}

async fn add_labels(lab: &Lab) -> Result<()> {
    let (number, _) = labelled(lab, &["bug"]).await?;
    let (later, _) = (label(lab, "later").await?, label(lab, "soon").await?);
    lab.here(json!({"issue_number": number, "labels": [later, "soon"]})).await?;
    assert_eq!(on(lab, &number).await?, ["bug", "later", "soon"]);
    let error = lab.refused(json!({"issue_number": number, "labels": ["bugs"]})).await?;
    assert_eq!(error["details"]["field"], "labels[0]", "{error}");
    assert!(candidates(&error).contains(&"soon"), "{error}");
    Ok(())
}

async fn remove_label(lab: &Lab) -> Result<()> {
    let (number, ids) = labelled(lab, &["bug", "later", "soon"]).await?;
    let former = lab.named("issue_number") == "index";
    let by_id = if former { "id" } else { "label_id" };
    lab.here(json!({"issue_number": number, "label_id": "bug"})).await?;
    lab.here(json!({"issue_number": number, by_id: ids[1]})).await?;
    assert_eq!(on(lab, &number).await?, ["soon"]);
    let error = lab.refused(json!({"issue_number": number, "label_id": "bug"})).await?;
    assert_eq!((&error["details"]["field"], candidates(&error)), (&json!(by_id), vec!["soon"]), "{error}");
    Ok(())
}

async fn replace_labels(lab: &Lab) -> Result<()> {
    let (number, _) = labelled(lab, &["bug", "soon"]).await?;
    let later = label(lab, "later").await?;
    lab.here(json!({"issue_number": number, "labels": ["soon", later]})).await?;
    assert_eq!(on(lab, &number).await?, ["later", "soon"]);
    let error = lab.refused(json!({"issue_number": number, "labels": ["soon", "bugs"]})).await?;
    assert_eq!(error["details"]["field"], "labels[1]", "{error}");
    assert_eq!(on(lab, &number).await?, ["later", "soon"], "nothing came of it");
    Ok(())
}

async fn clear_labels(lab: &Lab) -> Result<()> {
    let (number, _) = labelled(lab, &["bug", "soon"]).await?;
    lab.here(json!({"issue_number": number})).await?;
    assert_eq!(on(lab, &number).await?, Vec::<String>::new());
    assert_eq!(lab.refused(json!({"issue_number": 99})).await?["details"]["status"], 404);
    Ok(())
}

async fn add_dependency(lab: &Lab) -> Result<()> {
    let (one, two) = (issue(lab, "one").await?, issue(lab, "two").await?);
    let three = issue(lab, "three").await?;
    lab.here(json!({"issue_number": one, "related_issue_number": two})).await?;
    lab.here(json!({"issue_number": one, "related_issue_number": three, "dependency_type": "blocks"}))
        .await?;
    let waits_for = lab.get(&format!("/issues/{one}/dependencies")).await?;
    assert_eq!(each(&waits_for, "number"), [two.to_string()]);
    assert_eq!(each(&lab.get(&format!("/issues/{one}/blocks")).await?, "number"), [three.to_string()]);
    let error = lab.refused(json!({"issue_number": one, "related_issue_number": one})).await?;
    assert_eq!(error["details"]["field"], "related_issue_number", "{error}");
    let error = lab.refused(json!({"issue_number": one, "related_issue_number": 99})).await?;
    assert_eq!(error["details"]["status"], 404, "{error}");
    Ok(())
}

async fn remove_dependency(lab: &Lab) -> Result<()> {
    let (waits, first) = linked(lab).await?;
    lab.here(json!({"issue_number": waits, "related_issue_number": first})).await?;
    assert_eq!(lab.get(&format!("/issues/{waits}/dependencies")).await?, json!([]));
    lab.refused(json!({"issue_number": waits, "related_issue_number": first})).await?;
    Ok(())
}
