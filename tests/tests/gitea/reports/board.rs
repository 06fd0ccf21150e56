//! A repository of its own for one failure, and what Gitea itself says has come of the reports.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gantry_tests::forge::Forge;
use http::StatusCode;
use serde_json::{Value, json};

use crate::lab;

/// Where one failure is reported.
pub(crate) struct Board {
    pub(crate) forge: Arc<Forge>,
    pub(crate) repo: String,
}

impl Board {
    pub(crate) async fn new(forge: &Arc<Forge>) -> Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let repo = format!("reports-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        forge.post(&forge.user("alice").token, "/user/repos", json!({"name": repo})).await?;
        Ok(Self { forge: forge.clone(), repo })
    }

    fn path(&self, path: &str) -> String {
        format!("/repos/alice/{}{path}", self.repo)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.forge.get(&self.forge.user("alice").token, &self.path(path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.forge.post(&self.forge.user("alice").token, &self.path(path), body).await
    }

    /// What a person does to an issue; Gitea may be too busy at first.
    pub(crate) async fn edit(&self, number: &Value, change: Value) -> Result<Value> {
        let path = self.path(&format!("/issues/{number}"));
        let mut tries = 0..5;
        loop {
            match self.forge.patch(&self.forge.user("alice").token, &path, change.clone()).await {
                Err(busy) if tries.next().is_some() && busy.to_string().contains(": 500 ") => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                done => return done,
            }
        }
    }

    /// Reports through the server at `host`; it may die meanwhile.
    pub(crate) async fn attempt(
        &self,
        host: &str,
        fingerprint: &str,
        id: &str,
    ) -> Result<(StatusCode, Value)> {
        let report = json!({"owner": "alice", "repo": self.repo, "title": "the build fails", "body": format!("log of {id}"),
                            "fingerprint": fingerprint, "occurrence_id": id});
        lab::call(host, "report_failure", &report).await
    }

    /// Reports, and gives what must be a success.
    pub(crate) async fn report(&self, host: &str, id: &str) -> Result<Value> {
        self.report_of(host, "build", id).await
    }

    /// The same of another failure.
    pub(crate) async fn report_of(&self, host: &str, fingerprint: &str, id: &str) -> Result<Value> {
        let (status, answer) = self.attempt(host, fingerprint, id).await?;
        ensure!(status == StatusCode::OK, "{}: {status} {answer}", self.repo);
        Ok(answer)
    }

    /// The issues, lowest number first.
    pub(crate) async fn issues(&self) -> Result<Vec<Value>> {
        let issues = self.get("/issues?state=all&type=issues&limit=50").await?;
        let mut issues = issues.as_array().context("issues")?.clone();
        issues.sort_by_key(|issue| issue["number"].as_u64());
        Ok(issues)
    }

    pub(crate) async fn comments(&self, issue: &Value) -> Result<Vec<Value>> {
        let comments = self.get(&format!("/issues/{}/comments", issue["number"])).await?;
        Ok(comments.as_array().context("comments")?.clone())
    }

    /// Fails unless exactly one issue is open, tells exactly `count` different occurrences, and is what every other
    /// one links to; how many others there are.
    pub(crate) async fn verdict(&self, count: usize) -> Result<usize> {
        let issues = self.issues().await?;
        let story = || format!("{}:\n{issues:#?}", self.repo);
        let (open, closed): (Vec<&Value>, Vec<_>) = issues.iter().partition(|issue| issue["state"] == "open");
        ensure!(open.len() == 1, "{} are open in {}", open.len(), story());
        ensure!(open[0]["number"] == issues[0]["number"], "not the lowest is open in {}", story());
        let told = self.told(open[0]).await?;
        ensure!(told.len() == count, "{} of {count} occurrences in {}", told.len(), story());
        for issue in &closed {
            let link = format!("duplicate of #{},", open[0]["number"]);
            let comments = self.comments(issue).await?;
            let links = comments.iter().any(|it| it["body"].as_str().unwrap_or_default().contains(&link));
            ensure!(links, "{issue} does not link to the open one, in {}", story());
        }
        Ok(closed.len())
    }

    /// The same where a person has closed issues meanwhile: those of lower numbers than the open one are the failure's
    /// past, and tell what was told then; those of higher ones have given all of it to the open one.
    pub(crate) async fn verdict_beside_a_person(&self, count: usize) -> Result<()> {
        let issues = self.issues().await?;
        let story = || format!("{}:\n{issues:#?}", self.repo);
        let open: Vec<_> = (0..issues.len()).filter(|at| issues[*at]["state"] == "open").collect();
        ensure!(open.len() == 1, "{} are open in {}", open.len(), story());
        let (own, later) = issues.split_at(open[0] + 1);
        let mut told = BTreeSet::new();
        for issue in own {
            told.extend(self.told(issue).await?);
        }
        ensure!(told.len() == count, "{} of {count} occurrences in {}", told.len(), story());
        for issue in later {
            let mark = issue["body"].as_str().and_then(|body| body.lines().next()).unwrap_or_default();
            ensure!(mark.contains(" taken-over "), "{} is not settled in {}", issue["number"], story());
        }
        Ok(())
    }

    /// The different occurrences that an issue tells.
    pub(crate) async fn told(&self, issue: &Value) -> Result<BTreeSet<String>> {
        Ok(self.tellings(issue).await?.into_iter().collect())
    }

    /// The occurrences that an issue tells, one as often as it does.
    pub(crate) async fn tellings(&self, issue: &Value) -> Result<Vec<String>> {
        let comments = self.comments(issue).await?;
        let texts = std::iter::once(issue).chain(&comments).filter_map(|it| it["body"].as_str());
        let marks = texts.filter_map(|text| text.lines().next()?.split_once(" occurrence "));
        Ok(marks.filter_map(|(_, rest)| rest.split(' ').next()).map(str::to_owned).collect())
    }

    /// How many requests that change something Gitea has written down for this repository.
    pub(crate) async fn writes(&self) -> Result<usize> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        // Once it has written this one down, it has all that it answered before.
        let last = format!("mark={}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.get(&format!("/issues?{last}")).await?;
        self.forge.requests(&last, 1).await?;
        let requests = self.forge.requests(&self.path("/"), 0).await?;
        Ok(requests.iter().filter(|request| request.method != "GET").count())
    }
}
