//! The contract of the server: what it lists, to the letter, and what that costs a model.

use gantry_gitea::Gitea;
use kit::testing::{Running, start};
use serde_json::Value;

/// Names, descriptions and input schemas of the default listing: what a model is given with every request. The official
/// server's 49 tools took as much.
const BUDGET: usize = 38_000;

async fn server(args: &[&str]) -> Running {
    let nowhere = ["--gitea-host", "http://127.0.0.1:9"];
    start::<Gitea>(&[&nowhere, args].concat()).await.expect("a server")
}

async fn listed(server: &Running) -> Vec<Value> {
    let answer = reqwest::get(format!("{}/tools", server.url)).await.expect("an answer");
    let mut answer: Value = answer.json().await.expect("an answer");
    answer["tools"].as_array_mut().map(std::mem::take).expect("tools")
}

#[tokio::test]
async fn the_tools_are_listed_as_they_were() {
    let tools = listed(&server(&[]).await).await;
    let told = |tool: &Value| {
        let texts = ["name", "description"].map(|part| tool[part].as_str().map_or(0, str::len));
        texts.iter().sum::<usize>() + tool["inputSchema"].to_string().len()
    };
    let size: usize = tools.iter().map(told).sum();
    assert!(size <= BUDGET, "{size} bytes");
    insta::assert_snapshot!(tools.iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn every_schema_is_plain_in_either_style() {
    for style in ["grouped", "classic"] {
        for tool in listed(&server(&["--tool-style", style]).await).await {
            for part in ["title", "description", "annotations", "inputSchema"] {
                assert!(!tool[part].is_null(), "{part} of {tool}");
            }
            assert_eq!(kit::schema::faults(&tool["inputSchema"]), Vec::<String>::new(), "{}", tool["name"]);
        }
    }
}

#[tokio::test]
async fn the_official_servers_names_are_there() {
    let grouped: Vec<_> = names(&listed(&server(&[]).await).await);
    let official = include_str!("official.txt").lines().filter(|line| !line.starts_with('#'));
    let (tools, former): (Vec<_>, Vec<_>) = official.partition(|line| line.starts_with("tool "));
    let (tools, former) = (words(&tools), words(&former));
    assert_eq!((tools.len(), former.len()), (57, 108));
    let lacking = |there: &[String], wanted: &[String]| {
        wanted.iter().filter(|name| !there.contains(name)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(lacking(&grouped, &tools), Vec::<String>::new());
    let classic = names(&listed(&server(&["--tool-style", "classic"]).await).await);
    assert_eq!(lacking(&classic, &former), Vec::<String>::new());
}

#[tokio::test]
async fn the_readme_names_each_tool() {
    let readme = include_str!("../../../README.md");
    let section = readme.split("\n## ").find(|it| it.starts_with("Gitea and Forgejo")).expect("a section");
    let rows = section
        .lines()
        .skip_while(|line| !line.starts_with("| family"))
        .take_while(|line| line.starts_with('|'));
    let mut told: Vec<_> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    told.retain(|word| !word.starts_with("--"));
    told.sort_unstable();
    assert_eq!(told, names(&listed(&server(&[]).await).await));
}

fn names(tools: &[Value]) -> Vec<String> {
    tools.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect()
}

/// The last word of each line.
fn words(lines: &[&str]) -> Vec<String> {
    lines.iter().filter_map(|line| line.split(' ').next_back()).map(str::to_owned).collect()
}

/// A tool in the snapshot: its name, what it is said to do, and its arguments, `*` for those that must be.
fn line(tool: &Value) -> String {
    let schema = &tool["inputSchema"];
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|it| it == name));
    let arguments = schema["properties"].as_object().into_iter().flatten().map(|(name, property)| {
        let star = if required(name) { "*" } else { "" };
        let kind = match property["enum"].as_array() {
            Some(values) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
            None => property["type"].as_str().unwrap_or("any").to_owned(),
        };
        let said = property["description"].as_str().map(|text| format!(" ({text})")).unwrap_or_default();
        format!("  {name}{star}: {kind}{said}\n")
    });
    let hints = &tool["annotations"];
    let effect = match (&hints["readOnlyHint"], &hints["destructiveHint"]) {
        (Value::Bool(true), _) => "reads",
        (_, Value::Bool(true)) => "destroys",
        _ => "writes",
    };
    let text = |part: &str| tool[part].as_str().unwrap_or_default().to_owned();
    format!("{} [{effect}] {}\n{}", text("name"), text("description"), arguments.collect::<String>())
}
