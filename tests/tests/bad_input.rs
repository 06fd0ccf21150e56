//! Bad input, for every tool a server lists and through every door: a refusal with the right code that names the
//! field, no panic, and a server that goes on answering.

use anyhow::{Context, Result, ensure};
use gantry_tests::door::{Answer, Door};
use gantry_tests::program::{Fronted, Target};
use gantry_tests::wire;
use serde_json::{Map, Value, json};

const NO_ENGINE: &[&str] = &["--docker-host", "unix:///nonexistent/docker.sock"];
const UNKNOWN: &str = "no_such_field";
/// Refusals of the protocol itself that the example server's tools meet: a header that repeats an argument is
/// missing; the client cannot be asked back.
const PROTOCOL: &[i64] = &[-32020, -32021];

#[tokio::test(flavor = "multi_thread")]
async fn everything_refuses_bad_arguments() -> Result<()> {
    bad_arguments("everything", "everything", &[], &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_locust_refuses_bad_arguments() -> Result<()> {
    // Without an engine and a Locust nothing can succeed; it must say so with these codes.
    let failures = &["SERVICE_ERROR", "VALIDATION_ERROR"];
    bad_arguments("docker-locust", "gantry-docker-locust", NO_ENGINE, failures).await
}

/// Calls every tool through every door, directly and through the edge, with every case made from its schema.
/// Where `failures` names codes, well-formed calls must end in one of them.
async fn bad_arguments(slug: &'static str, binary: &str, args: &[&str], failures: &[&str]) -> Result<()> {
    let mut servers = Fronted::start(slug, binary, args).await?;
    let mut wrong = Vec::new();
    for target in servers.targets() {
        let tools = wire::json(&wire::get(&target.host, &target.path("/tools")).await?)?;
        let tools = tools["tools"].as_array().context("no tools")?.clone();
        ensure!(!tools.is_empty(), "{slug} lists no tool");
        for mut door in Door::all(&target, binary, args).await? {
            for tool in &tools {
                let name = tool["name"].as_str().context("a tool without a name")?;
                for case in cases(&tool["inputSchema"]) {
                    let what = format!("{name} over {} at {:?}: {}", door.name(), target.prefix, case.what);
                    let answer = door.call(name, &case.arguments).await.with_context(|| what.clone())?;
                    wrong.extend(case.check(&answer, failures).err().map(|error| format!("{what}: {error}")));
                }
            }
            unknown_tool(&mut door).await.with_context(|| format!("unknown tool over {}", door.name()))?;
            door.check_alive()?;
        }
    }
    ensure!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    servers.check_alive().await
}

/// One call that no tool should be hurt by.
struct Case {
    what: String,
    arguments: Value,
    /// The field to blame; `None` for arguments that keep to the schema.
    field: Option<String>,
}

impl Case {
    fn check(&self, answer: &Answer, failures: &[&str]) -> Result<()> {
        match (&self.field, answer) {
            (Some(field), Answer::Refused(error)) => {
                ensure!(error["error"] == "VALIDATION_ERROR", "{error}");
                ensure!(
                    error["details"]["field"] == **field,
                    "blames {} in {error}",
                    error["details"]["field"]
                );
            }
            (None, Answer::Refused(error)) => {
                let code = error["error"].as_str().unwrap_or_default();
                ensure!(code != "INTERNAL_ERROR" && code != "TIMEOUT_ERROR", "{error}");
                ensure!(failures.is_empty() || failures.contains(&code), "{error}");
                ensure!(error["message"].as_str().is_some_and(|text| text.len() < 2000), "a long message");
            }
            (None, Answer::Done(_)) if failures.is_empty() => {}
            (_, Answer::Protocol(error))
                if failures.is_empty()
                    && error["code"].as_i64().is_some_and(|code| PROTOCOL.contains(&code)) => {}
            (_, answer) => anyhow::bail!("answered {}", clip(&format!("{answer:?}"))),
        }
        Ok(())
    }
}

/// Every way to break each property of a schema, and values that keep to it but are odd.
fn cases(schema: &Value) -> Vec<Case> {
    // Our own schemas are plain; this one is a fixture of the conformance suite, which only looks at it.
    if schema.get("$defs").is_some() {
        return vec![];
    }
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let good: Map<String, Value> =
        required.iter().map(|name| ((*name).to_owned(), example(&properties[*name]))).collect();
    let with = |name: &str, value: Value| {
        let mut arguments = good.clone();
        arguments.insert(name.to_owned(), value);
        Value::Object(arguments)
    };

    let mut cases = Vec::new();
    let mut add = |what: String, arguments: Value, field: Option<&str>| {
        cases.push(Case { what, arguments, field: field.map(str::to_owned) });
    };
    for name in &required {
        let mut arguments = good.clone();
        arguments.remove(*name);
        add(format!("{name} missing"), Value::Object(arguments), Some(name));
    }
    for (name, property) in properties {
        if let Some(wrong) = wrong(property) {
            add(format!("{name} is {wrong}"), with(name, wrong), Some(name));
        }
        if property["type"] == "string" && property.get("enum").is_none() {
            add(format!("{name} holds NUL"), with(name, json!("a\0b")), Some(name));
            add(format!("{name} is 1 MB"), with(name, json!("x".repeat(1 << 20))), None);
            add(format!("{name} climbs"), with(name, json!("../../../etc/passwd")), None);
        }
    }
    if schema["additionalProperties"] == false {
        add("an unknown field".into(), with(UNKNOWN, json!(1)), Some(UNKNOWN));
    }
    cases
}

/// A value that keeps to this schema.
fn example(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("string") => json!("x"),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        _ => json!({}),
    }
}

/// A value of another type than this schema's.
fn wrong(schema: &Value) -> Option<Value> {
    Some(match schema["type"].as_str()? {
        "string" | "array" | "object" => json!(7),
        _ => json!("seven"),
    })
}

async fn unknown_tool(door: &mut Door) -> Result<()> {
    let answer = door.call("no_such_tool", &json!({})).await?;
    let code = match &answer {
        Answer::Refused(error) => &error["error"],
        Answer::Protocol(error) if error["code"] == -32602 => &error["data"]["error"],
        _ => &Value::Null,
    };
    ensure!(code == "NOT_FOUND", "{answer:?}");
    Ok(())
}

/// No client is told that there is no such method when it is its params that cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn params_of_the_wrong_shape_are_told_from_unknown_methods() -> Result<()> {
    let mut servers = Fronted::start("everything", "everything", &[]).await?;
    let [target, _] = servers.targets();
    let unknown = &*"x".repeat(5_000);
    for mut door in
        [Door::Modern(target.clone()), Door::session(&target).await?, Door::stdio("everything", &[]).await?]
    {
        for (method, params, code) in [
            ("tools/call", json!({"name": "echo", "arguments": [1]}), -32602),
            ("prompts/get", json!({"name": "x", "arguments": 7}), -32602),
            ("resources/read", json!({}), -32602),
            ("tasks/get", json!({"taskId": 7}), -32602),
            ("logging/setLevel", json!({}), if matches!(door, Door::Modern(_)) { -32601 } else { -32602 }),
            ("tasks/list", json!({}), -32601),
            (unknown, json!({}), -32601),
        ] {
            let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
            let error = door.rpc(&message).await?["error"].take();
            let what = format!("{} over {}: {}", clip(method), door.name(), clip(&error.to_string()));
            ensure!(error["code"] == code, "{what}");
            ensure!(code != -32602 || error["data"]["error"] == "VALIDATION_ERROR", "{what}");
            ensure!(error["message"].as_str().is_some_and(|text| text.len() < 200), "{what}");
        }
    }
    servers.check_alive().await
}

fn clip(text: &str) -> String {
    text.chars().take(500).collect()
}

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
