//! What goes over the wire: targets, headers, framing, and what is refused.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::edge::{Edge, Reply, header};
use crate::upstream::{Recorder, read_chunked, read_head, serve, url};

async fn pair() -> (Recorder, Edge) {
    let server = Recorder::hello().await;
    let edge = Edge::start(&[("alpha", server.url())]);
    (server, edge)
}

#[tokio::test]
async fn target_and_method_arrive_byte_for_byte() {
    let (server, edge) = pair().await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let request = format!("{method} /alpha/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let reply = edge.raw(request).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "hello"), "{method}");
        assert!(server.last().starts_with(&format!("{method} /x HTTP/1.1\r\n")), "{}", server.last());
    }
    for (asked, arrives) in [
        ("/alpha/a%20b%2Fc%2f%41?q=%20&r=/../&s=a+b", "/a%20b%2Fc%2f%41?q=%20&r=/../&s=a+b"),
        ("/alpha//x//y/", "//x//y/"),
        ("/alpha/a/./b/../c", "/a/./b/../c"),
        ("/alpha/%E4%BD%A0;v=1,2:3@4!$&'()*+=~_-.", "/%E4%BD%A0;v=1,2:3@4!$&'()*+=~_-."),
        ("/alpha", "/"),
        ("/alpha/", "/"),
        ("/alpha?x=1", "/?x=1"),
        ("/alpha/?", "/?"),
        ("http://localhost/alpha/abs?x", "/abs?x"),
    ] {
        assert_eq!(edge.get(asked).await.status, 200, "{asked}");
        assert!(
            server.last().starts_with(&format!("GET {arrives} HTTP/1.1\r\n")),
            "{asked}: {}",
            server.last()
        );
    }
}

#[tokio::test]
async fn a_base_path_is_put_in_front_and_cannot_be_left() {
    let server = Recorder::hello().await;
    let base = format!("{}/base/", server.url());
    let edge = Edge::start(&[("alpha", base), ("beta", format!("{}/other", server.url()))]);
    for (asked, arrives) in [("/alpha", "/base"), ("/alpha/x?y", "/base/x?y"), ("/beta/x", "/other/x")] {
        assert_eq!(edge.get(asked).await.status, 200);
        assert!(server.last().starts_with(&format!("GET {arrives} HTTP/1.1\r\n")), "{}", server.last());
    }
    let before = server.heads().len();
    for asked in [
        "/alpha/../other/x",
        "/alpha/..",
        "/alpha/a/../../other",
        "/alpha/%2e%2e/other",
        "/alpha/.%2E/other",
        "/alpha/..%2fother",
        "/alpha/..;/other",
        "/alpha//../other",
    ] {
        let reply = edge.get(asked).await;
        assert_eq!(reply.status, 400, "{asked}");
        assert_eq!(reply.json()["error"], "VALIDATION_ERROR");
        assert_eq!(reply.json()["details"]["field"], "path");
    }
    for asked in
        ["//alpha/x", "/%61lpha/x", "/Alpha/x", "/alpha%2Fx", "/./alpha/x", "/../alpha/x", "/alpha%00/x"]
    {
        let reply = edge.get(asked).await;
        assert_eq!(reply.status, 404, "{asked}");
        assert_eq!(reply.json()["error"], "NOT_FOUND");
    }
    assert_eq!(server.heads().len(), before, "nothing of that reached the server");
}

#[tokio::test]
async fn an_unknown_slug_is_told_which_there_are() {
    let server = Recorder::hello().await;
    let edge = Edge::start(&[("alpha", server.url()), ("beta", server.url())]);
    let reply = edge.get("/gamma/mcp").await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = reply.json();
    assert_eq!(body["error"], "NOT_FOUND");
    assert_eq!(body["message"], "no server \"gamma\"; there are: alpha, beta");
    assert_eq!(body["details"], serde_json::json!({"slug": "gamma", "slugs": ["alpha", "beta"]}));
    let index = edge.get("/").await.json();
    assert_eq!(index["servers"][1], serde_json::json!({"slug": "beta", "href": "beta/"}));
    let post = edge.raw("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn headers_of_one_connection_end_at_the_edge() {
    let server = Recorder::start(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=9\r\n\
         X-Hop: 1\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-End: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nhello",
    )
    .await;
    let edge = Edge::start(&[("alpha", server.url())]);
    let reply = edge
        .raw(
            "GET /alpha/ HTTP/1.1\r\nHost: localhost\r\nConnection: close, X-Private\r\nX-Private: 1\r\nKeep-Alive: 5\r\n\
             Proxy-Connection: keep-alive\r\nTE: gzip\r\nX-End: 3\r\nAuthorization: Bearer t\r\nCookie: c\r\n\r\n",
        )
        .await;
    for name in ["x-hop", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert_eq!(reply.header(name), None, "{name}");
    }
    assert_eq!(reply.header("x-end"), Some("2"));
    assert_eq!(reply.head.to_lowercase().matches("set-cookie").count(), 2);
    let head = server.last();
    for name in ["connection", "x-private", "keep-alive", "proxy-connection", "te"] {
        assert_eq!(header(&head, name), None, "{name}: {head}");
    }
    for (name, value) in [("x-end", "3"), ("authorization", "Bearer t"), ("cookie", "c")] {
        assert_eq!(header(&head, name), Some(value), "{head}");
    }
}

#[tokio::test]
async fn forwarding_headers_say_who_asked_and_cannot_be_made_up() {
    let (server, edge) = pair().await;
    let port = edge.address.port();
    edge.raw(format!(
        "GET /alpha/ HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close, X-Forwarded-For\r\n\
         X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-Port: 1\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n\r\n"
    ))
    .await;
    let head = server.last();
    assert_eq!(header(&head, "host"), Some(server.address.to_string().as_str()));
    assert_eq!(header(&head, "x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(header(&head, "x-forwarded-host"), Some(format!("localhost:{port}").as_str()));
    assert_eq!(header(&head, "x-forwarded-proto"), Some("http"));
    assert_eq!(header(&head, "x-forwarded-prefix"), Some("/alpha"));
    let forwarded = format!("for=127.0.0.1;host=\"localhost:{port}\";proto=http");
    assert_eq!(header(&head, "forwarded"), Some(forwarded.as_str()));
    assert_eq!(header(&head, "via"), Some("1.1 gantry-edge"));
    for spoofed in ["6.6.6.6", "evil.example", "x-forwarded-port"] {
        assert!(!head.contains(spoofed), "{head}");
    }
}

#[tokio::test]
async fn a_trace_goes_on_or_begins() {
    let (server, edge) = pair().await;
    let ask = async |headers: &str| {
        edge.raw(format!("GET /alpha/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"))
            .await;
        let head = server.last();
        let value = |name| header(&head, name).map(str::to_owned);
        (value("traceparent").expect("always one"), value("tracestate"))
    };
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let kept = ask(&format!("traceparent: {parent}\r\ntracestate: v=1\r\n")).await;
    assert_eq!(kept, (parent.to_owned(), Some("v=1".to_owned())));
    let (first, none) = ask("tracestate: v=1\r\n").await;
    let (second, _) = ask("traceparent: 00-0-0-0\r\n").await;
    assert_eq!(none, None);
    assert_ne!(first, second);
    for made in [first, second] {
        assert!(made.len() == 55 && made.starts_with("00-") && made.ends_with("-01"), "{made}");
    }
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let server = Recorder::hello().await;
    let edge = Edge::start_with(&[("alpha", server.url())], &["--allowed-hosts", "ops.example"]);
    let ask = async |target: &str, headers: &str| {
        edge.raw(format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")).await
    };
    for headers in ["Host: localhost\r\n", "Host: ops.example:8080\r\nOrigin: https://ops.example\r\n"] {
        assert_eq!(ask("/alpha/", headers).await.status, 200, "{headers}");
    }
    let before = server.heads().len();
    for (target, headers, status) in [
        ("/alpha/", "Host: evil.example\r\n", 403),
        ("/", "Host: evil.example\r\n", 403),
        ("/alpha/", "Host: localhost\r\nOrigin: https://evil.example\r\n", 403),
        ("/alpha/", "Host: localhost\r\nOrigin: null\r\n", 403),
        ("/alpha/", "", 400),
        ("/alpha/", "Host: localhost\r\nHost: evil.example\r\n", 400),
        ("/alpha/", "Host: \r\n", 400),
        ("http://evil.example/alpha/", "Host: localhost\r\n", 403),
    ] {
        let reply = ask(target, headers).await;
        assert_eq!(reply.status, status, "{target} {headers}");
        let code = if status == 403 { "FORBIDDEN" } else { "VALIDATION_ERROR" };
        assert_eq!(reply.json()["error"], code);
    }
    assert_eq!(server.heads().len(), before);
    assert_eq!(
        ask("/health/ready", "Host: 10.1.2.3:8080\r\n").await.status,
        200,
        "a kubelet asks by address"
    );
}

#[tokio::test]
async fn upgrades_get_a_clear_no() {
    let (server, edge) = pair().await;
    let reply = edge
        .raw(
            "GET /alpha/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
    assert_eq!(reply.status, 501);
    assert_eq!(reply.json()["details"]["field"], "Upgrade");
    let reply =
        edge.raw("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!(reply.status, 501);
    assert!(server.heads().is_empty());
    // What Java's client sends first, ready to be ignored.
    let reply = edge
        .raw(
            "GET /alpha/x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n\r\n",
        )
        .await;
    assert_eq!(reply.text(), "hello");
    assert!(!server.last().to_lowercase().contains("http2-settings"), "{}", server.last());
}

#[tokio::test]
async fn bodyless_answers_keep_their_length() {
    let server = serve(|mut stream, _| async move {
        while let Some(head) = read_head(&mut stream).await {
            let answer = if head.starts_with("HEAD ") {
                "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"
            } else if head.contains("/204") {
                "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"
            } else if head.contains("/304") {
                "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"
            } else {
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    let head = edge.raw("HEAD /alpha/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("1234"), 0));
    let empty = edge.get("/alpha/204").await;
    assert_eq!((empty.status, empty.header("x-a"), empty.header("content-length")), (204, Some("1"), None));
    let unchanged = edge.get("/alpha/304").await;
    assert_eq!((unchanged.status, unchanged.header("etag"), unchanged.body.len()), (304, Some("\"x\""), 0));
    assert_eq!(edge.get("/alpha/").await.header("content-length"), Some("0"));
}

#[tokio::test]
async fn old_clients_get_what_they_can_read() {
    let server = serve(|mut stream, _| async move {
        while read_head(&mut stream).await.is_some() {
            let answer =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    let reply = edge.raw("GET /alpha/ HTTP/1.0\r\nHost: localhost\r\n\r\n").await;
    assert!(reply.head.starts_with("HTTP/1.0 200"), "{}", reply.head);
    assert_eq!((reply.header("transfer-encoding"), reply.text().as_str()), (None, "abcdef"));
}

/// One request in, and exactly what the server got of it.
async fn arrives(request: &str) -> (Option<Reply>, Vec<u8>) {
    let (send, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let server = serve(move |mut stream, _| {
        let send = send.clone();
        async move {
            let mut buffer = [0; 4096];
            let mut answered = false;
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                send.send(buffer[..read].to_vec()).unwrap();
                if !std::mem::replace(&mut answered, true) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                }
            }
        }
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    let mut stream = edge.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    // Until the end, or until nothing more comes.
    while let Ok(Ok(1..)) = timeout(Duration::from_millis(300), stream.read_buf(&mut all)).await {}
    drop(edge);
    let mut bytes = Vec::new();
    while let Ok(more) = seen.try_recv() {
        bytes.extend(more);
    }
    (all.starts_with(b"HTTP/").then(|| Reply::new(&all)), bytes)
}

#[tokio::test]
async fn ambiguous_framing_smuggles_nothing() {
    let smuggled = "GET /alpha/smuggled HTTP/1.1\r\nHost: localhost\r\nX: y";
    let post = |headers: &str, body: &str| {
        format!("POST /alpha/x HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}")
    };
    for (request, what) in [
        (post("Content-Length: 5\r\nContent-Length: 60", smuggled), "lengths that differ"),
        (post("Content-Length: 5, 60", smuggled), "a list of lengths"),
        (post("Content-Length: +5", smuggled), "a signed length"),
        (post("Content-Length: 0x5", smuggled), "a hexadecimal length"),
        (post("Transfer-Encoding: xchunked", smuggled), "an unknown coding"),
        (post("Transfer-Encoding: chunked, identity", smuggled), "chunked not last"),
        (post("Transfer-Encoding : chunked", &format!("0\r\n\r\n{smuggled}")), "a space before the colon"),
        (post("Transfer-Encoding: chunked", "fffffffffffffffff\r\nx"), "a chunk size that overflows"),
        (post("X: a\0b", smuggled), "a NUL in a header"),
        (format!("GET /alpha/x HTTP/1.1 \r\nHost: localhost\r\n\r\n{smuggled}"), "a space after the version"),
        (format!("GET /alpha/x\r\n\r\n{smuggled}"), "HTTP/0.9"),
    ] {
        let (reply, bytes) = arrives(&request).await;
        let seen = String::from_utf8_lossy(&bytes);
        assert_eq!(reply.map(|it| it.status), Some(400), "{what}");
        assert_eq!(seen, "", "{what}: nothing of it reaches the server");
    }
    // What came before the fault may be on its way already; it never looks whole, and what follows stays behind.
    let (_, bytes) = arrives(&post("Transfer-Encoding: chunked", &format!("5\r\nhello{smuggled}"))).await;
    let seen = String::from_utf8_lossy(&bytes);
    assert!(!seen.contains("\r\n0\r\n") && !seen.contains("smuggled"), "a chunk without its end: {seen}");
    // Both framings: chunked counts, the length goes no further, and what follows is a request of its own.
    let both =
        post("Content-Length: 70\r\nTransfer-Encoding: chunked", &format!("0\r\n\r\n{smuggled}\r\n\r\n"));
    let (_, bytes) = arrives(&both).await;
    let seen = String::from_utf8_lossy(&bytes).to_lowercase();
    let (first, _) = seen.split_once("\r\n\r\n").expect("a request");
    assert!(first.contains("transfer-encoding: chunked") && !first.contains("content-length"), "{first}");
    // A coding that would be lost on the way.
    let (reply, bytes) = arrives(&post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n")).await;
    assert_eq!((reply.map(|it| it.status), bytes.len()), (Some(501), 0));
}

#[tokio::test]
async fn bodies_keep_their_framing() {
    let length = "POST /alpha/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    let (_, bytes) = arrives(length).await;
    let seen = String::from_utf8_lossy(&bytes);
    assert!(seen.contains("\r\ncontent-length: 5\r\n") && seen.ends_with("\r\n\r\nhello"), "{seen}");

    // Even where bodies are unusual.
    let server = serve(|mut stream, _| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert_eq!(header(&head, "transfer-encoding"), Some("chunked"), "{head}");
        let body = read_chunked(&mut stream).await;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    let request = "GET /alpha/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n0\r\n\r\n";
    assert_eq!(edge.raw(request).await.text(), "5\r\nhello\r\n0\r\n\r\n");
}

async fn read_some(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 1024];
    let read = timeout(crate::edge::LONG, stream.read(&mut buffer)).await.expect("bytes").unwrap();
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

#[tokio::test]
async fn a_server_may_refuse_an_expected_body() {
    let server = serve(|mut stream, _| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert_eq!(header(&head, "expect"), Some("100-continue"));
        if head.contains("/refused") {
            let answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno";
            stream.write_all(answer.as_bytes()).await.unwrap();
            assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "no byte of the body");
        } else {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
            let mut body = [0; 5];
            stream.read_exact(&mut body).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await.unwrap();
            stream.write_all(&body).await.unwrap();
        }
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    let ask = |path: &str| {
        format!(
            "PUT /alpha/{path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
    };
    let mut stream = edge.connect().await;
    stream.write_all(ask("refused").as_bytes()).await.unwrap();
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 413 "));

    let mut stream = edge.connect().await;
    stream.write_all(ask("wanted").as_bytes()).await.unwrap();
    assert_eq!(read_some(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut answer = read_some(&mut stream).await;
    while !answer.ends_with("\r\n\r\nhello") {
        answer += &read_some(&mut stream).await;
    }
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_named() {
    for (answer, part) in [
        ("SSH-2.0-OpenSSH_9\r\n\r\n", "not HTTP"),
        ("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "switched"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "coding"),
    ] {
        let server = Recorder::start(answer).await;
        let edge = Edge::start(&[("alpha", server.url())]);
        let reply = edge.get("/alpha/").await;
        assert_eq!(reply.status, 502, "{answer}");
        assert_eq!(reply.json()["error"], "SERVICE_ERROR");
        assert_eq!(reply.json()["details"]["slug"], "alpha");
        assert!(reply.json()["message"].as_str().unwrap().contains(part), "{reply:?}");
    }
}
