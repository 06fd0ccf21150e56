//! Pull requests: what there is to read of them, and what can be done with them.

use anyhow::{Context, Result};
use gantry_tests::forge::User;
use serde_json::{Value, json};

use crate::lab::{self, Lab, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row!("list_pull_requests", "", ["list_repo_pull_requests"], list),
        row!("pull_request_read", "get", ["get_pull_request_by_index"], get),
        row!("pull_request_read", "get_diff", ["get_pull_request_diff"], get_diff),
        row!("pull_request_read", "get_files", [], get_files),
        row!("pull_request_read", "get_status", [], get_status),
        row!("pull_request_read", "get_reviews", ["list_pull_request_reviews"], get_reviews),
        row!("pull_request_read", "get_review", ["get_pull_request_review"], get_review),
        row!(
            "pull_request_read",
            "get_review_comments",
            ["list_pull_request_review_comments"],
            get_review_comments
        ),
        row!("pull_request_read", "get_comments", [], get_comments),
        row!("pull_request_write", "create", ["create_pull_request"], create),
        row!("pull_request_write", "update", ["edit_pull_request"], update),
        row!("pull_request_write", "close", [], close),
        row!("pull_request_write", "reopen", [], reopen),
        row!("pull_request_write", "merge", ["merge_pull_request"], merge),
        row!("pull_request_write", "update_branch", [], update_branch),
        row!("pull_request_write", "add_reviewers", ["create_pull_request_reviewer"], add_reviewers),
        row!("pull_request_write", "remove_reviewers", ["delete_pull_request_reviewer"], remove_reviewers),
    ]
}

/// A branch with a change of its own; the commit's sha.
async fn branch(lab: &Lab, name: &str) -> Result<String> {
    let path = format!("{name}.txt");
    lab.forge.push(lab.alice(), &place(lab), name, &[(&path, b"one\ntwo\n"), ("ä b.md", b"x\n")]).await
}

fn place(lab: &Lab) -> String {
    format!("alice/{}", lab.repo)
}

/// A pull request of alice's from a branch of this name, as Gitea has it.
pub(super) async fn pull(lab: &Lab, name: &str) -> Result<Value> {
    branch(lab, name).await?;
    lab.post("/pulls", json!({"title": name, "head": name, "base": "main", "body": "why"})).await
}

/// Bob may work on the repository.
pub(super) async fn let_bob_in(lab: &Lab) -> Result<()> {
    let path = format!("/repos/{}/collaborators/bob", place(lab));
    lab.forge.put(&lab.alice().token, &path, json!({"permission": "write"})).await?;
    Ok(())
}

/// A review of bob's on the first line of the pull request's own file.
pub(super) async fn review(lab: &Lab, number: &Value, event: &str) -> Result<Value> {
    let_bob_in(lab).await?;
    let pull = lab.get(&format!("/pulls/{number}")).await?;
    let path = format!("{}.txt", pull["head"]["ref"].as_str().context("head")?);
    let comments = json!([{"path": path, "body": "one?", "new_position": 1}]);
    let review = json!({"event": event, "body": "hm", "comments": comments});
    as_bob(lab, &format!("/pulls/{number}/reviews"), review).await
}

async fn as_bob(lab: &Lab, path: &str, body: Value) -> Result<Value> {
    let bob: &User = lab.forge.user("bob");
    lab.forge.post(&bob.token, &format!("/repos/{}{path}", place(lab)), body).await
}

async fn list(lab: &Lab) -> Result<()> {
    for name in ["a", "b", "c"] {
        pull(lab, name).await?;
    }
    lab.forge
        .patch(&lab.alice().token, &format!("/repos/{}/pulls/2", place(lab)), json!({"state": "closed"}))
        .await?;
    let all = lab.here(json!({"per_page": 2})).await?;
    assert_eq!((&all["total_count"], &all["has_next"]), (&json!(3), &json!(true)), "{all}");
    let open = lab.here(json!({"state": "open", "sort": "oldest"})).await?;
    let numbers: Vec<_> = open["items"].as_array().context("items")?.iter().map(|it| &it["number"]).collect();
    assert_eq!(numbers, [1, 3], "{open}");
    assert_eq!(open["items"][0]["user"], "alice");
    for field in ["state", "sort"] {
        for value in ["", "newest"] {
            let error = lab.refused(json!({field: value})).await?;
            assert_eq!(error["details"]["field"], field, "{error}");
        }
    }
    Ok(())
}

async fn get(lab: &Lab) -> Result<()> {
    let there = pull(lab, "topic").await?;
    let got = lab.here(json!({"pull_number": 1})).await?;
    assert_eq!((&got["title"], &got["head"]["sha"]), (&json!("topic"), &there["head"]["sha"]), "{got}");
    assert_eq!(got["changed_files"], 2);
    assert_eq!(lab.refused(json!({"pull_number": 9})).await?["details"]["status"], 404);
    Ok(())
}

async fn get_diff(lab: &Lab) -> Result<()> {
    pull(lab, "topic").await?;
    let whole = lab.forge.bytes(&lab.alice().token, &format!("/repos/{}/pulls/1.diff", place(lab))).await?;
    let index = lab.here(json!({"pull_number": 1})).await?;
    assert_eq!(
        index["text"].as_str().map(str::as_bytes),
        Some(&*whole),
        "a small diff comes at once: {index}"
    );
    assert_eq!((&index["files"], &index["additions"]), (&json!(2), &json!(3)));
    let files: Vec<_> = index["items"].as_array().context("items")?.iter().map(|it| &it["path"]).collect();
    assert_eq!(files, ["topic.txt", "ä b.md"]);

    let one = lab.here(json!({"pull_number": 1, "file": "ä b.md"})).await?;
    assert!(one["text"].as_str().is_some_and(|text| text.ends_with("+x\n")), "{one}");
    let hunk = lab.here(json!({"pull_number": 1, "file": "topic.txt", "hunks": "1"})).await?;
    assert_eq!(hunk["text"], "@@ -0,0 +1,2 @@\n+one\n+two\n");
    let first = lab.here(json!({"pull_number": 1, "per_page": 1, "max_lines": 1})).await?;
    assert_eq!((first["items"].as_array().map(Vec::len), &first["text"]), (Some(1), &Value::Null), "{first}");
    let second = lab.here(json!({"pull_number": 1, "cursor": first["next_cursor"]})).await?;
    assert_eq!((&second["items"][0]["path"], &second["has_next"]), (&json!("ä b.md"), &json!(false)));

    for (wrong, field) in [
        (json!({"file": "none"}), "file"),
        (json!({"hunks": "1"}), "hunks"),
        (json!({"file": "topic.txt", "hunks": "2-3"}), "hunks"),
        (json!({"file": "topic.txt", "hunks": "3-2"}), "hunks"),
        (json!({"cursor": "2.30"}), "cursor"),
        (json!({"max_bytes": 1}), "max_bytes"),
        (json!({"max_lines": 0}), "max_lines"),
    ] {
        let mut arguments = wrong.clone();
        arguments["pull_number"] = json!(1);
        let error = lab.refused(arguments).await?;
        assert_eq!(error["details"]["field"], field, "{wrong}: {error}");
    }
    Ok(())
}

async fn get_files(lab: &Lab) -> Result<()> {
    pull(lab, "topic").await?;
    let files = lab.here(json!({"pull_number": 1, "per_page": 1})).await?;
    assert_eq!((&files["total_count"], &files["has_next"]), (&json!(2), &json!(true)), "{files}");
    assert_eq!(
        (&files["items"][0]["filename"], &files["items"][0]["additions"]),
        (&json!("topic.txt"), &json!(2))
    );
    Ok(())
}

async fn get_status(lab: &Lab) -> Result<()> {
    let sha = pull(lab, "topic").await?["head"]["sha"].clone();
    let sha = sha.as_str().context("sha")?;
    let none = lab.here(json!({"pull_number": 1})).await?;
    assert_eq!((&none["total_count"], &none["pending"]), (&json!(0), &json!(false)), "{none}");

    let path = format!("/statuses/{sha}");
    let say = |context: &'static str, state: &'static str| {
        lab.post(&path, json!({"context": context, "state": state}))
    };
    say("build", "success").await?;
    say("test", "pending").await?;
    let waiting = lab.here(json!({"pull_number": 1, "wait_seconds": 1})).await?;
    assert_eq!((&waiting["state"], &waiting["pending"]), (&json!("pending"), &json!(true)), "{waiting}");
    let (ended, said) = tokio::join!(lab.here(json!({"pull_number": 1, "wait_seconds": 40})), async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        say("test", "failure").await
    });
    said?;
    let ended = ended?;
    assert_eq!((&ended["state"], &ended["pending"]), (&json!("failure"), &json!(false)), "{ended}");
    let waited = ended["waited_seconds"].as_u64().context("waited_seconds")?;
    assert!(waited < 40, "it ends with the checks: {ended}");
    let error = lab.refused(json!({"pull_number": 1, "wait_seconds": 46})).await?;
    assert_eq!(error["details"]["field"], "wait_seconds");
    Ok(())
}

async fn get_reviews(lab: &Lab) -> Result<()> {
    let number = pull(lab, "topic").await?["number"].clone();
    review(lab, &number, "APPROVED").await?;
    let reviews = lab.here(json!({"pull_number": number})).await?;
    let first = &reviews["items"][0];
    assert_eq!((&first["state"], &first["user"]), (&json!("APPROVED"), &json!("bob")), "{reviews}");
    Ok(())
}

async fn get_review(lab: &Lab) -> Result<()> {
    let number = pull(lab, "topic").await?["number"].clone();
    let id = review(lab, &number, "REQUEST_CHANGES").await?["id"].clone();
    let got = lab.here(json!({"pull_number": number, "review_id": id})).await?;
    assert_eq!((&got["state"], &got["body"]), (&json!("REQUEST_CHANGES"), &json!("hm")), "{got}");
    Ok(())
}

async fn get_review_comments(lab: &Lab) -> Result<()> {
    let number = pull(lab, "topic").await?["number"].clone();
    let id = review(lab, &number, "COMMENT").await?["id"].clone();
    let comments = lab.here(json!({"pull_number": number, "review_id": id})).await?;
    let first = &comments["items"][0];
    assert_eq!(
        (&first["path"], &first["new_line_num"], &first["body"]),
        (&json!("topic.txt"), &json!(1), &json!("one?")),
        "{comments}"
    );
    Ok(())
}

async fn get_comments(lab: &Lab) -> Result<()> {
    pull(lab, "topic").await?;
    for body in ["short".to_owned(), "long ".repeat(200)] {
        lab.post("/issues/1/comments", json!({"body": body})).await?;
    }
    let comments = lab.here(json!({"pull_number": 1})).await?;
    let long = comments["items"][1]["body"].as_str().context("body")?;
    assert_eq!((&comments["items"][0]["body"], &comments["total_count"]), (&json!("short"), &json!(2)));
    assert!(long.len() < 500 && long.contains("bytes more"), "{long}");
    Ok(())
}

async fn create(lab: &Lab) -> Result<()> {
    branch(lab, "topic").await?;
    let_bob_in(lab).await?;
    lab.post("/labels", json!({"name": "bug", "color": "#ff0000"})).await?;
    lab.post("/milestones", json!({"title": "v1"})).await?;
    let new = json!({"title": "Topic", "head": "topic", "base": "main", "body": "why", "draft": true, "labels": ["bug"],
                     "milestone": "v1", "assignees": ["bob"], "reviewers": ["bob"], "deadline": "2030-02-01"});
    let mut dry = new.clone();
    dry["dry_run"] = json!(true);
    assert_eq!(lab.here(dry).await?["would"]["body"]["title"], "WIP: Topic");
    assert_eq!(lab.get("/pulls").await?, json!([]));
    let made = lab.here(new.clone()).await?;
    let there = lab.get("/pulls/1").await?;
    assert_eq!((&there["title"], &there["draft"]), (&json!("WIP: Topic"), &json!(true)));
    assert_eq!((&there["labels"][0]["name"], &there["milestone"]["title"]), (&json!("bug"), &json!("v1")));
    assert_eq!(there["assignees"][0]["login"], "bob");
    assert_eq!(there["requested_reviewers"][0]["login"], "bob");
    assert!(there["due_date"].as_str().is_some_and(|it| it.starts_with("2030-02-01")), "{there}");

    assert_eq!(lab.here(new.clone()).await?["number"], made["number"], "a retry gets the same one");
    assert_eq!(lab.get("/pulls").await?.as_array().map(Vec::len), Some(1));
    for (field, value) in [("labels", json!(["none"])), ("milestone", json!("none"))] {
        let mut wrong = new.clone();
        wrong[field] = value;
        let error = lab.refused(wrong).await?;
        assert!(error["details"]["field"].as_str().is_some_and(|it| it.starts_with(field)), "{error}");
    }
    let error = lab.refused(json!({"title": "Other", "head": "topic", "base": "main"})).await?;
    assert_eq!(error["details"]["field"], "head", "{error}");

    // A key finds it even where it is not open any more.
    branch(lab, "keyed").await?;
    let new =
        json!({"title": "Keyed", "head": "keyed", "base": "main", "body": "why", "idempotency_key": "k1"});
    let made = lab.here(new.clone()).await?;
    let path = format!("/repos/{}/pulls/{}", place(lab), made["number"]);
    lab.forge.patch(&lab.alice().token, &path, json!({"state": "closed"})).await?;
    assert_eq!(lab.here(new).await?["number"], made["number"]);
    assert_eq!(lab.get("/pulls?state=all").await?.as_array().map(Vec::len), Some(2));
    Ok(())
}

async fn update(lab: &Lab) -> Result<()> {
    pull(lab, "topic").await?;
    branch(lab, "next").await?;
    for name in ["one", "two"] {
        lab.post("/labels", json!({"name": name, "color": "#ff0000"})).await?;
    }
    let to = json!({"pull_number": 1, "title": "New", "body": "because", "base": "next", "labels": ["two"], "draft": true});
    lab.here(to).await?;
    let there = lab.get("/pulls/1").await?;
    assert_eq!((&there["title"], &there["body"]), (&json!("WIP: New"), &json!("because")));
    assert_eq!((&there["base"]["ref"], &there["labels"][0]["name"]), (&json!("next"), &json!("two")));
    lab.post("/milestones", json!({"title": "v1"})).await?;
    lab.here(json!({"pull_number": 1, "draft": false, "milestone": "v1"})).await?;
    assert_eq!(lab.get("/pulls/1").await?["milestone"]["title"], "v1");
    lab.here(json!({"pull_number": 1, "milestone": "0"})).await?;
    assert_eq!(lab.get("/pulls/1").await?["milestone"], Value::Null);
    assert_eq!(lab.get("/pulls/1").await?["title"], "New");
    lab.here(json!({"pull_number": 1, "deadline": "2030-01-02"})).await?;
    let both = json!({"pull_number": 1, "deadline": "2031-01-02", "remove_deadline": true});
    assert_eq!(lab.refused(both).await?["details"]["field"], "remove_deadline");
    let due = lab.get("/pulls/1").await?["due_date"].clone();
    assert!(due.as_str().is_some_and(|day| day.starts_with("2030-01-02")), "{due}");
    lab.here(json!({"pull_number": 1, "remove_deadline": true})).await?;
    assert_eq!(lab.get("/pulls/1").await?["due_date"], Value::Null);
    for title in ["", "  ", &"x".repeat(256)] {
        let error = lab.refused(json!({"pull_number": 1, "title": title})).await?;
        assert_eq!(error["details"]["field"], "title", "{error}");
    }
    lab.here(json!({"pull_number": 1, "state": "closed"})).await?;
    assert_eq!(lab.get("/pulls/1").await?["state"], "closed");
    Ok(())
}

async fn close(lab: &Lab) -> Result<()> {
    pull(lab, "topic").await?;
    for _ in 0..2 {
        lab.here(json!({"pull_number": 1})).await?;
        assert_eq!(lab.get("/pulls/1").await?["state"], "closed");
    }
    Ok(())
}

async fn reopen(lab: &Lab) -> Result<()> {
    pull(lab, "topic").await?;
    let path = format!("/repos/{}/pulls/1", place(lab));
    lab.forge.patch(&lab.alice().token, &path, json!({"state": "closed"})).await?;
    lab.here(json!({"pull_number": 1})).await?;
    assert_eq!(lab.get("/pulls/1").await?["state"], "open");
    Ok(())
}

async fn merge(lab: &Lab) -> Result<()> {
    let sha = pull(lab, "topic").await?["head"]["sha"].clone();
    let main = lab.get("/branches/main").await?["commit"]["id"].clone();
    let error = lab.refused(json!({"pull_number": 1, "head_commit_id": main})).await?;
    assert_eq!(
        (&error["details"]["field"], &error["details"]["actual"]),
        (&json!("head_commit_id"), &sha),
        "{error}"
    );
    let error = lab.refused(json!({"pull_number": 1, "merge_style": "bogus"})).await?;
    assert_eq!(error["details"]["field"], "merge_style", "{error}");
    assert_eq!(lab.get("/pulls/1").await?["merged"], false);

    // At once, though Gitea has not yet looked into whether it can be done.
    let how = json!({"pull_number": 1, "merge_style": "squash", "title": "All of it", "message": "Body",
                     "delete_branch": true, "head_commit_id": sha});
    let merged = lab.here(how.clone()).await?;
    let there = lab.get("/pulls/1").await?;
    assert_eq!((&merged["merged"], &there["merged"]), (&json!(true), &json!(true)), "{merged}");
    let head = lab.get("/branches/main").await?["commit"].clone();
    assert!(head["message"].as_str().is_some_and(|it| it.starts_with("All of it\n\nBody")), "{head}");
    assert_eq!(lab.status("/branches/topic").await?, 404);
    assert_eq!(
        lab.here(how).await?["merge_commit_sha"],
        merged["merge_commit_sha"],
        "a retry changes nothing"
    );
    let base =
        json!({"owner": "alice", "repo": lab.repo, "method": "update", "pull_number": 1, "base": "nowhere"});
    let (_, error) = lab::call(&lab.host, "pull_request_write", &base).await?;
    assert!(error["message"].as_str().is_some_and(|it| it.contains("stays on main")), "{error}");

    not_ready(lab).await
}

/// What cannot be merged says why.
async fn not_ready(lab: &Lab) -> Result<()> {
    pull(lab, "second").await?;
    let path = format!("/repos/{}/pulls/2", place(lab));
    lab.forge.patch(&lab.alice().token, &path, json!({"title": "WIP: second"})).await?;
    let error = lab.refused(json!({"pull_number": 2})).await?;
    assert!(error["message"].as_str().is_some_and(|it| it.contains("draft")), "{error}");
    lab.forge.patch(&lab.alice().token, &path, json!({"title": "second"})).await?;
    lab.forge.push(lab.alice(), &place(lab), "main", &[("second.txt", b"other\n")]).await?;
    let error = lab.refused(json!({"pull_number": 2})).await?;
    assert!(error["message"].as_str().is_some_and(|it| it.contains("not ready to be merged")), "{error}");

    // With a required check, the merge waits for it.
    pull(lab, "third").await?;
    let rule = json!({"rule_name": "main", "enable_status_check": true, "status_check_contexts": ["build"],
                      "enable_push": true});
    lab.post("/branch_protections", rule).await?;
    let scheduled = lab.here(json!({"pull_number": 3, "merge_when_checks_succeed": true})).await?;
    assert_eq!((&scheduled["scheduled"], &scheduled["merged"]), (&json!(true), &json!(false)), "{scheduled}");
    let sha = scheduled["head"]["sha"].as_str().context("sha")?;
    lab.post(&format!("/statuses/{sha}"), json!({"context": "build", "state": "success"})).await?;
    for _ in 0..100 {
        if lab.get("/pulls/3").await?["merged"] == true {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    anyhow::bail!("not merged when its check had succeeded")
}

async fn update_branch(lab: &Lab) -> Result<()> {
    let sha = pull(lab, "topic").await?["head"]["sha"].clone();
    let same = lab.here(json!({"pull_number": 1})).await?;
    assert_eq!((&same["updated"], &same["head"]["sha"]), (&json!(false), &sha), "{same}");
    lab.forge.push(lab.alice(), &place(lab), "main", &[("new.txt", b"new\n")]).await?;
    let updated = lab.here(json!({"pull_number": 1, "head_commit_id": sha})).await?;
    assert_eq!(updated["updated"], true, "{updated}");
    let head = lab.get("/branches/topic").await?["commit"]["id"].clone();
    assert_ne!(head, sha);
    assert_eq!(updated["head"]["sha"], head);
    assert_eq!(lab.status("/contents/new.txt?ref=topic").await?, 200);
    Ok(())
}

async fn add_reviewers(lab: &Lab) -> Result<()> {
    pull(lab, "topic").await?;
    let_bob_in(lab).await?;
    lab.here(json!({"pull_number": 1, "reviewers": ["bob"]})).await?;
    assert_eq!(lab.get("/pulls/1").await?["requested_reviewers"][0]["login"], "bob");
    assert_eq!(lab.refused(json!({"pull_number": 1})).await?["details"]["field"], "reviewers");
    let error = lab.refused(json!({"pull_number": 1, "team_reviewers": ["owners"]})).await?;
    assert_eq!(error["details"]["field"], "team_reviewers[0]", "{error}");
    let error = lab.refused(json!({"pull_number": 1, "reviewers": ["nobody"]})).await?;
    assert_eq!(error["details"]["field"], "reviewers[0]", "{error}");
    team(lab).await
}

/// A team of an organization's, by its name.
async fn team(lab: &Lab) -> Result<()> {
    let (alice, org) = (lab.alice(), format!("org-{}", lab.number));
    let token = &alice.token;
    lab.forge.post(token, "/orgs", json!({"username": org})).await?;
    let new = json!({"name": "r", "auto_init": true, "default_branch": "main"});
    lab.forge.post(token, &format!("/orgs/{org}/repos"), new).await?;
    let team = json!({"name": "crew", "permission": "write", "units": ["repo.code", "repo.pulls"],
                      "includes_all_repositories": true});
    lab.forge.post(token, &format!("/orgs/{org}/teams"), team).await?;
    lab.forge.push(alice, &format!("{org}/r"), "topic", &[("a.txt", b"a\n")]).await?;
    let path = format!("/repos/{org}/r/pulls");
    lab.forge.post(token, &path, json!({"title": "topic", "head": "topic", "base": "main"})).await?;
    lab.call(json!({"owner": org, "repo": "r", "pull_number": 1, "team_reviewers": ["crew"]})).await?;
    let there = lab.forge.get(token, &format!("{path}/1")).await?;
    assert_eq!(there["requested_reviewers_teams"][0]["name"], "crew", "{there}");
    Ok(())
}

async fn remove_reviewers(lab: &Lab) -> Result<()> {
    pull(lab, "topic").await?;
    let_bob_in(lab).await?;
    lab.post("/pulls/1/requested_reviewers", json!({"reviewers": ["bob"]})).await?;
    lab.here(json!({"pull_number": 1, "reviewers": ["bob"]})).await?;
    assert_eq!(lab.get("/pulls/1").await?["requested_reviewers"], json!([]));
    Ok(())
}
