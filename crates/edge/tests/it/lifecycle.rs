//! Start, health, and servers that are down or silent.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::edge::{Edge, LONG, command, eventually, refusal};
use crate::upstream::{Recorder, read_head, serve, silent, slow, url};

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
    for (name, value) in [
        ("--listen", "here"),
        ("--threads", "0"),
        ("--connect-timeout", "soon"),
        ("--response-timeout", "never"),
        ("--max-connections", "0"),
        ("--unknown", "x"),
    ] {
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

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let server = url(silent().await);
    let edge = Edge::start_with(&[("alpha", server)], &["--response-timeout", "400ms"]);
    for body in ["", "{}"] {
        let start = Instant::now();
        let length = body.len();
        let request = format!(
            "POST /alpha/mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let reply = edge.raw(request).await;
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(2), "{took:?}");
        assert_eq!((reply.status, reply.json()["error"].as_str()), (504, Some("TIMEOUT_ERROR")));
        assert_eq!(reply.json()["details"], serde_json::json!({"slug": "alpha"}));
    }
}

#[tokio::test]
async fn a_body_under_way_and_an_answer_begun_have_all_the_time() {
    let server = serve(|mut stream, _| async move {
        while read_head(&mut stream).await.is_some() {
            stream.read_exact(&mut [0; 8]).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nslow").await.unwrap();
            sleep(Duration::from_millis(900)).await;
            stream.write_all(b"word").await.unwrap();
        }
    })
    .await;
    let edge =
        Edge::start_with(&[("alpha", url(server))], &["--response-timeout", "400ms", "--threads", "1"]);
    let mut stream = edge.connect().await;
    // The second goes over the kept connection, whose timer is not as fresh as the request.
    for _ in 0..2 {
        stream
            .write_all(b"POST /alpha/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n")
            .await
            .unwrap();
        for _ in 0..8 {
            sleep(Duration::from_millis(150)).await;
            stream.write_all(b"x").await.unwrap();
        }
        let head = timeout(LONG, read_head(&mut stream)).await.unwrap().unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let mut body = [0; 8];
        timeout(LONG, stream.read_exact(&mut body)).await.unwrap().unwrap();
        assert_eq!(&body, b"slowword");
    }
}

#[tokio::test]
async fn a_server_may_have_no_limit() {
    for none in ["0", "none"] {
        let server = url(slow(Duration::from_millis(600)).await);
        let edge = Edge::start_with(&[("alpha", server)], &["--response-timeout", none]);
        assert_eq!(edge.get("/alpha/").await.text(), "done");
    }
}

#[tokio::test]
async fn metrics_tell_servers_and_their_troubles_apart() {
    let (server, (_socket, down)) = (Recorder::hello().await, deaf());
    let edge = Edge::start_with(&[("alpha", server.url()), ("beta", url(down))], &["--threads", "2"]);
    for _ in 0..8 {
        edge.get("/alpha/").await;
    }
    edge.get("/beta/").await;
    edge.get("/nobody/").await;
    // The other thread sees a moment later than its client that a connection has ended.
    let alone = "gantry_edge_client_connections 1";
    eventually("only the connection of the question is open", async || {
        edge.get("/metrics").await.text().lines().any(|line| line == alone)
    })
    .await;
    let reply = edge.get("/metrics").await;
    assert!(reply.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let text = reply.text();
    for line in [
        r#"gantry_edge_requests_total{slug="alpha",by="server",status="2xx"} 8"#,
        r#"gantry_edge_requests_total{slug="beta",by="edge",status="5xx"} 1"#,
        r#"gantry_edge_requests_total{slug="",by="edge",status="4xx"} 1"#,
        r#"gantry_edge_connect_failures_total{slug="beta"} 1"#,
        r#"gantry_edge_server_connections{slug="beta"} 0"#,
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn check_tells_what_a_start_would_find() {
    let (server, (_socket, down)) = (Recorder::hello().await, deaf());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fleet.toml");
    let servers = [("alpha", server.url()), ("beta", url(down))];
    std::fs::write(&file, crate::edge::fleet(&servers)).unwrap();
    let check = async |listen: String| {
        let mut command = command(&file);
        command.args(["--listen", &listen, "check", "--json"]);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let output = check(taken.local_addr().unwrap().to_string()).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && text.contains("--listen"), "{text}");
    let output = check("127.0.0.1:0".to_owned()).await;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{report}");
    assert_eq!((&report["program"], &report["status"]), (&"gantry-edge".into(), &"degraded".into()));
    assert_eq!(report["dependencies"]["alpha"]["status"], "up");
    assert_eq!(report["dependencies"]["beta"]["status"], "down");
    let settings = report["settings"].as_array().unwrap();
    assert!(settings.iter().any(|it| it["name"] == "--config" && it["source"] == "flag"), "{report}");
    let mut without = command("missing.toml".as_ref());
    let refused = without.arg("check").output().unwrap();
    let text = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(refused.status.code() == Some(1) && text.contains("missing.toml"), "{text}");
}

#[test]
fn it_describes_itself() {
    for (args, part) in [(&["completions", "bash"][..], "--header-timeout"), (&["man"], "GANTRY_CONFIG")] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gantry-edge"));
        let output = command.env_clear().args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains(part), "{args:?}");
    }
}
