//! The end: what a shutdown waits for, what it cuts, and who still gets in meanwhile.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::edge::{Edge, LONG, Reply, all, ask, eventually};
use crate::upstream::{Recorder, read_head, serve, slow, url};

async fn ready(edge: &Edge) -> Option<u16> {
    let mut stream = TcpStream::connect(edge.address).await.ok()?;
    stream
        .write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .ok()?;
    read_head(&mut stream).await?.split(' ').nth(1)?.parse().ok()
}

async fn closed(edge: &Edge) {
    eventually("no new connections", async || TcpStream::connect(edge.address).await.is_err()).await;
}

#[tokio::test]
async fn sigterm_lets_requests_finish_and_says_so_to_whoever_comes() {
    for signal in ["TERM", "INT"] {
        let mut edge = Edge::start(&[("alpha", url(slow(Duration::from_millis(1500)).await))]);
        let asked = [ask(&edge).await, ask(&edge).await, ask(&edge).await, ask(&edge).await];
        sleep(Duration::from_millis(200)).await;
        assert_eq!(ready(&edge).await, Some(200));
        let start = Instant::now();
        edge.signal(signal);
        eventually("not ready", async || ready(&edge).await == Some(503)).await;
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        // Those who have not heard of it are served too, although the others are done before.
        let late = ask(&edge).await;
        closed(&edge).await;
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(1000), "closed after {waited:?}, before the first were done");
        for stream in asked.into_iter().chain([late]) {
            assert_eq!(Reply::new(&all(stream).await).text(), "done");
        }
        assert_eq!(edge.exit().await.code(), Some(0));
        edge.told("stopped", 1).await;
    }
}

#[tokio::test]
async fn steady_load_does_not_hold_the_end_up() {
    let mut edge = Edge::start(&[("alpha", url(slow(Duration::from_millis(300)).await))]);
    let mut asked = Vec::new();
    let start = Instant::now();
    edge.signal("TERM");
    // There is no moment without a request.
    while let Ok(mut stream) = TcpStream::connect(edge.address).await {
        stream.write_all(b"GET /alpha/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        asked.push(stream);
        assert!(start.elapsed() < Duration::from_secs(5), "still open");
        sleep(Duration::from_millis(20)).await;
    }
    for stream in asked {
        assert_eq!(Reply::new(&all(stream).await).text(), "done");
    }
    assert_eq!(edge.exit().await.code(), Some(0));
}

#[tokio::test]
async fn the_delay_keeps_the_door_open() {
    let server = Recorder::hello().await;
    let mut edge = Edge::start_with(&[("alpha", server.url())], &["--shutdown-delay", "1s"]);
    let start = Instant::now();
    edge.signal("TERM");
    eventually("not ready", async || ready(&edge).await == Some(503)).await;
    while start.elapsed() < Duration::from_millis(800) {
        assert_eq!(edge.get("/alpha/").await.text(), "hello");
        assert_eq!(ready(&edge).await, Some(503));
        sleep(Duration::from_millis(50)).await;
    }
    closed(&edge).await;
    assert_eq!(edge.exit().await.code(), Some(0));
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(3), "{took:?}");
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
    edge.told("stopped with requests in flight", 1).await;
    assert!(all(stream).await.is_empty());
    drop(idle);
}

/// A server that sends an event, and after a second another where it was asked for with `/call`; then nothing.
async fn events() -> String {
    let server = serve(|mut stream, _| async move {
        let head = read_head(&mut stream).await.unwrap();
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
                      Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        if head.contains("/call ") {
            sleep(Duration::from_secs(1)).await;
            stream.write_all(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n").await.unwrap();
        }
        sleep(LONG).await;
    })
    .await;
    url(server)
}

async fn open(edge: &Edge, request: &str) -> TcpStream {
    let mut stream = edge.connect().await;
    stream.write_all(format!("{request}\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let head = timeout(LONG, read_head(&mut stream)).await.unwrap().unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    stream
}

#[tokio::test]
async fn streams_without_end_hold_nothing_up_and_end_cleanly() {
    let mut edge = Edge::start(&[("alpha", events().await)]);
    let streams = [
        open(&edge, "GET /alpha/mcp HTTP/1.1").await,
        open(&edge, "POST /alpha/mcp HTTP/1.1\r\nContent-Length: 0\r\nMcp-Method: subscriptions/listen")
            .await,
    ];
    let start = Instant::now();
    edge.signal("TERM");
    for stream in streams {
        assert_eq!(String::from_utf8(all(stream).await).unwrap(), "9\r\ndata: 1\n\n\r\n0\r\n\r\n");
    }
    assert_eq!(edge.exit().await.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    edge.told("stopped", 1).await;
}

#[tokio::test]
async fn streams_without_end_go_on_while_calls_do() {
    let mut edge = Edge::start_with(&[("alpha", events().await)], &["--threads", "1"]);
    let endless = open(&edge, "GET /alpha/mcp HTTP/1.1").await;
    let call = open(&edge, "POST /alpha/call HTTP/1.1\r\nContent-Length: 0").await;
    edge.signal("TERM");
    let ended = tokio::spawn(async move {
        all(endless).await;
        Instant::now()
    });
    // The stream that answers a call is the call: all of it arrives.
    let answer = String::from_utf8(all(call).await).unwrap();
    let done = Instant::now();
    assert_eq!(answer, "9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n");
    let ended = ended.await.unwrap();
    assert!(ended + Duration::from_millis(300) > done, "cut {:?} before the call was done", done - ended);
    assert_eq!(edge.exit().await.code(), Some(0));
}

#[tokio::test]
async fn an_answer_that_is_cut_does_not_look_whole() {
    let server = serve(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        sleep(LONG).await;
    })
    .await;
    let mut edge = Edge::start_with(&[("alpha", url(server))], &["--shutdown-grace", "300ms"]);
    let stream = open(&edge, "GET /alpha/ HTTP/1.1").await;
    edge.signal("TERM");
    assert_eq!(String::from_utf8_lossy(&all(stream).await), "2\r\nhi\r\n");
    assert_eq!(edge.exit().await.code(), Some(0));
}
