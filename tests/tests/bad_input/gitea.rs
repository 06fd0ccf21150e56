//! The Gitea server takes bad arguments: each method of each tool, and each former name, in front of a forge that has
//! nothing.

use anyhow::{Result, ensure};
use futures::StreamExt;
use gantry_tests::door::{Answer, Door};
use gantry_tests::program::{Program, Target};
use gantry_tests::recorder::{Recorder, response};
use gantry_tests::wire;
use serde_json::{Map, Value, json};

use crate::cases::{Case, broken, example, good};

/// So many calls at once.
const AT_ONCE: usize = 8;

/// One thing to call: a tool's name, its schema, and arguments with which it gets as far as the forge.
struct Callee {
    name: String,
    schema: Value,
    good: Map<String, Value>,
}

#[tokio::test(flavor = "multi_thread")]
async fn gitea_refuses_bad_arguments() -> Result<()> {
    let missing = response(404, &[("content-type", "application/json")], br#"{"message": "not found"}"#);
    let forge = Recorder::scripted(vec![Some(missing)]).await?;
    let args = ["--gitea-host", &*format!("http://{}/", forge.host)];
    let mut server = Program::start("gantry-gitea", &args).await?;
    let classic = Program::start("gantry-gitea", &[&args[..], &["--tool-style", "classic"]].concat()).await?;
    let target = server.target();
    let mut callees = vec![];
    for tool in [listing(&target).await?, listing(&classic.target()).await?].concat() {
        let methods = tool["inputSchema"]["properties"]["method"]["enum"].as_array().cloned();
        for method in methods.unwrap_or(vec![Value::Null]) {
            callees.push(Callee::find(&target, &tool, method).await?);
        }
    }
    ensure!(callees.len() > 100, "only {} methods and names", callees.len());

    let table = callees.iter().flat_map(|callee| callee.cases().into_iter().map(move |case| (callee, case)));
    let outcomes: Vec<Option<String>> =
        futures::stream::iter(table.map(|(callee, case)| check(Door::Rest(target.clone()), callee, case)))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
    let wrong: Vec<_> = outcomes.iter().flatten().map(String::as_str).collect();
    ensure!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), outcomes.len(), wrong.join("\n"));

    // What the doors have in common is seen with few: the first method of some tools through each.
    for mut door in Door::all(&target, "gantry-gitea", &args).await? {
        for callee in callees.iter().step_by(20) {
            for case in callee.cases().into_iter().filter(|case| case.arguments.to_string().len() < 10_000) {
                let answer = door.call(&callee.name, &case.arguments).await?;
                case.check(&answer, &[]).map_err(|error| callee.told(door.name(), &case, &error))?;
            }
        }
        door.check_alive()?;
    }
    server.check_alive().await
}

async fn listing(target: &Target) -> Result<Vec<Value>> {
    let tools = wire::json(&wire::get(&target.host, "/tools").await?)?;
    Ok(tools["tools"].as_array().cloned().unwrap_or_default())
}

/// What is wrong with the answer, if anything is.
async fn check(mut door: Door, callee: &Callee, case: Case) -> Option<String> {
    let outcome = door.call(&callee.name, &case.arguments).await.and_then(|answer| case.check(&answer, &[]));
    outcome.err().map(|error| callee.told(door.name(), &case, &error).to_string())
}

impl Callee {
    /// A tool's schema says what all its methods need; what this one needs besides, its errors tell.
    async fn find(target: &Target, tool: &Value, method: Value) -> Result<Self> {
        let name = tool["name"].as_str().unwrap_or_default().to_owned();
        let schema = tool["inputSchema"].clone();
        let mut good = good(&schema);
        if !method.is_null() {
            good.insert("method".into(), method);
        }
        let mut door = Door::Rest(target.clone());
        while let Answer::Refused(error) = door.call(&name, &Value::Object(good.clone())).await? {
            let field = error["details"]["field"].as_str().unwrap_or_default();
            let Some(property) = schema["properties"].get(field).filter(|_| !good.contains_key(field)) else {
                break;
            };
            good.insert(field.to_owned(), example(property));
        }
        Ok(Self { name, schema, good })
    }

    /// Numbers are taken for text, as models send them.
    fn cases(&self) -> Vec<Case> {
        broken(&self.schema, &self.good, true, &json!({"a": 1}))
    }

    fn told(&self, door: &str, case: &Case, error: &anyhow::Error) -> anyhow::Error {
        let method = self.good.get("method").and_then(Value::as_str).unwrap_or_default();
        anyhow::anyhow!("{} {method} over {door}: {}: {error}", self.name, case.what)
    }
}
