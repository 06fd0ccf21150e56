//! The gRPC door from outside: a generated client for what it is for, and bytes on the wire for what a client hides.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::join_all;
use kit::testing::{Running, start};
use kit::{Call, Check, Json, Kit, Parameters, Result, Service};
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value as Proto};
use proto::gantry::tool::v1::call_tool_request::Input;
use proto::gantry::tool::v1::call_tool_response::Message;
use proto::gantry::tool::v1::tool_service_client::ToolServiceClient;
use proto::gantry::tool::v1::{CallToolRequest, CallToolResponse, Error, ListToolsRequest};
use reqwest::header::HeaderMap;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::{ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Barrier;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many calls meet at the barrier of `meet`.
const CROWD: usize = 100;

struct Desk {
    crowd: Barrier,
}

impl ServerHandler for Desk {}

#[derive(Debug, clap::Args)]
struct Args {}

impl Service for Desk {
    const SLUG: &'static str = "desk";
    const PORT: u16 = 0;
    const ABOUT: &'static str = "Tools for a caller over gRPC.";

    type Args = Args;

    async fn connect(_args: Args, _kit: Kit) -> anyhow::Result<Self> {
        Ok(Self { crowd: Barrier::new(CROWD) })
    }

    fn tools(_args: &Self::Args) -> impl Iterator<Item = ToolRouter<Self>> {
        std::iter::once(Self::router())
    }

    fn checks(&self) -> Vec<Check<'_>> {
        vec![Check::required("desk", async { Ok("open".to_owned()) })]
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input64 {
    /// A number of 64 bits.
    #[serde(default)]
    number: u64,
}

#[derive(Serialize, JsonSchema)]
struct Output64 {
    /// The number.
    number: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Weight {
    /// What is weighed.
    #[serde(default)]
    load: String,
}

#[tool_router(router = router)]
impl Desk {
    /// Gives the number back.
    #[tool(title = "Echo", annotations(read_only_hint = true))]
    async fn echo(&self, Parameters(input): Parameters<Input64>) -> Result<Json<Output64>> {
        Ok(Json(Output64 { number: input.number }))
    }

    /// Gives the number back, and writes.
    #[tool(title = "Write", annotations(read_only_hint = false, destructive_hint = false))]
    async fn write(&self, Parameters(input): Parameters<Input64>) -> Result<Json<Output64>> {
        Ok(Json(Output64 { number: input.number }))
    }

    /// Tells its length.
    #[tool(title = "Weigh", annotations(read_only_hint = true))]
    async fn weigh(&self, Parameters(weight): Parameters<Weight>) -> Result<Json<Output64>> {
        Ok(Json(Output64 { number: weight.load.len() as u64 }))
    }

    /// Counts to a number, telling each step.
    #[tool(title = "Count", annotations(read_only_hint = true))]
    async fn count(&self, Parameters(input): Parameters<Input64>, call: Call) -> Result<Json<Output64>> {
        for step in 0..input.number {
            call.progress(step as f64, Some(input.number as f64), &format!("step {step}")).await;
        }
        Ok(Json(Output64 { number: input.number }))
    }

    /// Waits for ever.
    #[tool(title = "Wait", annotations(read_only_hint = true))]
    async fn wait(&self, call: Call) -> Result<Json<Output64>> {
        call.progress(0.0, None, "waiting").await;
        std::future::pending().await
    }

    /// Waits for ever and says nothing.
    #[tool(title = "Silence", annotations(read_only_hint = true))]
    async fn silence(&self) -> Result<Json<Output64>> {
        std::future::pending().await
    }

    /// Waits until there is a crowd.
    #[tool(title = "Meet", annotations(read_only_hint = true))]
    async fn meet(&self) -> Result<Json<Output64>> {
        self.crowd.wait().await;
        Ok(Json(Output64 { number: 0 }))
    }

    /// Panics.
    #[tool(title = "Panic", annotations(read_only_hint = true))]
    async fn panic(&self) -> Result<Json<Output64>> {
        panic!("a bug, for the test")
    }
}

async fn desk(args: &[&str]) -> Running {
    start::<Desk>(args).await.expect("a server")
}

async fn channel(server: &Running) -> Channel {
    Channel::from_shared(server.url.clone()).expect("a URL").connect().await.expect("a connection")
}

async fn client(server: &Running) -> ToolServiceClient<Channel> {
    ToolServiceClient::new(channel(server).await)
}

fn call(name: &str, arguments: serde_json::Value) -> CallToolRequest {
    CallToolRequest { name: name.into(), input: Some(Input::ArgumentsJson(arguments.to_string())) }
}

fn with_number(name: &str, number: f64) -> CallToolRequest {
    let value = Proto { kind: Some(Kind::NumberValue(number)) };
    let arguments = Struct { fields: [("number".to_owned(), value)].into() };
    CallToolRequest { name: name.into(), input: Some(Input::Arguments(arguments)) }
}

async fn all(mut stream: Streaming<CallToolResponse>) -> Vec<Message> {
    let mut messages = vec![];
    while let Some(response) = stream.message().await.expect("a message") {
        messages.push(response.message.expect("not empty"));
    }
    messages
}

/// The JSON of a call's result, which is the only message.
async fn result(
    client: &mut ToolServiceClient<Channel>,
    request: CallToolRequest,
) -> std::result::Result<String, Status> {
    match all(client.call_tool(request).await?.into_inner()).await.as_slice() {
        [Message::Result(result)] => Ok(result.json.clone()),
        other => panic!("not one result: {other:?}"),
    }
}

/// Our error in the details of a status, which must agree with it.
fn error(status: &Status) -> Error {
    let outer = tonic_types::Status::decode(status.details()).expect("google.rpc.Status");
    assert_eq!((outer.code, &*outer.message), (status.code().into(), status.message()));
    let [detail] = outer.details.try_into().expect("one detail");
    let error: Error = detail.to_msg().expect("ours");
    assert_eq!(error.message, status.message());
    error
}

static WIRE: LazyLock<reqwest::Client> =
    LazyLock::new(|| reqwest::Client::builder().http2_prior_knowledge().build().expect("a client"));

/// One message as it is framed.
fn frame(message: &impl prost::Message) -> Vec<u8> {
    let body = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(body.len()).expect("short").to_be_bytes());
    frame.extend(body);
    frame
}

#[expect(clippy::disallowed_methods, reason = "the client of the tests")]
async fn send(server: &Running, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, HeaderMap) {
    let mut request = WIRE.post(format!("{}/{path}", server.url)).body(body).timeout(PATIENCE);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.headers().clone())
}

const GRPC: (&str, &str) = ("content-type", "application/grpc");
const CALL: &str = "gantry.tool.v1.ToolService/CallTool";

/// A refusal on the wire: everything in the headers, no body.
async fn refused(server: &Running, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Status {
    let (status, headers) = send(server, path, headers, body).await;
    assert_eq!((status, headers["content-type"].as_bytes()), (200, &b"application/grpc"[..]));
    Status::from_header_map(&headers).expect("a status in the headers")
}

async fn in_flight(server: &Running, tool: &str, wanted: usize) {
    let line = format!("gantry_tool_calls_in_flight{{tool=\"{tool}\"}} {wanted}");
    let since = Instant::now();
    loop {
        let metrics = reqwest::get(format!("{}/metrics", server.url)).await.expect("metrics");
        let metrics = metrics.text().await.expect("text");
        if metrics.lines().any(|it| it == line) {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "no {line} in {metrics}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn pages_hold_every_tool_once() {
    let server = desk(&[]).await;
    let mut client = client(&server).await;
    let all = client.list_tools(ListToolsRequest::default()).await.expect("a list").into_inner();
    assert_eq!((all.tools.len(), &*all.next_cursor), (8, ""));
    assert!(all.tools.iter().all(|tool| tool.input_schema_json.starts_with('{')));
    let (mut cursor, mut paged) = (String::new(), vec![]);
    loop {
        let request = ListToolsRequest { cursor, page_size: 3 };
        let page = client.list_tools(request).await.expect("a page").into_inner();
        assert!(page.tools.len() <= 3);
        paged.extend(page.tools);
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(paged, all.tools);
}

#[tokio::test]
async fn integers_are_exact_or_refused() {
    let server = desk(&[]).await;
    let mut client = client(&server).await;
    let exact = result(&mut client, call("echo", json!({"number": u64::MAX}))).await.expect("a result");
    assert_eq!(exact, r#"{"number":18446744073709551615}"#);
    let whole = result(&mut client, with_number("echo", 7.0)).await.expect("a result");
    assert_eq!(whole, r#"{"number":7}"#);
    for number in [0.5, 9_007_199_254_740_992.0, f64::NAN] {
        let status = result(&mut client, with_number("echo", number)).await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument, "{number}");
        let field = &error(&status).details.expect("details").fields["field"];
        assert_eq!(field.kind, Some(Kind::StringValue("number".into())));
    }
    let nothing = CallToolRequest { name: "echo".into(), input: None };
    assert_eq!(result(&mut client, nothing).await.expect("a result"), r#"{"number":0}"#);
}

#[tokio::test]
async fn every_failure_has_its_status_and_our_error() {
    let server = desk(&["--deadline", "200ms", "--deny-tools", "write"]).await;
    for (request, code, name) in [
        (call("echo", json!({"numbre": 1})), Code::InvalidArgument, "VALIDATION_ERROR"),
        (call("echo", json!([1])), Code::InvalidArgument, "VALIDATION_ERROR"),
        (call("write", json!({})), Code::PermissionDenied, "FORBIDDEN"),
        (call("nothing", json!({})), Code::NotFound, "NOT_FOUND"),
        (call("silence", json!({})), Code::DeadlineExceeded, "TIMEOUT_ERROR"),
        (call("panic", json!({})), Code::Internal, "INTERNAL_ERROR"),
    ] {
        let status = refused(&server, CALL, &[GRPC], frame(&request)).await;
        assert_eq!((status.code(), &*error(&status).code), (code, name), "{}", request.name);
    }
}

#[tokio::test]
async fn keys_and_limits_hold_as_on_every_door() {
    let keys = "ci:read:reader,ops:write:writer";
    let server = desk(&["--api-keys", keys, "--rate-limit", "echo=2/h"]).await;
    let echo = || frame(&call("echo", json!({})));
    let reader = ("authorization", "Bearer reader");
    for (headers, code) in [
        (vec![GRPC], Code::Unauthenticated),
        (vec![GRPC, ("x-api-key", "wrong")], Code::Unauthenticated),
        (vec![GRPC, reader, ("origin", "https://evil.example")], Code::PermissionDenied),
    ] {
        for path in [CALL, "grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "no.Service/Method"] {
            let status = refused(&server, path, &headers, echo()).await;
            assert_eq!(status.code(), code, "{path} {headers:?}");
            error(&status);
        }
    }
    let write = refused(&server, CALL, &[GRPC, reader], frame(&call("write", json!({})))).await;
    assert_eq!((write.code(), &*error(&write).code), (Code::PermissionDenied, "FORBIDDEN"));
    let mut client = client(&server).await;
    let mut listed = async |key: &str| {
        let mut request = Request::new(ListToolsRequest::default());
        request.metadata_mut().insert("x-api-key", key.parse().expect("a key"));
        client.list_tools(request).await.expect("a list").into_inner().tools.len()
    };
    assert_eq!((listed("reader").await, listed("writer").await), (7, 8));
    for _ in 0..2 {
        let (_, headers) = send(&server, CALL, &[GRPC, reader], echo()).await;
        assert!(!headers.contains_key("grpc-status"), "refused too early: {headers:?}");
    }
    let limited = refused(&server, CALL, &[GRPC, reader], echo()).await;
    assert_eq!((limited.code(), &*error(&limited).code), (Code::ResourceExhausted, "RATE_LIMITED"));
    assert!(error(&limited).details.expect("details").fields.contains_key("retry_after"));
}

#[tokio::test]
async fn what_is_no_call_is_refused_in_its_own_words() {
    let server = desk(&[]).await;
    let echo = frame(&call("echo", json!({})));
    for path in ["gantry.tool.v1.ToolService/Nothing", "no.Service/Method", "grpc.health.v1.Health/Nothing"] {
        let status =
            refused(&server, path, &[("content-type", "application/grpc+proto")], echo.clone()).await;
        assert_eq!((status.code(), &*error(&status).code), (Code::Unimplemented, "NOT_FOUND"), "{path}");
        assert!(status.message().contains(path), "{status}");
    }
    for body in [b"".to_vec(), b"nonsense".to_vec(), [vec![0, 0, 0, 0, 2], b"\xff\xff".to_vec()].concat()] {
        let status = refused(&server, CALL, &[GRPC], body.clone()).await;
        assert_eq!(
            (status.code(), &*error(&status).code),
            (Code::InvalidArgument, "VALIDATION_ERROR"),
            "{body:?}"
        );
    }
    let late = refused(&server, CALL, &[GRPC, ("grpc-timeout", "soon")], echo.clone()).await;
    assert_eq!(late.code(), Code::InvalidArgument);
    for kind in ["application/json", "application/grpc+json", "application/grpc-web"] {
        assert_eq!(send(&server, CALL, &[("content-type", kind)], echo.clone()).await.0, 415, "{kind}");
    }
}

#[tokio::test]
async fn progress_comes_in_order_and_before_the_result() {
    let server = desk(&[]).await;
    let stream =
        client(&server).await.call_tool(call("count", json!({"number": 500}))).await.expect("a stream");
    let mut messages = all(stream.into_inner()).await;
    assert!(matches!(messages.pop(), Some(Message::Result(it)) if it.json == r#"{"number":500}"#));
    assert_eq!(messages.len(), 500);
    for (step, message) in messages.into_iter().enumerate() {
        let Message::Progress(progress) = message else { panic!("not progress: {message:?}") };
        assert_eq!((progress.progress, progress.total), (step as f64, Some(500.0)));
        assert_eq!(progress.message, format!("step {step}"));
    }
}

#[tokio::test]
async fn a_message_may_be_large_but_not_larger() {
    let server = desk(&["--max-body-bytes", "1000000"]).await;
    let mut client = client(&server).await;
    let weigh = |bytes: usize| call("weigh", json!({"load": "x".repeat(bytes)}));
    let largest = 1_000_000 - (weigh(100_000).encoded_len() - 100_000);
    let fits = result(&mut client, weigh(largest)).await.expect("a result");
    assert_eq!(fits, format!("{{\"number\":{largest}}}"));
    for bytes in [largest + 1, 20_000_000] {
        let status = result(&mut client, weigh(bytes)).await.expect_err("refused");
        assert_eq!((status.code(), &*error(&status).code), (Code::InvalidArgument, "VALIDATION_ERROR"));
        assert!(error(&status).details.expect("details").fields.contains_key("limit"));
    }
    assert_eq!(result(&mut client, weigh(1)).await.expect("alive"), r#"{"number":1}"#);
}

#[tokio::test]
async fn the_shorter_patience_counts() {
    let server = desk(&["--deadline", "1s"]).await;
    let silence = frame(&call("silence", json!({})));
    for (timeout, said) in [("50m", "50ms"), ("1H", "1s")] {
        let status = refused(&server, CALL, &[GRPC, ("grpc-timeout", timeout)], silence.clone()).await;
        assert_eq!((status.code(), &*error(&status).code), (Code::DeadlineExceeded, "TIMEOUT_ERROR"));
        assert!(status.message().ends_with(said), "{status}");
    }
}

#[tokio::test]
async fn a_call_ends_with_its_stream_and_with_its_connection() {
    let server = desk(&[]).await;
    let mut reset = client(&server).await;
    let mut streams = vec![];
    for _ in 0..3 {
        let mut stream = reset.call_tool(call("wait", json!({}))).await.expect("a stream").into_inner();
        assert!(stream.message().await.expect("a message").is_some());
        streams.push(stream);
    }
    in_flight(&server, "wait", 3).await;
    streams.pop();
    in_flight(&server, "wait", 2).await;
    drop((reset, streams));
    in_flight(&server, "wait", 0).await;
    // Before there is a response too.
    let mut early = client(&server).await;
    let silence = tokio::spawn(async move { early.call_tool(call("silence", json!({}))).await.map(drop) });
    in_flight(&server, "silence", 1).await;
    silence.abort();
    in_flight(&server, "silence", 0).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_up_the_deadline() {
    let server = desk(&["--deadline", "500ms"]).await;
    let endless = call("count", json!({"number": u64::MAX}));
    let stream = client(&server).await.call_tool(endless).await.expect("a stream");
    in_flight(&server, "count", 1).await;
    in_flight(&server, "count", 0).await;
    drop(stream);
}

#[tokio::test]
async fn a_hundred_calls_share_a_connection() {
    let server = desk(&[]).await;
    let client = client(&server).await;
    let calls = (0..CROWD).map(|_| {
        let mut client = client.clone();
        async move { result(&mut client, call("meet", json!({}))).await }
    });
    let results = tokio::time::timeout(PATIENCE, join_all(calls)).await.expect("all of them meet");
    assert!(results.iter().all(std::result::Result::is_ok), "{results:?}");
}

#[tokio::test]
async fn health_needs_no_key_and_tells_of_a_stop() {
    let server = desk(&["--api-keys", "ci:read:reader", "--shutdown-delay", "300ms"]).await;
    let mut health = HealthClient::new(channel(&server).await);
    let ask = |service: &str| HealthCheckRequest { service: service.into() };
    for service in ["", "gantry.tool.v1.ToolService"] {
        let answer = health.check(ask(service)).await.expect("an answer").into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    assert_eq!(health.check(ask("nothing")).await.expect_err("unknown").code(), Code::NotFound);
    let mut nothing = health.watch(ask("nothing")).await.expect("a stream").into_inner();
    assert_eq!(state(nothing.next().await), Some(ServingStatus::ServiceUnknown));
    let mut watch = health.watch(ask("")).await.expect("a stream").into_inner();
    assert_eq!(state(watch.next().await), Some(ServingStatus::Serving));
    let ended = server.stop();
    assert_eq!(state(watch.next().await), Some(ServingStatus::NotServing));
    assert_eq!(state(watch.next().await), None);
    assert_eq!(state(nothing.next().await), None);
    tokio::time::timeout(PATIENCE, ended).await.expect("in time").expect("task").expect("a clean end");
}

fn state(answer: Option<std::result::Result<HealthCheckResponse, Status>>) -> Option<ServingStatus> {
    answer.map(|answer| answer.expect("an answer").status())
}
