//! Telemetry in a real collector: one trace over all that a call passes, a collector that dies under load, and what
//! New Relic would get. `tests/src/rotel.rs` reads what the collector printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use gantry_tests::door::{MODERN, mcp};
use gantry_tests::fixture;
use gantry_tests::program::Program;
use gantry_tests::recorder::Recorder;
use gantry_tests::rotel::{Collector, Span};
use gantry_tests::wire;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";
/// Of the HTTP request, where that is another's.
const CARRIER: &str = "b7ad6b7169203331";

fn traceparent(span: &str) -> String {
    format!("00-{TRACE}-{span}-01")
}

fn named<'a>(spans: &'a [Span], name: &str) -> Result<&'a Span> {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next().with_context(|| format!("no span {name}: {spans:#?}"))?;
    ensure!(found.next().is_none(), "two spans {name}: {spans:#?}");
    Ok(span)
}

/// Calls a tool as of 2026-07-28.
async fn call(
    program: &Program,
    prefix: &str,
    tool: &str,
    arguments: Value,
    meta: Value,
    headers: &[(&str, String)],
) -> Result<Value> {
    let mut all = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    all.as_object_mut().context("object")?.extend(meta.as_object().context("object")?.clone());
    let params = json!({"name": tool, "arguments": arguments, "_meta": all});
    let message = json!({"jsonrpc": "2.0", "id": "ask-7", "method": "tools/call", "params": params});
    let mut target = program.target();
    target.prefix = prefix.to_owned();
    let mut request = mcp(&target)
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    wire::json(&wire::send(&target.host, request.body(Full::from(message.to_string()))?).await?)
}

#[tokio::test]
async fn one_trace_over_all_that_a_call_passes() -> Result<()> {
    let Some(rotel) = fixture("telemetry", "GANTRY_TEST_ROTEL") else { return Ok(()) };
    for protocol in ["http/protobuf", "grpc"] {
        let collector = Collector::start(rotel.clone()).await?;
        let endpoint = if protocol == "grpc" { &collector.grpc } else { &collector.http };
        let upstream = Recorder::start(200).await?;
        let url = format!("http://{}", upstream.host);
        let options =
            ["--otlp-endpoint", endpoint, "--otlp-protocol", protocol, "--otel-bsp-schedule-delay", "50"];
        let server =
            Program::start("everything", &[&options[..], &["--upstream-url", &url]].concat()).await?;
        let edge = Program::edge_with(&[("everything", &server)], &options).await?;

        let meta = json!({"traceparent": traceparent(CLIENT), "tracestate": "acme=1", "baggage": "team=ops"});
        let arguments = json!({"path": "private/4711?token=hunter2"});
        let headers = [("traceparent", traceparent(CARRIER))];
        let answer = call(&edge, "/everything", "upstream_get", arguments, meta, &headers).await?;
        ensure!(answer["result"]["structuredContent"]["status"] == 200, "{answer}");

        let spans = collector.spans(|spans| spans.len() >= 3).await?;
        ensure!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
        let called = named(&spans, "tools/call upstream_get")?;
        ensure!(
            (&*called.parent, &*called.kind, &*called.service) == (CLIENT, "SERVER", "everything"),
            "{called:#?}"
        );
        for (name, value) in [
            ("mcp.method.name", "tools/call"),
            ("mcp.protocol.version", MODERN),
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", "upstream_get"),
            ("jsonrpc.request.id", "ask-7"),
            ("network.transport", "tcp"),
        ] {
            ensure!(called.attributes.get(name).is_some_and(|it| it == value), "{name}: {called:#?}");
        }
        // The edge saw the HTTP request, whose trace parent was another span than the message's.
        let passed = named(&spans, "POST /everything/*")?;
        ensure!(
            (&*passed.parent, &*passed.kind, &*passed.service) == (CARRIER, "SERVER", "edge"),
            "{passed:#?}"
        );
        ensure!(passed.attributes["http.response.status_code"] == "200", "{passed:#?}");
        let asked = named(&spans, "GET")?;
        ensure!(
            (&*asked.parent, &*asked.kind, &*asked.status) == (&*called.id, "CLIENT", "UNSET"),
            "{asked:#?}"
        );
        ensure!(asked.attributes["http.response.status_code"] == "200", "{asked:#?}");
        ensure!(asked.attributes["server.address"] == "127.0.0.1", "{asked:#?}");

        let seen = upstream.seen();
        let [request] = &seen[..] else { anyhow::bail!("{seen:#?}") };
        ensure!(request.headers["traceparent"] == format!("00-{TRACE}-{}-01", asked.id), "{request:#?}");
        ensure!(
            request.headers["tracestate"] == "acme=1" && request.headers["baggage"] == "team=ops",
            "{request:#?}"
        );

        // Where the message says nothing, the HTTP request's trace goes on from the edge's span.
        let headers = [("traceparent", traceparent(CLIENT))];
        let answer = call(&edge, "/everything", "echo", json!({"text": "4711"}), json!({}), &headers).await?;
        ensure!(answer["result"]["structuredContent"]["text"] == "4711", "{answer}");
        let spans = collector.spans(|spans| spans.len() >= 5).await?;
        let called = named(&spans, "tools/call echo")?;
        let passed = spans.iter().find(|span| span.id == called.parent).context("no parent")?;
        ensure!((&*passed.service, &*passed.parent, &*passed.trace) == ("edge", CLIENT, TRACE), "{spans:#?}");

        let log = collector.log();
        ensure!(!log.contains("hunter2") && !log.contains("4711"), "an argument was exported:\n{log}");
    }
    Ok(())
}

#[tokio::test]
async fn a_trace_goes_through_without_an_exporter() -> Result<()> {
    let upstream = Recorder::start(503).await?;
    let url = format!("http://{}", upstream.host);
    let server = Program::start("everything", &["--upstream-url", &url]).await?;
    let headers = [("traceparent", traceparent(CLIENT)), ("baggage", "team=ops".to_owned())];
    let answer = call(&server, "", "upstream_get", json!({"path": "x"}), json!({}), &headers).await?;
    ensure!(answer["result"]["isError"] == true, "{answer}");
    let seen = upstream.seen();
    let [request] = &seen[..] else { anyhow::bail!("{seen:#?}") };
    ensure!(request.headers["traceparent"] == traceparent(CLIENT), "{request:#?}");
    ensure!(request.headers["baggage"] == "team=ops", "{request:#?}");
    let log = server.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let failed =
        lines.iter().find(|line| line["code"] == "SERVICE_ERROR").context("no line of the failure")?;
    for (name, value) in [
        ("trace_id", TRACE),
        ("tool", "upstream_get"),
        ("principal", "anonymous"),
        ("function", "upstream_get"),
    ] {
        ensure!(failed[name] == value, "{name}: {failed}");
    }
    let answer = call(&server, "", "upstream_get", json!({"path": "x"}), json!({}), &[]).await?;
    ensure!(answer["result"]["isError"] == true, "{answer}");
    ensure!(!upstream.seen()[1].headers.contains_key("traceparent"), "a trace out of nothing");
    Ok(())
}

/// How long the load runs before, while and after the collector is gone.
const PHASE: Duration = Duration::from_secs(4);
const CONNECTIONS: usize = 16;
/// What a queue full of spans may take, in kB.
const ROOM: u64 = 8 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_collector_costs_no_call_and_no_memory() -> Result<()> {
    let Some(rotel) = fixture("telemetry", "GANTRY_TEST_ROTEL") else { return Ok(()) };
    let mut collector = Collector::start(rotel).await?;
    let options = ["--otlp-endpoint", &*collector.http, "--otel-bsp-schedule-delay", "100"];
    let quick = ["--otlp-timeout", "1000", "--otel-metric-export-interval", "500"];
    let mut server = Program::start("everything", &[&options[..], &quick[..]].concat()).await?;
    let load = Load::start(&server.host);
    tokio::time::sleep(PHASE).await;
    let before = server.rss_kb()?;
    collector.kill()?;
    tokio::time::sleep(PHASE).await;
    let during = server.rss_kb()?;
    let dropped = dropped(&server, "traces").await?;
    let marker = collector.log().len();
    collector.resume().await?;
    collector.spans(|_| collector.log()[marker..].contains("tools/call echo")).await?;
    tokio::time::sleep(PHASE).await;
    let after = server.rss_kb()?;
    let calls = load.end().await?;
    server.check_alive().await?;
    println!(
        "{calls} calls, none failed; RSS {before} kB, {during} kB without a collector, {after} kB after; {dropped} spans dropped"
    );
    ensure!(dropped > 0, "no drop was counted");
    ensure!(during < before + ROOM && after < before + ROOM, "RSS {before}, {during}, {after} kB");
    let log = server.log();
    for (line, most) in [("does not reach its collector", 4), ("reaches its collector again", 2)] {
        let count = log.matches(line).count();
        ensure!((1..=most).contains(&count), "{count} lines say {line:?}:\n{log}");
    }
    Ok(())
}

async fn dropped(server: &Program, signal: &str) -> Result<u64> {
    let metrics = wire::get(&server.host, "/metrics").await?;
    let text = std::str::from_utf8(metrics.body())?;
    let line = format!("gantry_telemetry_dropped_total{{signal=\"{signal}\"}} ");
    let count = text.lines().find_map(|it| it.strip_prefix(&line)).with_context(|| text.to_owned())?;
    Ok(count.parse()?)
}

/// Calls over kept connections, as fast as they are answered.
struct Load {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<Result<()>>>,
}

impl Load {
    fn start(host: &str) -> Self {
        let (stop, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let clients = (0..CONNECTIONS)
            .map(|_| tokio::spawn(client(host.to_owned(), stop.clone(), calls.clone())))
            .collect();
        Self { stop, calls, clients }
    }

    async fn end(self) -> Result<usize> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await??;
        }
        Ok(self.calls.load(Ordering::Relaxed))
    }
}

async fn client(host: String, stop: Arc<AtomicBool>, calls: Arc<AtomicUsize>) -> Result<()> {
    let stream = tokio::net::TcpStream::connect(&host).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    while !stop.load(Ordering::Relaxed) {
        let request = Request::post("/tools/echo")
            .header(header::HOST, &host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from_static(br#"{"text": "x"}"#)))?;
        let answer = tokio::time::timeout(wire::PATIENCE, sender.send_request(request)).await??;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(status == 200 && body == r#"{"text":"x"}"#, "{status}: {body:?}");
        calls.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

const KEY: &str = "eu01xx-hunter2-NRAL";

#[tokio::test]
async fn new_relic_gets_its_own_form() -> Result<()> {
    let taken = Recorder::start(200).await?;
    let refused = Recorder::start(403).await?;
    for collector in [&taken, &refused] {
        let endpoint = format!("http://{}", collector.host);
        let options =
            ["--otlp-endpoint", &*endpoint, "--new-relic-license-key", KEY, "--new-relic-app-name", "shop"];
        let quick = ["--otel-bsp-schedule-delay", "50", "--otel-metric-export-interval", "300", "--debug"];
        let server = Program::start("everything", &[&options[..], &quick[..]].concat()).await?;
        wire::post(&server.host, "/tools/echo", &json!({"text": "x"})).await?;
        let wanted = ["/v1/traces", "/v1/metrics"];
        let end = tokio::time::Instant::now() + wire::PATIENCE;
        while !wanted.iter().all(|path| collector.seen().iter().any(|it| it.target == *path)) {
            ensure!(tokio::time::Instant::now() < end, "not both signals: {:#?}", collector.seen());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if collector.host == refused.host {
            tokio::time::sleep(Duration::from_millis(500)).await;
            ensure!(dropped(&server, "traces").await? == 1, "a refused span is dropped and counted");
            ensure!(server.log().contains("403"), "the log says why:\n{}", server.log());
        }
        ensure!(!server.log().contains("hunter2"), "the key is in the log");
    }
    for request in taken.seen() {
        ensure!(request.headers["api-key"] == KEY, "{request:#?}");
        ensure!(request.headers["content-type"] == "application/x-protobuf", "{request:#?}");
    }
    let seen = taken.seen();
    let request = seen.iter().find(|it| it.target == "/v1/metrics").context("metrics")?;
    let metrics = ExportMetricsServiceRequest::decode(&request.body[..])?;
    let resource = metrics.resource_metrics[0].resource.as_ref().context("resource")?;
    let service = resource.attributes.iter().find(|it| it.key == "service.name").context("service.name")?;
    ensure!(format!("{:?}", service.value).contains("\"shop\""), "{service:?}");
    let durations = metrics.resource_metrics[0].scope_metrics.iter().flat_map(|it| &it.metrics);
    let duration =
        durations.clone().find(|it| it.name == "mcp.server.operation.duration").context("no duration")?;
    match &duration.data {
        // AGGREGATION_TEMPORALITY_DELTA
        Some(Data::Histogram(histogram)) => ensure!(histogram.aggregation_temporality == 1, "{histogram:?}"),
        other => anyhow::bail!("{other:?}"),
    }
    Ok(())
}
