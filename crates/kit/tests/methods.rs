//! A tool with methods from outside: whatever the operator says of a method holds under each of its names, on every
//! door, and what is closed is not offered.

use std::sync::LazyLock;

use kit::testing::{Running, start};
use kit::{Aliases, Effect, Json, Kit, Method, Parameters, Result, Service};
use reqwest::Response;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::{ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

struct Shelf;

impl ServerHandler for Shelf {}

impl Service for Shelf {
    const SLUG: &'static str = "shelf";
    const PORT: u16 = 0;
    const ABOUT: &'static str = "A shelf.";

    type Args = Args;

    async fn connect(_args: Args, _kit: Kit) -> anyhow::Result<Self> {
        Ok(Self)
    }

    fn tools(_args: &Args) -> impl Iterator<Item = ToolRouter<Self>> {
        std::iter::once(Self::router())
    }

    fn aliases(_args: &Args) -> Aliases<Self> {
        Aliases { router: Self::former_router(), of: vec![] }
    }

    fn methods(_args: &Args) -> Vec<Method> {
        use Effect::{Destroys, Reads, Writes};
        let method = |tool, name, former, effect| Method { tool, name, former, effect };
        vec![
            method("shelf", "look", vec![], Reads),
            method("shelf", "add", vec![], Writes),
            method("shelf", "clear_old", vec!["sweep"], Destroys),
            method("shelf", "clear_all", vec![], Destroys),
            method("weigh", "", vec!["scale"], Reads),
        ]
    }

    fn read_only(args: &Args) -> Option<&'static str> {
        args.museum.then_some("MUSEUM")
    }
}

#[derive(Debug, clap::Args)]
struct Args {
    /// Nothing may be touched
    #[arg(long)]
    museum: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Choice {
    Look,
    Add,
    ClearOld,
    ClearAll,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    method: Choice,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Output {
    done: &'static str,
}

#[tool_router(router = router)]
impl Shelf {
    /// Does things with a shelf.
    #[tool(title = "Shelf", annotations(read_only_hint = false, destructive_hint = true))]
    async fn shelf(&self, Parameters(input): Parameters<Input>) -> Result<Json<Output>> {
        let done = match input.method {
            Choice::Look => "looked",
            Choice::Add => "added",
            Choice::ClearOld => "swept",
            Choice::ClearAll => "cleared",
        };
        Ok(Json(Output { done }))
    }

    /// Weighs the shelf.
    #[tool(title = "Weigh", annotations(read_only_hint = true))]
    async fn weigh(&self, Parameters(Nothing {}): Parameters<Nothing>) -> Result<Json<Output>> {
        Ok(Json(Output { done: "weighed" }))
    }
}

#[tool_router(router = former_router)]
impl Shelf {
    /// What clearing what is old was called.
    #[tool(title = "Sweep", annotations(read_only_hint = false, destructive_hint = true))]
    async fn sweep(&self, Parameters(Nothing {}): Parameters<Nothing>) -> Result<Json<Output>> {
        Ok(Json(Output { done: "swept" }))
    }

    /// What weighing was called.
    #[tool(title = "Scale", annotations(read_only_hint = true))]
    async fn scale(&self, Parameters(Nothing {}): Parameters<Nothing>) -> Result<Json<Output>> {
        Ok(Json(Output { done: "weighed" }))
    }
}

static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);

#[expect(clippy::disallowed_methods, reason = "the client of the tests")]
async fn send(request: reqwest::RequestBuilder) -> Response {
    request.timeout(std::time::Duration::from_secs(10)).send().await.expect("an answer")
}

async fn shelf(args: &[&str]) -> Running {
    start::<Shelf>(args).await.expect("a server")
}

async fn call(server: &Running, tool: &str, arguments: Value) -> (u16, Value) {
    let answer = send(CLIENT.post(format!("{}/tools/{tool}", server.url)).json(&arguments)).await;
    (answer.status().as_u16(), answer.json().await.expect("json"))
}

/// What of the tool may be called, in the order of its methods, with the alias last; the same over MCP.
async fn open(server: &Running) -> Vec<&'static str> {
    let mut open = vec![];
    for method in ["look", "add", "clear_old", "clear_all"] {
        let (status, answer) = call(server, "shelf", json!({"method": method})).await;
        let over_mcp = over_mcp(server, &json!({"name": "shelf", "arguments": {"method": method}})).await;
        match status {
            200 => open.push(method),
            _ => assert_eq!((status, &answer["error"]), (403, &json!("FORBIDDEN")), "{method}: {answer}"),
        }
        assert_eq!(over_mcp.contains("FORBIDDEN"), status == 403, "{method}: {over_mcp}");
        assert!(
            status == 200 || answer["message"].to_string().contains(&format!("shelf.{method} ")),
            "{answer}"
        );
    }
    if call(server, "sweep", json!({})).await.0 == 200 {
        open.push("sweep");
    }
    open
}

async fn over_mcp(server: &Running, params: &Value) -> String {
    let mut params = params.clone();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let request = CLIENT.post(format!("{}/mcp", server.url)).header("mcp-protocol-version", "2026-07-28");
    let request = request.header("mcp-method", "tools/call").header("mcp-name", "shelf");
    send(request.json(&message)).await.text().await.expect("text")
}

/// The tool as it is listed to the holder of a key, if it is.
async fn listed(server: &Running, key: &str) -> Option<Value> {
    let answer = send(CLIENT.get(format!("{}/tools", server.url)).bearer_auth(key)).await;
    let answer: Value = answer.json().await.expect("json");
    answer["tools"].as_array().expect("tools").iter().find(|it| it["name"] == "shelf").cloned()
}

fn choices(tool: &Value) -> Vec<&str> {
    let names = tool["inputSchema"]["properties"]["method"]["enum"].as_array().expect("an enum");
    names.iter().filter_map(Value::as_str).collect()
}

fn hints(tool: &Value) -> (bool, bool) {
    let hints = &tool["annotations"];
    (hints["readOnlyHint"] == true, hints["destructiveHint"] == true)
}

#[tokio::test]
async fn every_switch_and_glob_holds_for_methods_under_each_of_their_names() {
    let all = vec!["look", "add", "clear_old", "clear_all", "sweep"];
    for (args, left) in [
        (vec![], all.clone()),
        (vec!["--read-only"], vec!["look"]),
        (vec!["--museum"], vec!["look"]),
        (vec!["--disable-destructive"], vec!["look", "add"]),
        (vec!["--deny-tools", "shelf.clear_*"], vec!["look", "add"]),
        (vec!["--deny-tools", "shelf.clear_old"], vec!["look", "add", "clear_all"]),
        (vec!["--deny-tools", "sweep"], vec!["look", "add", "clear_all"]),
        (vec!["--deny-tools", "shelf"], vec![]),
        (vec!["--allow-tools", "shelf"], all),
        (vec!["--allow-tools", "shelf.look,shelf.add"], vec!["look", "add"]),
        (vec!["--allow-tools", "sweep"], vec!["clear_old", "sweep"]),
        (vec!["--allow-tools", "weigh"], vec![]),
        (vec!["--allow-tools", "shelf", "--deny-tools", "shelf.add", "--disable-destructive"], vec!["look"]),
    ] {
        let server = shelf(&args).await;
        assert_eq!(open(&server).await, left, "{args:?}");
        let tool = listed(&server, "").await;
        assert_eq!(tool.is_some(), !left.is_empty(), "{args:?}");
        if let Some(tool) = tool {
            let expected: Vec<_> = left.iter().filter(|name| **name != "sweep").copied().collect();
            assert_eq!(choices(&tool), expected, "{args:?}");
            let destroys = expected.iter().any(|name| name.starts_with("clear"));
            assert_eq!(hints(&tool), (expected == ["look"], destroys), "{args:?}: {tool}");
        }
    }
}

#[tokio::test]
async fn further_names_of_a_tool_without_methods_are_closed_together() {
    for denied in ["weigh", "scale"] {
        let server = shelf(&["--deny-tools", denied]).await;
        for name in ["weigh", "scale"] {
            assert_eq!(call(&server, name, json!({})).await.0, 403, "{denied}: {name}");
        }
    }
}

#[tokio::test]
async fn an_error_names_the_setting() {
    let server = shelf(&["--museum"]).await;
    let (_, error) = call(&server, "shelf", json!({"method": "add"})).await;
    assert_eq!(error["message"], "shelf.add is switched off on this server by MUSEUM");
}

#[tokio::test]
async fn a_call_that_chooses_nothing_is_told_what_it_may_choose() {
    let server = shelf(&["--disable-destructive"]).await;
    for arguments in [json!({}), json!({"method": "burn"}), json!({"method": 7}), json!({"method": "Look"})] {
        let (status, error) = call(&server, "shelf", arguments).await;
        assert_eq!((status, &error["details"]["field"]), (400, &json!("method")), "{error}");
        assert_eq!(error["message"], "method must be one of look, add");
    }
}

#[tokio::test]
async fn a_read_key_chooses_only_what_reads() {
    let server = shelf(&["--api-keys", "ci:read:reader,ops:write:writer"]).await;
    let tool = listed(&server, "reader").await.expect("listed");
    assert_eq!((choices(&tool), hints(&tool)), (vec!["look"], (true, false)));
    let tool = listed(&server, "writer").await.expect("listed");
    assert_eq!((choices(&tool).len(), hints(&tool)), (4, (false, true)));
    for (path, method) in [("openapi.json", "add"), ("tools/shelf", "add")] {
        let request = |key| CLIENT.get(format!("{}/{path}", server.url)).bearer_auth(key);
        let shown = send(request("reader")).await.text().await.expect("text");
        assert!(!shown.contains(&format!("\"{method}\"")), "{path}: {shown}");
        let shown = send(request("writer")).await.text().await.expect("text");
        assert!(shown.contains(&format!("\"{method}\"")), "{path}: {shown}");
    }
    for (key, tool, arguments, status) in [
        ("reader", "shelf", json!({"method": "look"}), 200),
        ("reader", "shelf", json!({"method": "add"}), 403),
        ("reader", "shelf", json!({"method": "none"}), 400),
        ("reader", "sweep", json!({}), 403),
        ("writer", "shelf", json!({"method": "clear_all"}), 200),
    ] {
        let request = CLIENT.post(format!("{}/tools/{tool}", server.url)).bearer_auth(key);
        assert_eq!(send(request.json(&arguments)).await.status(), status, "{key}: {tool} {arguments}");
    }
}

#[tokio::test]
async fn only_methods_that_destroy_are_confirmed() {
    let server = shelf(&["--confirm-destructive"]).await;
    let tool = listed(&server, "").await.expect("listed");
    assert_eq!(tool["inputSchema"]["properties"]["confirm"]["type"], "boolean");
    for (arguments, status) in [
        (json!({"method": "add"}), 200),
        (json!({"method": "add", "confirm": true}), 200),
        (json!({"method": "clear_all"}), 400),
        (json!({"method": "clear_all", "confirm": true}), 200),
    ] {
        let (got, answer) = call(&server, "shelf", arguments.clone()).await;
        assert_eq!(got, status, "{arguments}: {answer}");
    }
    let (status, error) = call(&server, "sweep", json!({})).await;
    assert_eq!((status, &error["details"]["field"]), (400, &json!("confirm")), "{error}");
    let server = shelf(&["--confirm-destructive", "--deny-tools", "shelf.clear_*"]).await;
    let tool = listed(&server, "").await.expect("listed");
    assert_eq!(tool["inputSchema"]["properties"]["confirm"], Value::Null, "nothing is left to confirm");
}

#[tokio::test]
async fn limits_may_name_methods_and_count_by_tool() {
    let server = shelf(&["--rate-limit", "shelf.clear_*=2/h"]).await;
    for (tool, arguments, status) in [
        ("shelf", json!({"method": "clear_all"}), 200),
        ("sweep", json!({}), 200),
        ("shelf", json!({"method": "clear_old"}), 429),
        ("sweep", json!({}), 429),
        ("shelf", json!({"method": "look"}), 200),
    ] {
        assert_eq!(call(&server, tool, arguments.clone()).await.0, status, "{tool} {arguments}");
    }
    let server = shelf(&["--rate-limit", "shelf=2/h"]).await;
    for (method, status) in [("look", 200), ("add", 200), ("look", 429)] {
        assert_eq!(call(&server, "shelf", json!({"method": method})).await.0, status, "{method}");
    }
}

#[tokio::test]
async fn metrics_tell_methods_apart() {
    let server = shelf(&["--deny-tools", "shelf.add"]).await;
    for method in ["look", "look", "add"] {
        call(&server, "shelf", json!({"method": method})).await;
    }
    let metrics = send(CLIENT.get(format!("{}/metrics", server.url))).await.text().await.expect("text");
    for line in [
        r#"gantry_tool_calls_total{tool="shelf"} 3"#,
        r#"gantry_tool_method_calls_total{tool="shelf",method="look"} 2"#,
        r#"gantry_tool_errors_total{tool="shelf",code="FORBIDDEN",method="add"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}:\n{metrics}");
    }
}

#[tokio::test]
async fn globs_that_name_no_method_are_refused() {
    for glob in ["shelf.burn", "shelf.burn*", "shelf.", "weigh.*"] {
        for flag in ["--deny-tools", "--allow-tools"] {
            let error = start::<Shelf>(&[flag, glob]).await.map(|_| ()).expect_err("refused").to_string();
            assert!(error.contains(flag) && error.contains("methods like shelf.look"), "{error}");
        }
    }
}
