//! A session of HTTP+SSE: each line is posted as a message. Every event is a message, nothing is answered that was
//! not asked, and closing the stream ends the session.

#![no_main]

use std::time::Duration;

use gantry_fuzz::{KEY, LAB, is_message, is_request, request, same_id};
use http::Method;
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::time::timeout;

/// A session may have 64 unanswered requests.
const MOST: usize = 80;
/// Of a clock that runs only while nothing else does.
const QUIET: Duration = Duration::from_secs(5);

fuzz_target!(|input: &[u8]| LAB.run(fuzz(input)));

async fn fuzz(input: &[u8]) {
    let (mut opening, _) = request("/sse", b"");
    *opening.method_mut() = Method::GET;
    let mut stream = LAB.open(opening).await.into_body();
    let first = stream.frame().await.expect("an event").expect("open").into_data().expect("data");
    let first = String::from_utf8(first.to_vec()).expect("text");
    let path = first.lines().find_map(|line| line.strip_prefix("data: ")).expect("an address");
    let path = format!("/{path}");

    let mut asked = vec![];
    for line in input.split(|byte| *byte == b'\n').take(MOST) {
        let body = [b"\n\n", line].concat();
        let (message, _) = request(&path, &body);
        let answer = LAB.ask(message).await;
        answer.check(input);
        let message: Value = serde_json::from_slice(line).unwrap_or_default();
        if answer.status == 202 && is_request(&message) {
            asked.push(message["id"].clone());
        }
    }
    let mut text = String::new();
    while let Ok(Some(Ok(frame))) = timeout(QUIET, stream.frame()).await {
        text.push_str(&String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text"));
    }
    assert!(!text.contains(KEY) || String::from_utf8_lossy(input).contains(KEY), "the key in an event");
    for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let message: Value = serde_json::from_str(data).expect(data);
        assert!(is_message(&message), "no message: {message}");
        if message.get("method").is_none() && !message["id"].is_null() {
            let at = asked.iter().position(|id| same_id(id, &message["id"]));
            asked.swap_remove(at.unwrap_or_else(|| panic!("nobody asked: {message}")));
        }
    }
    drop(stream);
    tokio::time::sleep(QUIET).await;
    let (late, _) = request(&path, b"{}");
    assert_eq!(LAB.ask(late).await.status, 404, "a session outlives its stream");
}
