//! Edits that a forge answers with success although it has not done them, or has done harm: they are refused, and the
//! argument named.

use anyhow::{Context, Result, ensure};
use gantry_tests::fixture;
use gantry_tests::forge::Forge;
use gantry_tests::program::Program;
use http::StatusCode;
use serde_json::{Value, json};

use crate::lab;

/// Alice's repository `taken` and organisation `takers`, and a server that acts as her.
struct Place {
    forge: Forge,
    server: Program,
}

impl Place {
    async fn new(programs: &str) -> Result<Self> {
        let forge = Forge::start(programs).await?;
        let alice = &forge.user("alice").token;
        let new = json!({"name": "taken", "default_branch": "main", "auto_init": true});
        forge.post(alice, "/user/repos", new).await?;
        forge.post(alice, "/orgs", json!({"username": "takers"})).await?;
        let server = lab::server(&forge, &[]).await?;
        Ok(Self { forge, server })
    }

    async fn call(&self, tool: &str, arguments: &Value) -> Result<(StatusCode, Value)> {
        let mut all = arguments.clone();
        if all["org"].is_null() {
            all["owner"] = json!("alice");
            all["repo"] = json!("taken");
        }
        lab::call(&self.server.host, tool, &all).await
    }

    async fn done(&self, tool: &str, arguments: Value) -> Result<Value> {
        let (status, answer) = self.call(tool, &arguments).await?;
        ensure!(status == StatusCode::OK, "{tool} {arguments}: {status}: {answer}");
        Ok(answer)
    }

    /// What is said against this argument.
    async fn refused(&self, tool: &str, arguments: Value, field: &str) -> Result<String> {
        let (status, error) = self.call(tool, &arguments).await?;
        ensure!(status == StatusCode::BAD_REQUEST, "{tool} {arguments}: {status}: {error}");
        ensure!(error["details"]["field"] == field, "{tool} {arguments}: {error}");
        Ok(error["message"].as_str().context("no message")?.to_owned())
    }

    async fn get(&self, path: &str) -> Result<Value> {
        self.forge.get(&self.forge.user("alice").token, path).await
    }

    async fn here(&self, path: &str) -> Result<Value> {
        self.get(&format!("/repos/alice/taken{path}")).await
    }
}

#[tokio::test]
async fn a_webhook_has_the_events_it_was_given() -> Result<()> {
    let Some(programs) = fixture("gitea: taken", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let place = Place::new(&programs).await?;
    let new = |events: Value| json!({"method": "create", "url": "http://127.0.0.1:1/x", "events": events});
    for events in [json!(["issue", "pushes"]), json!(["push", "issue"]), json!([])] {
        place.refused("webhook_write", new(events), "events").await?;
    }
    assert_eq!(place.here("/hooks").await?, json!([]), "none is left behind");
    let known = json!([
        "create",
        "delete",
        "fork",
        "push",
        "issues_only",
        "issue_assign",
        "issue_label",
        "issue_milestone",
        "issue_comment",
        "pull_request_only",
        "pull_request_assign",
        "pull_request_label",
        "pull_request_milestone",
        "pull_request_comment",
        "pull_request_review",
        "pull_request_sync",
        "pull_request_review_request",
        "wiki",
        "repository",
        "release",
        "package",
        "status",
        "workflow_run",
        "workflow_job"
    ]);
    let made = place.done("webhook_write", new(known)).await?;
    let id = made["id"].clone();
    place.done("webhook_write", json!({"method": "delete", "id": id})).await?;
    place.done("webhook_write", new(json!(["issues", "pull_request"]))).await?;

    let mut new = new(json!(["issue_label", "push"]));
    new["authorization_header"] = json!("Bearer x");
    let id = place.done("webhook_write", new).await?["id"].clone();
    let sorted = async || {
        let mut hook = place.here(&format!("/hooks/{id}")).await?;
        hook["events"].as_array_mut().context("no events")?.sort_by_key(Value::to_string);
        hook["updated_at"].take();
        anyhow::Ok(hook)
    };
    let before = sorted().await?;
    let edit =
        |events: Value| json!({"method": "edit", "id": id, "url": "http://127.0.0.1:1/y", "events": events});
    for events in [json!(["pushes"]), json!([])] {
        place.refused("webhook_write", edit(events), "events").await?;
        assert_eq!(sorted().await?, before, "it is as it was");
    }
    place.done("webhook_write", edit(json!(["release"]))).await?;
    assert_eq!(sorted().await?["events"], json!(["release"]));
    Ok(())
}

#[tokio::test]
async fn a_team_keeps_its_units() -> Result<()> {
    let Some(programs) = fixture("gitea: taken", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let place = Place::new(&programs).await?;
    let team = |method: &str, units: Value| json!({"method": method, "org": "takers", "team": "devs", "permission": "write", "units": units});
    for units in [json!(["bogus"]), json!([])] {
        place.refused("org_write", team("create_team", units), "units").await?;
    }
    place.done("org_write", team("create_team", json!(["code", "Issues", "repo.wiki"]))).await?;
    let units = async || {
        let teams = place.get("/orgs/takers/teams").await?;
        let devs = teams.as_array().into_iter().flatten().find(|team| team["name"] == "devs");
        let units = devs.context("no team")?["units_map"].as_object().context("no units")?.clone();
        anyhow::Ok(units.into_iter().filter(|(_, level)| level != "none").map(|it| it.0).collect::<Vec<_>>())
    };
    let mut are = units().await?;
    are.sort_unstable();
    assert_eq!(are, ["repo.code", "repo.issues", "repo.wiki"]);
    for units in [json!(["bogus"]), json!(["repo.code", "repo.bogus"]), json!([])] {
        place.refused("org_write", team("edit_team", units), "units").await?;
    }
    assert_eq!(units().await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_emptied_is_told() -> Result<()> {
    let Some(programs) = fixture("gitea: taken", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let place = Place::new(&programs).await?;
    let new = json!({"tag_name": "v1", "target": "main", "title": "One", "body": "notes"});
    let id = place.done("create_release", new).await?["id"].clone();
    for field in ["title", "body", "tag_name", "target"] {
        place.refused("release_write", json!({"method": "edit", "id": id, field: ""}), field).await?;
    }
    place.refused("release_write", json!({"method": "edit", "id": id}), "title").await?;

    place.done("milestone_write", json!({"method": "create", "title": "M", "description": "d"})).await?;
    place.refused("milestone_write", json!({"method": "edit", "id": "M", "title": ""}), "title").await?;
    place.refused("milestone_write", json!({"method": "edit", "id": "M"}), "title").await?;
    place.done("milestone_write", json!({"method": "edit", "id": "M", "description": ""})).await?;
    assert_eq!(place.here("/milestones").await?[0]["description"], "");
    Ok(())
}

#[tokio::test]
async fn a_label_has_a_name() -> Result<()> {
    let Some(programs) = fixture("gitea: taken", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let place = Place::new(&programs).await?;
    let tool = "label_write";
    for (kind, whose) in [("repo", json!({})), ("org", json!({"org": "takers"}))] {
        let with = |method: &str, more: Value| {
            let mut all = whose.clone();
            all["method"] = json!(format!("{method}_{kind}_label"));
            for (name, value) in more.as_object().into_iter().flatten() {
                all[name] = value.clone();
            }
            all
        };
        place.refused(tool, with("create", json!({"name": " ", "color": "#ff0000"})), "name").await?;
        let made = place.done(tool, with("create", json!({"name": "bug", "color": "#ff0000"}))).await?;
        place.refused(tool, with("edit", json!({"id": made["id"], "name": ""})), "name").await?;
        let message = place.refused(tool, with("edit", json!({"id": made["id"]})), "name").await?;
        assert!(message.contains("nothing to change"), "{message}");
    }
    assert_eq!(place.here("/labels").await?[0]["name"], "bug");
    Ok(())
}

#[tokio::test]
async fn a_default_branch_is_one_there_is() -> Result<()> {
    let Some(programs) = fixture("gitea: taken", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let place = Place::new(&programs).await?;
    let edit = |more: Value| {
        let mut all = json!({"method": "edit"});
        all["default_branch"] = more;
        all
    };
    let message = place.refused("repo_write", edit(json!("nob")), "default_branch").await?;
    assert!(message.contains("main") && message.contains("nob"), "{message}");
    place.refused("repo_write", edit(json!(null)), "description").await?;
    place.done("create_branch", json!({"branch": "side"})).await?;
    place.done("repo_write", edit(json!("side"))).await?;
    assert_eq!(place.here("").await?["default_branch"], "side");
    Ok(())
}

#[tokio::test]
async fn an_argument_has_one_of_its_names() -> Result<()> {
    let Some(programs) = fixture("gitea: taken", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let place = Place::new(&programs).await?;
    for title in ["one", "two"] {
        place.done("issue_write", json!({"method": "create", "title": title})).await?;
    }
    for both in [json!({"index": 1, "issue_number": 2}), json!({"issue_number": 2, "index": 1})] {
        let mut edit = both;
        edit["title"] = json!("which?");
        place.refused("edit_issue", edit, "index").await?;
    }
    place.done("edit_issue", json!({"index": 1, "issue_number": null, "title": "first"})).await?;
    place.done("edit_issue", json!({"issue_number": 2, "title": "second"})).await?;
    for (number, title) in [(1, "first"), (2, "second")] {
        assert_eq!(place.here(&format!("/issues/{number}")).await?["title"], title);
    }
    Ok(())
}
