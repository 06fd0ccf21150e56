//! Servers that answer before they have read the body: their answer arrives, whatever becomes of the body.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::edge::{Edge, LONG, Reply, header};
use crate::upstream::{read_head, serve, url};

const TRIES: usize = 50;

/// Refuses a body unread and closes; answers anything else.
async fn refusing(close: &'static str) -> SocketAddr {
    serve(move |mut stream, _| async move {
        while let Some(head) = read_head(&mut stream).await {
            if head.starts_with("POST ") {
                let answer =
                    format!("HTTP/1.1 413 Content Too Large\r\n{close}Content-Length: 8\r\n\r\ntoo much");
                stream.write_all(answer.as_bytes()).await.unwrap();
                return;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
    })
    .await
}

/// Sends a body of so many megabytes as far as it is taken, and gives the answer's head and body.
async fn upload(stream: &mut TcpStream, megabytes: usize, chunked: bool) -> (Reply, bool) {
    let block = vec![b'x'; 1 << 20];
    let framing = match chunked {
        true => "Transfer-Encoding: chunked".to_owned(),
        false => format!("Content-Length: {}", megabytes * block.len()),
    };
    let (mut read, mut write) = stream.split();
    let send = async {
        let head = format!("POST /alpha/ HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
        write.write_all(head.as_bytes()).await?;
        for _ in 0..megabytes {
            if chunked {
                write.write_all(format!("{:x}\r\n", block.len()).as_bytes()).await?;
            }
            write.write_all(&block).await?;
            if chunked {
                write.write_all(b"\r\n").await?;
            }
        }
        write.write_all(if chunked { b"0\r\n\r\n" } else { b"" }).await
    };
    let receive = async {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(read.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let mut body = vec![0; header(&head, "content-length").expect("a length").parse().unwrap()];
        read.read_exact(&mut body).await.unwrap();
        bytes.extend(body);
        Reply::new(&bytes)
    };
    let (sent, reply) = timeout(LONG, async { tokio::join!(send, receive) }).await.expect("both to end");
    (reply, sent.is_ok())
}

async fn refusals_arrive(close: &'static str, chunked: bool) {
    let edge = Edge::start_with(&[("alpha", url(refusing(close).await))], &["--threads", "1"]);
    for number in 0..TRIES {
        let mut stream = edge.connect().await;
        let (reply, taken) = upload(&mut stream, 5 + number % 16, chunked).await;
        assert_eq!((reply.status, reply.text().as_str()), (413, "too much"), "try {number}: {reply:?}");
        assert!(taken, "try {number}: the client was cut off while it sent");
        // Over the same connection, and over another.
        stream.write_all(b"GET /alpha/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let head = timeout(LONG, read_head(&mut stream)).await.unwrap();
        assert!(
            head.as_ref().is_some_and(|head| head.starts_with("HTTP/1.1 200 ")),
            "try {number}: {head:?}"
        );
        let reply = edge.get("/alpha/").await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "ok"), "try {number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_arrives_though_its_server_closes_on_a_body_of_known_length() {
    refusals_arrive("Connection: close\r\n", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_arrives_though_its_server_closes_on_a_chunked_body() {
    refusals_arrive("Connection: close\r\n", true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_closes_without_saying_so_costs_the_next_request_nothing() {
    refusals_arrive("", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edges_own_refusal_arrives_too() {
    // Nobody listens on a port that was just given back.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let edge = Edge::start(&[("alpha", url(nobody))]);
    for chunked in [false, true] {
        let mut stream = edge.connect().await;
        let (reply, taken) = upload(&mut stream, 5, chunked).await;
        assert_eq!((reply.status, reply.json()["error"].as_str()), (502, Some("SERVICE_ERROR")));
        assert!(taken);
    }
}

#[tokio::test]
async fn a_body_that_was_held_back_is_not_called_for_after_a_refusal() {
    let server = serve(|mut stream, _| async move {
        while read_head(&mut stream).await.is_some() {
            stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
        }
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    for path in ["/alpha/", "/unknown/"] {
        let mut stream = edge.connect().await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        let end = timeout(Duration::from_secs(5), stream.read_to_end(&mut seen)).await;
        let seen = String::from_utf8_lossy(&seen).into_owned();
        assert!(seen.starts_with("HTTP/1.1 40"), "{seen}");
        assert!(end.is_ok(), "what comes next could be body or request: {seen}");
    }
}

#[tokio::test]
async fn a_server_that_ends_without_an_answer_is_still_named() {
    let server = serve(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    for chunked in [false, true] {
        let mut stream = edge.connect().await;
        let (reply, _) = upload(&mut stream, 8, chunked).await;
        assert_eq!((reply.status, reply.json()["details"]["slug"].as_str()), (502, Some("alpha")));
    }
}
