//! Requests that are wrong before any tool sees them: bodies, paths, strangers.

use anyhow::{Result, ensure};
use gantry_tests::program::{Fronted, Target};
use gantry_tests::wire;

use crate::{NO_ENGINE, clip};

/// A request that is wrong before any tool sees it.
struct Wrong {
    what: &'static str,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
    /// The statuses and codes that say so.
    answers: &'static [(u16, &'static str)],
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_refuses_wrong_requests() -> Result<()> {
    wrong_requests("everything", "everything", "echo", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_locust_refuses_wrong_requests() -> Result<()> {
    wrong_requests("docker-locust", "gantry-docker-locust", "docker_logs", NO_ENGINE).await
}

async fn wrong_requests(slug: &'static str, binary: &str, tool: &str, args: &[&str]) -> Result<()> {
    let mut servers = Fronted::start(slug, binary, args).await?;
    let mut failures = Vec::new();
    for target in servers.targets() {
        for wrong in strange_bodies(tool).into_iter().chain(strange_paths(tool)).chain(strangers(tool)) {
            let what =
                format!("{} {} at {:?}: {}", wrong.method, clip(&wrong.path), target.prefix, wrong.what);
            failures.extend(wrong.check(&target).await.err().map(|error| format!("{what}: {error:#}")));
        }
    }
    ensure!(failures.is_empty(), "{} requests:\n{}", failures.len(), failures.join("\n"));
    servers.check_alive().await
}

impl Wrong {
    async fn check(&self, target: &Target) -> Result<()> {
        let mut request = http::Request::builder().method(self.method).uri(target.path(&self.path));
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let answer = wire::send(&target.host, request.body(self.body.clone().into())?).await?;
        let text = clip(&String::from_utf8_lossy(answer.body()));
        let body = wire::json(&answer)?;
        // A JSON-RPC error carries our object as its data.
        let ours = if body.get("jsonrpc").is_some() { &body["error"]["data"] } else { &body };
        let told = (answer.status().as_u16(), ours["error"].as_str().unwrap_or_default());
        ensure!(self.answers.contains(&told), "{}: {text}", answer.status());
        Ok(())
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn strange_bodies(tool: &str) -> Vec<Wrong> {
    let tool = format!("/tools/{tool}");
    let large = format!(r#"{{"text": "{}"}}"#, "x".repeat(5 << 20));
    let deep = "[".repeat(100_000);
    let mut wrong = Vec::new();
    for path in [&*tool, "/mcp"] {
        let mut add = |what, header, body: &str, answers| {
            let (path, body) = (path.to_owned(), body.as_bytes().to_vec());
            wrong.push(Wrong { what, method: "POST", path, headers: vec![header], body, answers });
        };
        add("cut JSON", JSON, r#"{"text": "#, &[(400, "VALIDATION_ERROR")]);
        add("not UTF-8 JSON", JSON, "\u{fffd}{", &[(400, "VALIDATION_ERROR")]);
        add("deep JSON", JSON, &format!("{{\"a\": {deep}"), &[(400, "VALIDATION_ERROR")]);
        add("a number", JSON, "7", &[(400, "VALIDATION_ERROR")]);
        add("an empty batch", JSON, "[]", &[(400, "VALIDATION_ERROR")]);
        add("too large", JSON, &large, &[(413, "VALIDATION_ERROR")]);
        let form = ("content-type", "text/plain");
        add(
            "a form's content type",
            form,
            r#"{"text": "x"}"#,
            &[(400, "VALIDATION_ERROR"), (415, "VALIDATION_ERROR")],
        );
    }
    wrong
}

fn strange_paths(tool: &str) -> Vec<Wrong> {
    let long = format!("/tools/{}", "a".repeat(20_000));
    let paths = [
        "/tools/../health/../x".to_owned(),
        format!("/tools/../tools/{tool}"),
        format!("/tools/%2e%2e/tools/{tool}"),
        format!("/tools/..%2f..%2f{tool}"),
        "/../../etc/passwd".to_owned(),
        "/%2e%2e/%2e%2e/etc/passwd".to_owned(),
        format!("/tools/{tool}%00"),
        "/tools/%00".to_owned(),
        "/tools/%ff%fe".to_owned(),
        format!("/tools//{tool}"),
        format!("/tools/{tool}/"),
        format!("/tools/{tool}/x"),
        format!("/TOOLS/{tool}"),
        long,
        "/messages?session_id=../../x".to_owned(),
    ];
    paths
        .into_iter()
        .map(|path| Wrong {
            what: "a strange path",
            method: "POST",
            path,
            headers: vec![JSON],
            body: b"{}".to_vec(),
            // The edge refuses to forward what climbs out of a server's part.
            answers: &[(404, "NOT_FOUND"), (400, "VALIDATION_ERROR")],
        })
        .collect()
}

/// Pages of other origins and rebound names, on every door.
fn strangers(tool: &str) -> Vec<Wrong> {
    let doors = [
        ("POST", "/mcp".to_owned()),
        ("GET", "/mcp".to_owned()),
        ("GET", "/sse".to_owned()),
        ("POST", "/messages?session_id=x".to_owned()),
        ("GET", "/tools".to_owned()),
        ("GET", format!("/tools/{tool}")),
        ("POST", format!("/tools/{tool}")),
        ("GET", "/openapi.json".to_owned()),
        ("GET", "/docs".to_owned()),
        ("GET", "/metrics".to_owned()),
    ];
    let strange = [
        ("a rebound name", ("host", "evil.example")),
        ("a rebound name with our port", ("host", "evil.example:8002")),
        ("a name that begins like loopback", ("host", "127.0.0.1.evil.example")),
        ("a foreign page", ("origin", "https://evil.example")),
        ("a page without origin", ("origin", "null")),
    ];
    doors
        .iter()
        .flat_map(|(method, path)| {
            strange.map(|(what, header)| Wrong {
                what,
                method,
                path: path.clone(),
                headers: vec![JSON, header],
                body: b"{}".to_vec(),
                answers: &[(403, "FORBIDDEN")],
            })
        })
        .collect()
}
