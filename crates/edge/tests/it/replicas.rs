//! Several replicas of one server: requests are spread, those that are down are passed over, sessions stay.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::edge::{Edge, LONG, Reply, eventually, replicas};
use crate::upstream::{Recorder, read_head};
use crate::who::who;

async fn named(name: &str) -> Recorder {
    Recorder::start(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len())).await
}

async fn post(edge: &Edge, path: &str, headers: &str, body: &Value) -> Reply {
    let body = body.to_string();
    edge.raw(format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await
}

#[tokio::test]
async fn a_replica_that_is_down_is_passed_over_until_it_is_back() {
    let (one, two) = (named("one").await, named("two").await);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let down = socket.local_addr().unwrap().as_socket().unwrap();
    let urls = [one.url(), format!("http://{down}/base"), two.url()];
    let edge = Edge::start_of(&replicas("alpha", &urls), &["--threads", "2"]);
    let mut seen = HashSet::new();
    for _ in 0..24 {
        // No request fails, and none is changed by having been meant for another.
        let reply = edge.raw("PUT /alpha/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        seen.insert(reply.text());
    }
    assert_eq!(seen.len(), 2, "both were asked");
    for head in [one.heads(), two.heads()].concat() {
        assert!(head.starts_with("PUT /x HTTP/1.1\r\n") && !head.contains(&down.to_string()), "{head}");
    }
    edge.told("server takes no connections", 1).await;
    let health = edge.get("/health/ready").await.json();
    let message = health["dependencies"]["alpha"]["message"].as_str().unwrap().to_owned();
    assert!(health["status"] == "degraded" && message.starts_with("1 of 3 replicas: "), "{health}");
    // It is asked by the edge itself whether it is back.
    socket.listen(8).unwrap();
    edge.told("server takes connections again", 1).await;
    assert_eq!(edge.get("/health/ready").await.json()["status"], "ready");
}

#[tokio::test]
async fn the_least_busy_is_asked() {
    let slow = crate::upstream::slow(std::time::Duration::from_secs(2)).await;
    let quick = named("quick").await;
    let urls = [format!("http://{slow}"), quick.url()];
    let edge = Edge::start_of(&replicas("alpha", &urls), &["--threads", "1"]);
    let first = [edge.get("/alpha/"), edge.get("/alpha/")];
    let [a, b] = first;
    let both = async { tokio::join!(a, b) };
    let rest = async {
        eventually("one waits", async || quick.heads().len() == 1).await;
        for _ in 0..10 {
            assert_eq!(edge.get("/alpha/").await.text(), "quick");
        }
    };
    let ((a, b), ()) = tokio::join!(both, rest);
    assert_eq!(HashSet::from([a.text(), b.text()]), HashSet::from(["done".to_owned(), "quick".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_killed_under_load_loses_what_it_was_doing_at_most() {
    let (one, two) = (named("hello").await, named("hello").await);
    // Programs that can be killed.
    let mut first = Edge::start(&[("beta", one.url())]);
    let second = Edge::start(&[("beta", two.url())]);
    let urls = [format!("{}/beta", first.url()), format!("{}/beta", second.url())];
    let edge = Arc::new(Edge::start_of(&replicas("alpha", &urls), &["--threads", "2"]));
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let (edge, stop, done) = (edge.clone(), stop.clone(), done.clone());
            let method = if client % 2 == 0 { "GET" } else { "POST" };
            tokio::spawn(async move {
                let mut failed = 0;
                let mut stream = edge.connect().await;
                let request =
                    format!("{method} /alpha/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
                while !stop.load(Ordering::SeqCst) {
                    stream.write_all(request.as_bytes()).await.unwrap();
                    let head = read_head(&mut stream).await.expect("an answer");
                    let length = crate::edge::header(&head, "content-length").unwrap().parse().unwrap();
                    stream.read_exact(&mut vec![0; length]).await.unwrap();
                    failed += usize::from(!head.starts_with("HTTP/1.1 200 "));
                    done.fetch_add(1, Ordering::SeqCst);
                }
                (method, failed)
            })
        })
        .collect();
    let so_many = async |count| {
        let goal = done.load(Ordering::SeqCst) + count;
        eventually("load", async || done.load(Ordering::SeqCst) >= goal).await;
    };
    so_many(200).await;
    first.signal("KILL");
    first.exit().await;
    so_many(400).await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        match client.await.unwrap() {
            ("GET", failed) => assert_eq!(failed, 0, "what may be sent twice is asked of the other"),
            (_, failed) => assert!(failed <= 1, "{failed} lost, but only one was on its way"),
        }
    }
}

const THREADS: &[&str] = &["--threads", "3"];

#[tokio::test]
async fn an_mcp_session_stays_with_the_replica_that_opened_it() {
    let (one, two) = (who("one", &[]).await, who("two", &[]).await);
    let edge = Edge::start_of(&replicas("who", &[one.url.clone(), two.url.clone()]), THREADS);
    let (mut names, mut last) = (HashSet::new(), String::new());
    for _ in 0..8 {
        let params = json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
        });
        let opened = post(
            &edge,
            "/who/mcp",
            "",
            &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}),
        )
        .await;
        let session = opened.header("mcp-session-id").expect("a session").to_owned();
        let headers = format!("Mcp-Session-Id: {session}\r\nMcp-Protocol-Version: 2025-06-18\r\n");
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(post(&edge, "/who/mcp", &headers, &ready).await.status, 202);
        // Each on a connection of its own, so that all threads serve some.
        let mut said = HashSet::new();
        for id in 1..7 {
            let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "who", "arguments": {}}});
            let reply = post(&edge, "/who/mcp", &headers, &call).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            let text = reply.text();
            said.insert(if text.contains("one") { "one" } else { "two" });
        }
        assert_eq!(said.len(), 1, "one replica answers all of a session: {said:?}");
        names.extend(said);
        last = headers;
    }
    assert_eq!(names.len(), 2, "sessions are spread");
    // An edge that knows none of it learns whose a session is from who knows it.
    let again = Edge::start_of(&replicas("who", &[one.url.clone(), two.url.clone()]), &["--threads", "1"]);
    let list = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/list"});
    let mut statuses = vec![];
    for _ in 0..6 {
        statuses.push(post(&again, "/who/mcp", &last, &list).await.status);
    }
    let lost = statuses.iter().take_while(|status| **status == 404).count();
    assert!(lost <= 1 && statuses[lost..].iter().all(|status| *status == 200), "{statuses:?}");
    // A session that nobody opened is for the replica to refuse.
    let unknown = post(
        &edge,
        "/who/mcp",
        "Mcp-Session-Id: nobody\r\n",
        &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    )
    .await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
}

/// A session of the HTTP+SSE transport: its stream, and where its messages go.
async fn open_sse(edge: &Edge) -> (BufReader<TcpStream>, String) {
    let mut stream = edge.connect().await;
    stream.write_all(b"GET /who/sse HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut stream = BufReader::new(stream);
    let endpoint = event(&mut stream, "messages").await;
    (stream, endpoint.trim_start_matches("data:").trim().to_owned())
}

/// The next line with this in it.
async fn event(stream: &mut BufReader<TcpStream>, part: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        let read = timeout(LONG, stream.read_line(&mut line)).await.expect("a line").unwrap();
        assert!(read > 0, "the stream ended before {part:?}");
        if line.contains(part) {
            return line;
        }
    }
}

#[tokio::test]
async fn messages_go_to_the_replica_that_streams_their_answers() {
    let (one, two) = (who("one", &[]).await, who("two", &[]).await);
    let edge = Edge::start_of(&replicas("who", &[one.url.clone(), two.url.clone()]), THREADS);
    for round in 0..6 {
        let (mut stream, endpoint) = open_sse(&edge).await;
        let params = json!({
            "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
        });
        for (id, method, params) in
            [(1, "initialize", params), (2, "tools/list", json!({})), (3, "tools/list", json!({}))]
        {
            let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            let reply = post(&edge, &format!("/who/{endpoint}"), "", &message).await;
            assert_eq!(reply.status, 202, "round {round}, {method}: {reply:?}");
            event(&mut stream, &format!("\"id\":{id}")).await;
        }
    }
}
