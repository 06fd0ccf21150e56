//! A request from bytes: lines of headers, an empty line, the body. A corpus of these can be read and written.

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};

/// `POST path` with the headers that clients send, changed by the lines: `name: value` sets one, `+name: value` adds
/// one, `-name` removes it. Without an empty line everything is the body.
pub fn request(path: &str, input: &[u8]) -> (Request<Body>, Vec<u8>) {
    let (head, body) = match input.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&input[..at], &input[at + 2..]),
        None => (&b""[..], input),
    };
    let mut headers = usual();
    for line in head.split(|byte| *byte == b'\n') {
        change(&mut headers, line);
    }
    let mut request = Request::post(path).body(Body::from(body.to_vec())).expect("a path");
    *request.headers_mut() = headers;
    (request, body.to_vec())
}

fn usual() -> HeaderMap {
    let bearer = format!("Bearer {}", crate::KEY);
    HeaderMap::from_iter([
        (header::HOST, HeaderValue::from_static("localhost")),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream")),
        (header::AUTHORIZATION, HeaderValue::from_str(&bearer).expect("text")),
    ])
}

fn change(headers: &mut HeaderMap, line: &[u8]) {
    if let Some(name) = line.strip_prefix(b"-") {
        if let Ok(name) = HeaderName::from_bytes(name) {
            headers.remove(name);
        }
        return;
    }
    let (line, adds) = match line.strip_prefix(b"+") {
        Some(line) => (line, true),
        None => (line, false),
    };
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..colon]), value) {
        if adds {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
}
