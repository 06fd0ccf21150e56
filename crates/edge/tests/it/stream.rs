//! Bodies on their way: large, slow, cut short, and whose connection carries them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::edge::{Edge, LONG, eventually};
use crate::upstream::{Recorder, read_chunked, read_head, serve, url};

const SIZE: usize = 50 * 1024 * 1024;
/// What a body may cost the edge at most, in kB, however large it is.
const FLAT: u64 = 4 * 1024;

/// Bytes that show when one is lost, doubled or moved.
fn pattern(at: usize, into: &mut [u8]) {
    for (index, byte) in into.iter_mut().enumerate() {
        let n = (at + index) as u64;
        *byte = (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
    }
}

async fn send_pattern(stream: &mut (impl AsyncWriteExt + Unpin)) {
    let mut block = vec![0; 64 * 1024];
    for at in (0..SIZE).step_by(block.len()) {
        pattern(at, &mut block);
        stream.write_all(&block).await.unwrap();
    }
}

async fn expect_pattern(stream: &mut (impl AsyncReadExt + Unpin)) {
    let (mut block, mut wanted) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    for at in (0..SIZE).step_by(block.len()) {
        stream.read_exact(&mut block).await.unwrap();
        pattern(at, &mut wanted);
        assert!(block == wanted, "bytes differ after {at}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_megabytes_up_and_down_in_flat_memory() {
    let pause = Arc::new(Notify::new());
    let resume = pause.clone();
    let server = serve(move |mut stream, _| {
        let pause = pause.clone();
        async move {
            let head = read_head(&mut stream).await.unwrap();
            if head.starts_with("PUT ") {
                pause.notified().await;
                expect_pattern(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsame").await.unwrap();
            } else {
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
                send_pattern(&mut stream).await;
            }
        }
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    assert_eq!(edge.get("/nobody").await.status, 404);
    let before = edge.memory();

    // Up, to a server that reads nothing at first.
    let stream = edge.connect().await;
    let (mut read, mut write) = stream.into_split();
    let upload = tokio::spawn(async move {
        let head = format!(
            "PUT /alpha/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n"
        );
        write.write_all(head.as_bytes()).await.unwrap();
        send_pattern(&mut write).await;
        write
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!upload.is_finished(), "the edge swallowed 50 MB for a server that reads nothing");
    let held = edge.memory().saturating_sub(before);
    resume.notify_one();
    let mut answer = String::new();
    timeout(LONG, read.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.ends_with("same"), "{answer}");
    upload.await.unwrap();

    // Down, to a client that reads nothing at first.
    let mut stream = edge.connect().await;
    stream.write_all(b"GET /alpha/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let held = held.max(edge.memory().saturating_sub(before));
    read_head(&mut stream).await.unwrap();
    timeout(LONG, expect_pattern(&mut stream)).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    let held = held.max(edge.memory().saturating_sub(before));
    assert!(held < FLAT, "{held} kB held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_at_once() {
    let server = serve(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    let (mut read, mut write) = edge.connect().await.into_split();
    let upload = tokio::spawn(async move {
        let head = format!(
            "POST /alpha/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n"
        );
        write.write_all(head.as_bytes()).await.unwrap();
        send_pattern(&mut write).await;
        write
    });
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(LONG, read.read_u8()).await.unwrap().unwrap());
    }
    timeout(LONG, expect_pattern(&mut read)).await.unwrap();
    upload.await.unwrap();
}

async fn ask(edge: &Edge, version: &str) -> TcpStream {
    let mut stream = edge.connect().await;
    let request = format!("GET /alpha/ {version}\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads until `text` is there.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(text) {
        let byte = timeout(LONG, stream.read_u8()).await.unwrap_or_else(|_| panic!("no {text:?}")).unwrap();
        seen.push(byte);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

#[tokio::test]
async fn events_arrive_when_they_are_sent() {
    let (send, events) = mpsc::unbounded_channel::<&str>();
    let events = Arc::new(tokio::sync::Mutex::new(events));
    let server = serve(move |mut stream, _| {
        let events = events.clone();
        async move {
            read_head(&mut stream).await.unwrap();
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            while let Some(event) = events.lock().await.recv().await {
                let chunk = format!("{:x}\r\n{event}\r\n", event.len());
                stream.write_all(chunk.as_bytes()).await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    let mut stream = ask(&edge, "HTTP/1.1").await;
    // The head comes before any event, and each event before the next is sent.
    read_until(&mut stream, "\r\n\r\n").await;
    for event in ["data: one\n\n", ": ping\n\n", "data: two\n\n"] {
        send.send(event).unwrap();
        read_until(&mut stream, event).await;
    }
    drop(send);
    read_until(&mut stream, "0\r\n\r\n").await;
}

#[tokio::test]
async fn trailers_go_both_ways() {
    let server = serve(|mut stream, _| async move {
        let head = read_head(&mut stream).await.unwrap().to_lowercase();
        assert!(head.contains("\r\nte: trailers\r\n") && head.contains("\r\ntrailer: x-sum\r\n"), "{head}");
        let body = read_chunked(&mut stream).await;
        assert_eq!(body.to_lowercase(), "2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n");
        let answer = "HTTP/1.1 200 OK\r\nTrailer: X-Check\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nho\r\n0\r\nX-Check: 2\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    let reply = edge
        .raw(
            "POST /alpha/ HTTP/1.1\r\nHost: localhost\r\nConnection: close, TE\r\nTE: trailers\r\nTrailer: X-Sum\r\n\
             Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
        )
        .await;
    assert_eq!(reply.header("trailer"), Some("X-Check"));
    assert_eq!(reply.text().to_lowercase(), "2\r\nho\r\n0\r\nx-check: 2\r\n\r\n");
}

/// An answer with both tells its end by chunks (RFC 9112, 6.3).
#[tokio::test]
async fn a_length_beside_chunks_cuts_nothing() {
    let server = serve(|mut stream, _| async move {
        read_head(&mut stream).await;
        let answer =
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    let reply = edge.raw("GET /alpha/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!(reply.header("content-length"), None);
    assert!(reply.text().contains("abc"), "{}", reply.text());
}

/// Everything until the connection ends, and whether its end was a clean one.
async fn rest(mut stream: TcpStream) -> (String, bool) {
    let mut all = Vec::new();
    let clean = timeout(LONG, stream.read_to_end(&mut all)).await.expect("an end").is_ok();
    (String::from_utf8_lossy(&all).into_owned(), clean)
}

#[tokio::test]
async fn an_answer_cut_short_never_looks_whole() {
    for framing in ["Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "Content-Length: 10\r\n\r\nhello"] {
        let server = serve(move |mut stream, _| async move {
            read_head(&mut stream).await.unwrap();
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{framing}").as_bytes()).await.unwrap();
        })
        .await;
        let edge = Edge::start(&[("alpha", url(server))]);
        let (seen, _) = rest(ask(&edge, "HTTP/1.1").await).await;
        assert!(seen.contains("hello"), "what did arrive is passed on: {seen}");
        assert!(!seen.contains("\r\n0\r\n"), "{seen}");
        // Without chunks, and where no length is known, only a reset can say it.
        let (seen, clean) = rest(ask(&edge, "HTTP/1.0").await).await;
        assert!(!clean || seen.to_lowercase().contains("content-length: 10"), "{seen}");
        assert_eq!(edge.get("/version").await.status, 200);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_along() {
    let ended = Arc::new(AtomicUsize::new(0));
    let (seen, started) = (ended.clone(), Arc::new(Notify::new()));
    let begun = started.clone();
    let server = serve(move |mut stream, _| {
        let (ended, started) = (ended.clone(), started.clone());
        async move {
            let head = read_head(&mut stream).await.unwrap();
            stream.read_exact(&mut [0; 2]).await.unwrap();
            if head.contains("/stream") {
                let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            started.notify_one();
            assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
            ended.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    for (number, path) in ["/alpha/wait", "/alpha/stream"].into_iter().enumerate() {
        let mut stream = edge.connect().await;
        let request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi");
        stream.write_all(request.as_bytes()).await.unwrap();
        timeout(LONG, begun.notified()).await.unwrap();
        if path == "/alpha/stream" {
            read_until(&mut stream, "hi\r\n").await;
        }
        assert_eq!(seen.load(Ordering::SeqCst), number);
        drop(stream);
        eventually("the server sees the end", async || seen.load(Ordering::SeqCst) == number + 1).await;
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Recorder::hello().await;
    let edge = Edge::start_with(&[("alpha", server.url())], &["--threads", "1"]);
    for _ in 0..20 {
        assert_eq!(edge.get("/alpha/").await.text(), "hello");
    }
    assert_eq!(server.connections(), 1);
}

/// A server whose first connection answers once and then ends when and how `end` says.
async fn once_then<F, Fut>(end: F) -> (std::net::SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let address = serve(move |mut stream, number| {
        let (count, end) = (count.clone(), end.clone());
        async move {
            while read_head(&mut stream).await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                if number == 0 {
                    return end(stream).await;
                }
            }
        }
    })
    .await;
    (address, requests)
}

fn request(method: &str) -> String {
    format!("{method} /alpha/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
}

#[tokio::test]
async fn a_connection_closed_while_unused_costs_no_request() {
    for method in ["GET", "POST"] {
        let (server, requests) = once_then(|stream| async move { drop(stream) }).await;
        let edge = Edge::start_with(&[("alpha", url(server))], &["--threads", "1"]);
        for _ in 0..2 {
            assert_eq!(edge.raw(request(method)).await.text(), "ok", "{method}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(requests.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn only_what_is_harmless_is_sent_twice() {
    for (method, status) in [("GET", 200), ("PUT", 200), ("POST", 502), ("PATCH", 502)] {
        let seen = Arc::new(AtomicUsize::new(0));
        let count = seen.clone();
        // Takes the second request and closes without a word.
        let (server, _) = once_then(move |mut stream| {
            let count = count.clone();
            async move {
                read_head(&mut stream).await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            }
        })
        .await;
        let edge = Edge::start_with(&[("alpha", url(server))], &["--threads", "1"]);
        assert_eq!(edge.raw(request(method)).await.status, 200);
        let second = edge.raw(request(method)).await;
        assert_eq!((second.status, seen.load(Ordering::SeqCst)), (status, 1), "{method}");
        if status == 502 {
            assert_eq!(second.json()["error"], "SERVICE_ERROR");
            assert_eq!(second.json()["details"]["slug"], "alpha");
        }
    }
}

#[tokio::test]
async fn an_answer_may_come_before_the_body_is_sent() {
    let server = serve(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
        // Ends when the edge lets go, having read what was under way.
        while let Ok(1..) = stream.read(&mut [0; 4096]).await {}
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    let mut stream = edge.connect().await;
    let head = "POST /alpha/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nfirst";
    stream.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut stream, "\r\n\r\nno").await;
}
