//! Start, health, servers that are down, load that must not hurt, and the end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::edge::{Edge, LONG, Reply, command, eventually, refusal};
use crate::upstream::{Recorder, read_head, serve, url};

/// A socket with an address of its own that does not listen yet.
fn deaf() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

#[tokio::test]
async fn a_server_that_is_down_is_named_within_a_second() {
    let (socket, address) = deaf();
    let edge = Edge::start(&[("alpha", url(address))]);
    assert_eq!(edge.get("/health/ready").await.json()["status"], "ready", "nobody tried yet");
    let start = Instant::now();
    let reply = edge
        .raw(
            "POST /alpha/mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        )
        .await;
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(reply.status, 502);
    assert_eq!(reply.json()["error"], "SERVICE_ERROR");
    assert_eq!(reply.json()["details"], serde_json::json!({"slug": "alpha"}));
    assert!(!reply.text().contains(&address.port().to_string()), "addresses are for the log: {reply:?}");
    edge.get("/alpha/").await;
    edge.told("server takes no connections", 1).await;

    let ready = edge.get("/health/ready").await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("degraded")));
    let finding = &ready.json()["dependencies"]["alpha"];
    assert_eq!((&finding["status"], &finding["required"]), (&"down".into(), &false.into()));

    socket.listen(8).unwrap();
    socket.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(socket.into()).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup").await.unwrap();
    });
    assert_eq!(edge.get("/alpha/").await.text(), "up");
    assert_eq!(edge.get("/health/ready").await.json()["status"], "ready");
    edge.told("server takes connections again", 1).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_the_knock_is_down_too() {
    // A listener whose queue is full lets the kernel drop further connections.
    let (socket, address) = deaf();
    socket.listen(0).unwrap();
    let mut queue = Vec::new();
    while let Ok(Ok(stream)) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        queue.push(stream);
        assert!(queue.len() < 50, "the queue never fills");
    }
    let edge = Edge::start(&[("alpha", url(address))]);
    let start = Instant::now();
    let reply = edge.get("/alpha/").await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!((reply.status, reply.json()["error"].as_str()), (502, Some("SERVICE_ERROR")));
}

#[tokio::test]
async fn health_and_version_answer_in_the_shared_shape() {
    let server = Recorder::hello().await;
    let edge = Edge::start(&[("alpha", server.url())]);
    let live = edge.get("/health/live").await;
    assert_eq!((live.status, live.json()["status"].as_str()), (200, Some("alive")));
    assert!(live.json()["timestamp"].is_string() && live.json()["service_version"].is_string());
    let health = edge.get("/health").await.json();
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["checks"]["alpha"]["message"], "not tried yet");
    assert_eq!(edge.get("/version").await.json()["name"], "gantry-edge");
    assert_eq!(edge.get("/health/other").await.status, 404);
    let post = edge.raw("POST /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!(post.status, 405);
    assert!(server.heads().is_empty(), "probes are not passed on");
}

#[test]
fn a_bad_setting_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fleet.toml");
    std::fs::write(&file, "[[server]]\nslug = 'a'\nurl = 'http://h'\n").unwrap();
    for (name, value) in
        [("--listen", "here"), ("--threads", "0"), ("--connect-timeout", "soon"), ("--unknown", "x")]
    {
        let error = refusal(command(&file).args([name, value]));
        assert!(error.contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_second_edge_cannot_take_half_of_the_connections() {
    let server = Recorder::hello().await;
    let edge = Edge::start(&[("alpha", server.url())]);
    let error = refusal(command(&edge.file()).args(["--listen", &edge.address.to_string()]));
    assert!(error.contains("--listen") && error.contains("in use"), "{error}");
}

/// A server that answers after this long.
async fn slow(delay: Duration) -> SocketAddr {
    serve(move |mut stream, _| async move {
        while read_head(&mut stream).await.is_some() {
            sleep(delay).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await;
        }
    })
    .await
}

async fn ask(edge: &Edge) -> TcpStream {
    let mut stream = edge.connect().await;
    stream.write_all(b"GET /alpha/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    stream
}

async fn all(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("an end");
    bytes
}

#[tokio::test]
async fn sigterm_lets_requests_finish() {
    for signal in ["TERM", "INT"] {
        let mut edge = Edge::start(&[("alpha", url(slow(Duration::from_millis(700)).await))]);
        let mut probe = edge.connect().await;
        // Connections that the kernel has let in count as under way, read or not.
        let asked = [ask(&edge).await, ask(&edge).await, ask(&edge).await];
        sleep(Duration::from_millis(100)).await;
        let late = ask(&edge).await;
        edge.signal(signal);
        sleep(Duration::from_millis(30)).await;
        probe.write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let head = timeout(LONG, read_head(&mut probe)).await.unwrap().expect("an answer");
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        eventually("no new connections", async || TcpStream::connect(edge.address).await.is_err()).await;
        for stream in asked.into_iter().chain([late]) {
            assert_eq!(Reply::new(&all(stream).await).text(), "done");
        }
        assert_eq!(edge.exit().await.code(), Some(0));
    }
}

#[tokio::test]
async fn sigterm_serves_those_the_kernel_has_let_in() {
    let server = Recorder::hello().await;
    let mut edge = Edge::start_with(&[("alpha", server.url())], &["--connect-timeout", "10s"]);
    edge.signal("STOP");
    let mut asked = Vec::new();
    for _ in 0..300 {
        asked.push(ask(&edge).await);
    }
    edge.signal("TERM");
    edge.signal("CONT");
    for stream in asked {
        assert_eq!(Reply::new(&all(stream).await).text(), "hello");
    }
    assert_eq!(edge.exit().await.code(), Some(0));
}

#[tokio::test]
async fn sigterm_does_not_wait_for_ever() {
    let server = url(slow(Duration::from_secs(60)).await);
    let mut edge = Edge::start_with(&[("alpha", server)], &["--shutdown-grace", "300ms"]);
    let stream = ask(&edge).await;
    let idle = edge.connect().await;
    sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    edge.signal("TERM");
    assert_eq!(edge.exit().await.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(edge.told("stopped with requests in flight", 1).await[0]["requests"], 1);
    assert!(all(stream).await.is_empty());
    drop(idle);
}

#[tokio::test]
async fn a_thousand_slow_clients_cost_little() {
    let server = Recorder::hello().await;
    let edge = Edge::start_with(&[("alpha", server.url())], &["--header-timeout", "4s"]);
    rlimit();
    edge.get("/alpha/").await;
    let before = edge.memory();
    let mut slow = Vec::new();
    for _ in 0..1000 {
        let mut stream = edge.connect().await;
        stream.write_all(b"POST /alpha/ HTTP/1.1\r\nHost: loc").await.unwrap();
        slow.push(stream);
    }
    sleep(Duration::from_millis(300)).await;
    let cost = edge.memory() - before;
    assert!(cost < 32 * 1024, "{cost} kB for 1000 connections");
    let start = Instant::now();
    assert_eq!(edge.get("/alpha/").await.text(), "hello");
    assert!(start.elapsed() < Duration::from_millis(500));
    for stream in slow {
        let answer = String::from_utf8_lossy(&all(stream).await).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    assert_eq!(edge.get("/alpha/").await.text(), "hello");
}

/// This process holds the other ends of all those connections.
fn rlimit() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
}
