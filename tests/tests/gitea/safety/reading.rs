//! A server that may only read: its listing, its dispatch and its requests each say so by themselves.

use anyhow::{Result, ensure};
use gantry_tests::program::Program;
use gantry_tests::recorder::{Recorder, response};
use serde_json::{Value, json};

use super::call;
use crate::lab;

const KEYS: &str = "ci:read:the-reading-key,ops:write:the-writing-key";
const READER: &[(&str, &str)] = &[("x-api-key", "the-reading-key")];

/// Every tool that a caller sees, from each place that shows them.
async fn shown(host: &str, key: &[(&str, &str)]) -> Result<Vec<Value>> {
    let mut request = http::Request::get("/tools");
    for (name, value) in key {
        request = request.header(*name, *value);
    }
    let answer = gantry_tests::wire::send(host, request.body(Default::default())?).await?;
    let answer = gantry_tests::wire::json(&answer)?;
    Ok(answer["tools"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn nothing_that_writes_is_listed_called_or_sent() -> Result<()> {
    // A recorder, because a request that Gitea refuses for its own reasons would look the same.
    let upstream = Recorder::scripted(vec![Some(response(200, &[], b"{\"version\": \"1.26.0\"}"))]).await?;
    let url = format!("http://{}/", upstream.host);
    for style in ["grouped", "classic"] {
        let args = ["--gitea-host", &url, "--tool-style", style];
        let open = Program::start("gantry-gitea", &args).await?;
        let everything = lab::listing(&open.host).await?;
        for (setting, key) in [
            (&["--read-only"][..], &[][..]),
            (&["--gitea-readonly"], &[]),
            (&["--auth", "api-key", "--api-keys", KEYS], READER),
        ] {
            let server = Program::start("gantry-gitea", &[&args[..], setting].concat()).await?;
            let listed = shown(&server.host, key).await?;
            ensure!(!listed.is_empty() && listed.len() < everything.len(), "{setting:?}: {}", listed.len());
            for tool in &listed {
                ensure!(tool["annotations"]["readOnlyHint"] == true, "{setting:?} lists {tool}");
            }
            let mut writes = 0;
            for (name, arguments) in everything.iter().flat_map(calls) {
                let seen = upstream.seen().len();
                let (status, answer) = call(&server.host, &name, &arguments, key).await?;
                if answer["error"] == "FORBIDDEN" {
                    writes += 1;
                    ensure!(status == 403 && upstream.seen().len() == seen, "{name} {arguments}: {answer}");
                } else {
                    ensure!(reads(&listed, &name, &arguments), "{setting:?}: {name} {arguments}: {answer}");
                }
            }
            ensure!(writes > everything.len() / 4, "only {writes} of {} refused", everything.len());
            ensure!(server.log().lines().all(|line| !line.contains("panicked")), "{}", server.log());
        }
    }
    let sent = upstream.seen();
    ensure!(sent.iter().all(|it| it.method == "GET"), "{sent:?}");
    Ok(())
}

/// A call of each of a tool's methods with arguments of the right types.
fn calls(tool: &Value) -> Vec<(String, Value)> {
    let name = tool["name"].as_str().unwrap_or_default();
    let schema = &tool["inputSchema"];
    let arguments: serde_json::Map<_, _> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| schema["required"].as_array().is_some_and(|it| it.contains(&json!(name))))
        .map(|(name, property)| (name.clone(), example(property)))
        .collect();
    let methods = schema["properties"]["method"]["enum"].as_array().cloned();
    let with = |method: Option<Value>| {
        let mut arguments = arguments.clone();
        arguments.extend(method.map(|method| ("method".to_owned(), method)));
        (name.to_owned(), Value::Object(arguments))
    };
    methods.map_or_else(|| vec![with(None)], |all| all.into_iter().map(|it| with(Some(it))).collect())
}

fn example(property: &Value) -> Value {
    match property["type"].as_str() {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => property["enum"].get(0).cloned().unwrap_or(json!("x")),
    }
}

/// Whether the call is of a tool, and of a method of it, that is listed as reading.
fn reads(listed: &[Value], name: &str, arguments: &Value) -> bool {
    listed.iter().filter(|it| it["name"] == name).any(|tool| {
        let methods = tool["inputSchema"]["properties"]["method"]["enum"].as_array();
        methods.is_none_or(|all| all.contains(&arguments["method"]))
    })
}
