//! The chassis from outside: a small server of every temper, called over its real doors.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kit::auth::{Principal, Role, UpstreamAuth, Voucher};
use kit::testing::{Running, start};
use kit::{Aliases, Call, Check, Json, Kit, Parameters, Result, Service, Text, ToolError};
use reqwest::Response;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::{ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What tools leave behind for the tests to see.
static CANCELLED: AtomicUsize = AtomicUsize::new(0);
static CHANGED: AtomicUsize = AtomicUsize::new(0);

struct Temper {
    kit: Kit,
}

impl ServerHandler for Temper {}

impl Service for Temper {
    const SLUG: &'static str = "temper";
    const PORT: u16 = 0;
    const ABOUT: &'static str = "Tools of every temper.";
    const UPSTREAM_AUTH: &'static [UpstreamAuth] = &[UpstreamAuth::Own, UpstreamAuth::Caller];

    type Args = Args;

    async fn connect(_args: Args, kit: Kit) -> anyhow::Result<Self> {
        Ok(Self { kit })
    }

    fn tools(_args: &Self::Args) -> impl Iterator<Item = ToolRouter<Self>> {
        std::iter::once(Self::router())
    }

    fn aliases(_args: &Self::Args) -> Aliases<Self> {
        Aliases { router: Self::alias_router(), of: vec![("old_write", "write")] }
    }

    fn checks(&self) -> Vec<Check<'_>> {
        vec![Check::optional("moon", async { Err("not up".to_owned()) })]
    }
}

#[derive(Debug, clap::Args)]
struct Args {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// How much.
    #[serde(default)]
    amount: u64,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// How much.
    amount: u64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LoginInput {
    /// A secret.
    #[schemars(extend("format" = "password"))]
    pin: String,
}

#[derive(Serialize, JsonSchema)]
struct LogOutput {
    /// A long text.
    log: Text,
}

#[tool_router(router = router)]
impl Temper {
    /// Reads.
    #[tool(title = "Read", annotations(read_only_hint = true))]
    async fn read(&self, Parameters(input): Parameters<Input>) -> Result<Json<Output>> {
        Ok(Json(Output { amount: input.amount }))
    }

    /// Writes.
    #[tool(title = "Write", annotations(read_only_hint = false, destructive_hint = false))]
    async fn write(&self, Parameters(input): Parameters<Input>) -> Result<Json<Output>> {
        Ok(Json(Output { amount: input.amount }))
    }

    /// Destroys.
    #[tool(title = "Destroy", annotations(read_only_hint = false, destructive_hint = true))]
    async fn destroy(&self, Parameters(input): Parameters<Input>) -> Result<Json<Output>> {
        Ok(Json(Output { amount: input.amount }))
    }

    /// Waits `amount` milliseconds, telling how far it is.
    #[tool(title = "Wait", annotations(read_only_hint = true))]
    async fn wait(&self, Parameters(input): Parameters<Input>, call: Call) -> Result<Json<Output>> {
        struct Gone;
        impl Drop for Gone {
            fn drop(&mut self) {
                CANCELLED.fetch_add(1, Ordering::SeqCst);
            }
        }
        let gone = Gone;
        call.progress(0.5, Some(1.0), "half way").await;
        tokio::time::sleep(Duration::from_millis(input.amount)).await;
        std::mem::forget(gone);
        Ok(Json(Output { amount: input.amount }))
    }

    /// Changes something over `amount` milliseconds, to its end.
    #[tool(title = "Change", annotations(read_only_hint = false))]
    async fn change(&self, Parameters(input): Parameters<Input>) -> Result<Json<Output>> {
        let work = async move {
            tokio::time::sleep(Duration::from_millis(input.amount)).await;
            CHANGED.fetch_add(1, Ordering::SeqCst);
            Ok(Json(Output { amount: input.amount }))
        };
        self.kit.run_to_end("change", work).await
    }

    /// Panics.
    #[tool(title = "Panic", annotations(read_only_hint = true))]
    async fn panic(&self) -> Result<Json<Output>> {
        panic!("a bug, for the test")
    }

    /// Fails for a reason only the log may know.
    #[tool(title = "Fail", annotations(read_only_hint = true))]
    async fn fail(&self) -> Result<Json<Output>> {
        Err(ToolError::service("the upstream is down").because(&std::io::Error::other("hunter2")))
    }

    /// Gives too much.
    #[tool(title = "Flood", annotations(read_only_hint = true))]
    async fn flood(&self, Parameters(input): Parameters<Input>) -> Result<Json<Vec<u64>>> {
        Ok(Json((0..input.amount).collect()))
    }

    /// Takes a secret.
    #[tool(title = "Login", annotations(read_only_hint = true))]
    async fn login(&self, Parameters(input): Parameters<LoginInput>) -> Result<Json<Output>> {
        Ok(Json(Output { amount: input.pin.len() as u64 }))
    }

    /// Gives `amount` lines.
    #[tool(title = "Log", annotations(read_only_hint = true))]
    async fn log(&self, Parameters(input): Parameters<Input>) -> Result<Json<LogOutput>> {
        let lines: String = (0..input.amount).map(|at| format!("line \"{at}\"\n")).collect();
        Ok(Json(LogOutput { log: Text::tail(lines, self.kit.text_limit(), "ask for fewer lines") }))
    }
}

#[tool_router(router = alias_router)]
impl Temper {
    /// The old name of `write`.
    #[tool(title = "Write (old)", annotations(read_only_hint = false, destructive_hint = false))]
    async fn old_write(&self, Parameters(input): Parameters<Input>) -> Result<Json<Output>> {
        Ok(Json(Output { amount: input.amount }))
    }
}

static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);

#[expect(clippy::disallowed_methods, reason = "the client of the tests")]
async fn send(request: reqwest::RequestBuilder) -> Response {
    request.timeout(Duration::from_secs(10)).send().await.expect("an answer")
}

async fn call(server: &Running, tool: &str, arguments: Value) -> (u16, Value) {
    let answer = send(CLIENT.post(format!("{}/tools/{tool}", server.url)).json(&arguments)).await;
    (answer.status().as_u16(), answer.json().await.expect("json"))
}

/// A request of a 2026-07-28 client.
fn modern(server: &Running, method: &str, name: Option<&str>, mut params: Value) -> reqwest::RequestBuilder {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let request = CLIENT
        .post(format!("{}/mcp", server.url))
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    let request = match name {
        Some(name) => request.header("mcp-name", name),
        None => request,
    };
    request.json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
}

async fn temper(args: &[&str]) -> Running {
    start::<Temper>(args).await.expect("a server")
}

#[tokio::test]
async fn listing_is_stable_and_plain() {
    let server = temper(&[]).await;
    let mut answer: Value =
        send(modern(&server, "tools/list", None, json!({}))).await.json().await.expect("json");
    let signature = answer["result"].as_object_mut().and_then(|it| it.remove("_meta")).expect("signed");
    assert_eq!(signature["io.modelcontextprotocol/serverInfo"]["name"], "gantry-temper");
    let tools = answer["result"]["tools"].as_array().expect("tools");
    for tool in tools {
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(kit::schema::faults(&tool[schema]), Vec::<String>::new(), "{tool}");
        }
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer["result"]).expect("json"));
}

#[tokio::test]
async fn every_failure_has_its_code() {
    let server = temper(&["--deadline", "100ms", "--max-output-bytes", "2000"]).await;
    for (tool, arguments, status, code) in [
        ("read", json!({"amount": -1}), 400, "VALIDATION_ERROR"),
        ("read", json!({"amuont": 1}), 400, "VALIDATION_ERROR"),
        ("read", json!([1]), 400, "VALIDATION_ERROR"),
        ("wait", json!({"amount": 5000}), 504, "TIMEOUT_ERROR"),
        ("panic", json!({}), 500, "INTERNAL_ERROR"),
        ("fail", json!({}), 502, "SERVICE_ERROR"),
        ("flood", json!({"amount": 5000}), 400, "VALIDATION_ERROR"),
        ("nothing", json!({}), 404, "NOT_FOUND"),
    ] {
        let (got, body) = call(&server, tool, arguments).await;
        assert_eq!((got, body["error"].as_str()), (status, Some(code)), "{tool}: {body}");
        assert!(!body.to_string().contains("hunter2"), "the source chain left: {body}");
    }
    let (_, body) = call(&server, "flood", json!({"amount": 5000})).await;
    assert!(body["message"].as_str().expect("text").contains("narrow it with amount"), "{body}");
}

#[tokio::test]
async fn an_error_over_mcp_is_a_result_without_structure() {
    let server = temper(&[]).await;
    let request = modern(&server, "tools/call", Some("fail"), json!({"name": "fail", "arguments": {}}));
    let answer: Value = send(request).await.json().await.expect("json");
    let result = &answer["result"];
    assert_eq!(result["isError"], true);
    assert_eq!(result.get("structuredContent"), None);
    let error: Value =
        serde_json::from_str(result["content"][0]["text"].as_str().expect("text")).expect("json");
    assert_eq!(error, json!({"error": "SERVICE_ERROR", "message": "the upstream is down", "details": {}}));
}

#[tokio::test]
async fn long_text_is_cut_to_fit() {
    let server = temper(&["--max-output-bytes", "2000"]).await;
    let (status, body) = call(&server, "log", json!({"amount": 1000})).await;
    assert_eq!(status, 200, "{body}");
    assert!(body["log"]["text"].as_str().expect("text").ends_with("line \"999\"\n"));
    assert_eq!(body["log"]["truncated"]["next"], "ask for fewer lines");
}

#[tokio::test]
async fn keys_decide_what_is_seen_and_called() {
    let keys = ["--api-keys", "ci:read:reader,ops:write:writer"];
    let server = temper(&keys).await;
    let tools = |key: &'static str| {
        let request = CLIENT.get(format!("{}/tools", server.url)).bearer_auth(key);
        async move {
            let answer: Value = send(request).await.json().await.expect("json");
            answer["tools"].as_array().map_or(0, Vec::len)
        }
    };
    assert_eq!((tools("reader").await, tools("writer").await), (7, 10));
    for (request, status) in [
        (CLIENT.get(format!("{}/tools", server.url)), 401),
        (CLIENT.get(format!("{}/tools", server.url)).bearer_auth("wrong"), 401),
        (CLIENT.get(format!("{}/metrics", server.url)), 401),
        (CLIENT.get(format!("{}/sse", server.url)), 401),
        (CLIENT.get(format!("{}/docs", server.url)), 200),
        (modern(&server, "tools/list", None, json!({})), 401),
        (CLIENT.post(format!("{}/tools/write", server.url)).header("x-api-key", "reader"), 403),
        (CLIENT.post(format!("{}/tools/old_write", server.url)).header("x-api-key", "reader"), 403),
        (CLIENT.post(format!("{}/tools/write", server.url)).header("x-api-key", "writer"), 200),
        (CLIENT.get(format!("{}/health/ready", server.url)), 200),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.status().as_u16(), status, "{}", answer.url());
        assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401);
    }
    let list = send(modern(&server, "tools/list", None, json!({})).bearer_auth("reader")).await;
    let list: Value = list.json().await.expect("json");
    assert_eq!(list["result"]["cacheScope"], "private");
}

#[tokio::test]
async fn a_changed_key_file_is_taken() {
    let file = std::env::temp_dir().join(format!("gantry-keys-{}", std::process::id()));
    std::fs::write(&file, "one:read:first\n").expect("written");
    let server = temper(&["--api-keys-file", file.to_str().expect("path")]).await;
    let status = |key: &'static str| {
        let request = CLIENT.get(format!("{}/tools", server.url)).bearer_auth(key);
        async move { send(request).await.status().as_u16() }
    };
    assert_eq!((status("first").await, status("second").await), (200, 401));
    std::fs::write(&file, "one:read:second\n# more\n").expect("written");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!((status("first").await, status("second").await), (401, 200));
    std::fs::write(&file, "broken").expect("written");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(status("second").await, 200);
    std::fs::remove_file(&file).expect("removed");
}

#[tokio::test]
async fn the_edges_word_is_believed_and_no_one_elses() {
    let key = std::env::temp_dir().join(format!("gantry-edge-{}", std::process::id()));
    std::fs::write(&key, "a key of the edge with 32 bytes and more").expect("key file");
    let edge = Voucher::read("--edge-key-file", key.clone()).expect("keys");
    let caller = Principal::new("ops", Role::Read);
    let [word, foreign] = ["temper", "other"].map(|slug| edge.sign(&caller, slug));
    let trusting = temper(&["--trust-edge-key-file", key.to_str().expect("path")]).await;
    let keyed =
        temper(&["--trust-edge-key-file", key.to_str().expect("path"), "--api-keys", "ci:write:k"]).await;
    for server in [&trusting, &keyed] {
        let answer = send(tools_of(server).header("x-gantry-principal", &word)).await;
        assert_eq!(answer.status(), 200);
        let tools: Value = answer.json().await.expect("json");
        assert!(tools["tools"].as_array().expect("tools").iter().all(|tool| tool["name"] != "write"));
        for refused in [
            tools_of(server).header("x-gantry-principal", &foreign),
            tools_of(server).header("x-gantry-principal", "bm9uZQ.bm9uZQ"),
            tools_of(server).header("x-gantry-principal", &word).header("x-gantry-principal", &word),
            tools_of(server).header("x-gantry-principal", &word).bearer_auth("k"),
            tools_of(server),
        ] {
            let answer = send(refused).await;
            assert_eq!(answer.status(), 401);
            let error: Value = answer.json().await.expect("json");
            assert_eq!(error["error"], "AUTHENTICATION_ERROR");
            assert!(!error.to_string().contains(word.to_str().expect("text")), "{error}");
        }
    }
    assert_eq!(send(tools_of(&trusting).bearer_auth("k")).await.status(), 401);
    assert_eq!(send(tools_of(&keyed).bearer_auth("k")).await.status(), 200);
    let open = temper(&[]).await;
    assert_eq!(send(tools_of(&open).header("x-gantry-principal", &word)).await.status(), 401);
    std::fs::remove_file(key).expect("the key file is there");
}

fn tools_of(server: &Running) -> reqwest::RequestBuilder {
    CLIENT.get(format!("{}/tools", server.url))
}

#[tokio::test]
async fn switches_and_limits_hold_on_every_door() {
    let server = temper(&["--deny-tools", "wri*", "--disable-destructive", "--rate-limit", "read=2/h"]).await;
    for tool in ["write", "old_write", "destroy", "change"] {
        assert_eq!(call(&server, tool, json!({})).await.0, 403, "{tool}");
        let request = modern(&server, "tools/call", Some(tool), json!({"name": tool, "arguments": {}}));
        let answer: Value = send(request).await.json().await.expect("json");
        assert!(
            answer["result"]["content"][0]["text"].as_str().expect("text").contains("FORBIDDEN"),
            "{answer}"
        );
    }
    assert_eq!(call(&server, "read", json!({})).await.0, 200);
    assert_eq!(call(&server, "read", json!({})).await.0, 200);
    let answer = send(CLIENT.post(format!("{}/tools/read", server.url))).await;
    assert_eq!(answer.status(), 429);
    let wait: u64 = answer.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=1800).contains(&wait));
}

#[tokio::test]
async fn a_foreign_page_gets_nowhere() {
    let server = temper(&[]).await;
    for path in [
        "mcp",
        "sse",
        "messages?session_id=1",
        "tools",
        "tools/read",
        "openapi.json",
        "docs",
        "metrics",
        "version",
        "no",
    ] {
        for (header, value) in [("host", "evil.example"), ("origin", "https://evil.example")] {
            for request in
                [CLIENT.get(format!("{}/{path}", server.url)), CLIENT.post(format!("{}/{path}", server.url))]
            {
                let status = send(request.header(header, value)).await.status();
                assert_eq!(status, 403, "{path} with {header}");
            }
        }
    }
}

#[tokio::test]
async fn a_closed_request_cancels_a_tool_but_not_a_change() {
    let server = temper(&[]).await;
    let before = (CANCELLED.load(Ordering::SeqCst), CHANGED.load(Ordering::SeqCst));
    for tool in ["wait", "change"] {
        let request = CLIENT.post(format!("{}/tools/{tool}", server.url)).json(&json!({"amount": 500}));
        #[expect(clippy::disallowed_methods, reason = "this one is left")]
        let answer = request.timeout(Duration::from_millis(100)).send().await;
        assert!(answer.is_err());
    }
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(CANCELLED.load(Ordering::SeqCst) > before.0);
    assert_eq!(CHANGED.load(Ordering::SeqCst), before.1 + 1);
}

#[tokio::test]
async fn stopping_lets_calls_finish() {
    let server = temper(&[]).await;
    let url = server.url.clone();
    let slow = CLIENT.post(format!("{url}/tools/wait")).json(&json!({"amount": 700}));
    let slow = tokio::spawn(async move { send(slow).await.status().as_u16() });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let ended = server.stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ready = send(CLIENT.get(format!("{url}/health/ready"))).await;
    assert_eq!(ready.status(), 503);
    assert_eq!(slow.await.expect("task"), 200);
    ended.await.expect("task").expect("a clean end");
    assert!(CLIENT.get(format!("{url}/health/live")).build().is_ok());
    assert!(std::net::TcpStream::connect(url.trim_start_matches("http://")).is_err());
}

#[tokio::test]
async fn sessions_are_bounded_and_their_owners_alone() {
    let server = temper(&["--max-sessions", "1", "--api-keys", "a:read:ka,b:read:kb"]).await;
    let initialize = || {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        CLIENT
            .post(format!("{}/mcp", server.url))
            .bearer_auth("ka")
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}))
    };
    let first = send(initialize()).await;
    assert_eq!(first.status(), 200);
    let id = first.headers()["mcp-session-id"].clone();
    assert_eq!(send(initialize()).await.status(), 429);
    let list = |key: &str| {
        CLIENT
            .post(format!("{}/mcp", server.url))
            .bearer_auth(key)
            .header("mcp-session-id", &id)
            .json(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}))
    };
    assert_eq!(send(list("ka")).await.status(), 200);
    assert_eq!(send(list("kb")).await.status(), 404);
    let close = CLIENT.delete(format!("{}/mcp", server.url)).bearer_auth("ka").header("mcp-session-id", &id);
    assert!(send(close).await.status().is_success());
    assert_eq!(send(initialize()).await.status(), 200);
}

#[tokio::test]
async fn progress_comes_before_the_result() {
    let server = temper(&[]).await;
    let mut params = json!({"name": "wait", "arguments": {"amount": 10}});
    params["_meta"] = json!({});
    let request = modern(&server, "tools/call", Some("wait"), params);
    let (client, request) = request.build_split();
    let mut request = request.expect("request");
    let mut body: Value =
        serde_json::from_slice(request.body().and_then(|it| it.as_bytes()).expect("bytes")).expect("json");
    body["params"]["_meta"]["progressToken"] = "t".into();
    *request.body_mut() = Some(body.to_string().into());
    let text = send(reqwest::RequestBuilder::from_parts(client, request)).await.text().await.expect("text");
    let progress = text.find("half way").expect("progress");
    let result = text.find("\"structuredContent\"").expect("result");
    assert!(progress < result, "{text}");
}

#[tokio::test]
async fn a_batch_is_answered_for_2025_03_26_alone() {
    let server = temper(&["--sessions", "off"]).await;
    let post = |batch: &Value| CLIENT.post(format!("{}/mcp", server.url)).json(batch);
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 3, "method": "nope"},
    ]);
    let answers: Vec<Value> = send(post(&batch)).await.json().await.expect("an array");
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert!(answers[1]["result"]["tools"].is_array(), "{}", answers[1]);
    assert_eq!(answers[2]["error"]["code"], -32601);
    let later = send(post(&batch).header("mcp-protocol-version", "2025-06-18")).await;
    assert_eq!(later.status(), 400);
    for bad in [json!([]), json!([{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}])] {
        assert_eq!(send(post(&bad)).await.status(), 400, "{bad}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused() {
    for (args, word) in [
        (["--auth", "api-key"], "--api-keys"),
        (["--auth", "none,api-key"], "--auth"),
        (["--trust-edge-key-file", "/nowhere/keys"], "--trust-edge-key-file"),
        (["--auth", "oidc"], "--oidc-issuer"),
        (["--oidc-issuer", "https://id.example"], "--auth"),
        (["--oidc-audience", "gantry"], "--auth"),
        (["--roles", "scope:ops=admin"], "--auth"),
        (["--auth", "kubernetes"], "--roles"),
        (["--kube-api-server", "https://cluster.example"], "--auth"),
        (["--roles", "groups=admin"], "--roles"),
        (["--auth=oidc", "--oidc-issuer=https://me:hush@id.example"], "without a user"),
        (["--upstream-auth", "exchange"], "--upstream-auth"),
        (["--exchange-url", "https://id.example/token"], "--upstream-auth"),
        (["--api-keys", "nonsense"], "--api-keys"),
        (["--api-keys-file", "/nowhere/keys"], "--api-keys-file"),
        (["--deny-tools", "["], "--deny-tools"),
        (["--deadline", "soon"], "--deadline"),
    ] {
        let error = start::<Temper>(&args).await.err().expect("refused");
        assert!(format!("{error:#}").contains(word), "{error:#}");
    }
}

#[tokio::test]
async fn only_a_post_calls() {
    let server = temper(&[]).await;
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"] {
        let call = modern(&server, "tools/call", Some("write"), json!({"name": "write", "arguments": {}}));
        let (client, request) = call.build_split();
        let mut request = request.expect("request");
        *request.method_mut() = method.parse().expect("method");
        let answer = send(reqwest::RequestBuilder::from_parts(client, request)).await;
        assert_eq!(answer.status(), 405, "{method}");
    }
}

#[tokio::test]
async fn a_closed_session_takes_its_calls_along() {
    let server = temper(&[]).await;
    let (id, _) = session(&server).await;
    let before = CANCELLED.load(Ordering::SeqCst);
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "wait", "arguments": {"amount": 60_000}}});
    let request = CLIENT.post(format!("{}/mcp", server.url)).header("mcp-session-id", &id).json(&call);
    let call = tokio::spawn(send(request));
    until(|| async { gauge(&server, "gantry_tool_calls_in_flight{tool=\"wait\"}").await == 1 }).await;
    let close = CLIENT.delete(format!("{}/mcp", server.url)).header("mcp-session-id", &id);
    assert_eq!(send(close).await.status(), 204);
    until(|| async { gauge(&server, "gantry_tool_calls_in_flight{tool=\"wait\"}").await == 0 }).await;
    assert!(CANCELLED.load(Ordering::SeqCst) > before);
    assert_eq!(gauge(&server, "gantry_mcp_sessions").await, 0);
    call.abort();
}

#[tokio::test]
async fn a_secret_of_the_wrong_type_is_not_repeated() {
    let server = temper(&[]).await;
    let (status, body) = call(&server, "login", json!({"pin": 12_345_678})).await;
    assert_eq!((status, body["details"]["field"].as_str()), (400, Some("pin")));
    assert!(!body.to_string().contains("12345678"), "{body}");
}

#[tokio::test]
async fn an_alias_counts_as_its_tool() {
    let server = temper(&["--rate-limit", "write=1/h"]).await;
    assert_eq!(call(&server, "write", json!({})).await.0, 200);
    assert_eq!(call(&server, "old_write", json!({})).await.0, 429);
}

#[tokio::test]
async fn a_slow_reader_cannot_pile_up_answers() {
    let server = temper(&[]).await;
    let mut stream = send(CLIENT.get(format!("{}/sse", server.url)).timeout(Duration::from_secs(60))).await;
    let first = stream.chunk().await.expect("chunk").expect("the endpoint");
    let endpoint = String::from_utf8_lossy(&first);
    let endpoint = endpoint.split("data: ").nth(1).and_then(|it| it.lines().next()).expect("endpoint");
    let post = |message: Value| CLIENT.post(format!("{}/{endpoint}", server.url)).json(&message);
    let params = json!({"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    send(post(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}))).await;
    send(post(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))).await;
    let mut refused = 0;
    for id in 1..=100 {
        let params = json!({"name": "wait", "arguments": {"amount": 60_000}});
        let message = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        refused += u32::from(send(post(message)).await.status() == 429);
    }
    assert!((30..=40).contains(&refused), "{refused} refused");
    drop(stream);
    until(|| async { gauge(&server, "gantry_tool_calls_in_flight{tool=\"wait\"}").await == 0 }).await;
}

#[tokio::test]
async fn refusals_are_counted() {
    let server = temper(&["--api-keys", "a:read:ka"]).await;
    for _ in 0..3 {
        assert_eq!(send(CLIENT.get(format!("{}/tools", server.url)).bearer_auth("no")).await.status(), 401);
    }
    let metrics = send(CLIENT.get(format!("{}/metrics", server.url)).bearer_auth("ka")).await;
    let metrics = metrics.text().await.expect("text");
    assert!(metrics.contains("gantry_requests_refused_total{code=\"AUTHENTICATION_ERROR\"} 3"), "{metrics}");
}

/// Begins a session; gives its id and the answer.
async fn session(server: &Running) -> (String, Value) {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let request = CLIENT
        .post(format!("{}/mcp", server.url))
        .header("accept", "application/json")
        .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}));
    let answer = send(request).await;
    let id = answer.headers()["mcp-session-id"].to_str().expect("text").to_owned();
    (id, answer.json().await.expect("json"))
}

async fn gauge(server: &Running, series: &str) -> i64 {
    let metrics = send(CLIENT.get(format!("{}/metrics", server.url))).await.text().await.expect("text");
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0, |value| value.trim().parse().expect("a number"))
}

async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    for _ in 0..400 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it did not come to hold within 10 s");
}
