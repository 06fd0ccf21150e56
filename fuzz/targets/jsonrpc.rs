//! `POST /mcp` with any headers and any body. Every answer is sound, an answer has the id of its request, and the
//! short way of a plain call says what rmcp says.

#![no_main]

use gantry_fuzz::{Answer, LAB, request, same_id};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| LAB.run(fuzz(input)));

async fn fuzz(input: &[u8]) {
    let (asked, body) = request("/mcp", input);
    let kind = asked.headers().get(CONTENT_TYPE).cloned();
    let answer = LAB.ask(asked).await;
    answer.check(input);
    check_id(&answer, &body);
    end_session(&answer).await;
    if kind == Some(HeaderValue::from_static("application/json")) {
        // The same to rmcp; to the short way one letter more is another shape.
        let (mut long_way, _) = request("/mcp", input);
        let kind = HeaderValue::from_static("application/json; charset=utf-8");
        long_way.headers_mut().insert(CONTENT_TYPE, kind);
        let other = LAB.ask(long_way).await;
        end_session(&other).await;
        assert_eq!(
            (answer.status, answer.responses()),
            (other.status, other.responses()),
            "two ways, two answers"
        );
    }
}

fn check_id(answer: &Answer, body: &[u8]) {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    for response in answer.responses() {
        let id = response.get("id").filter(|id| !id.is_null());
        assert!(asked.is_array() || id.is_none_or(|id| same_id(id, &asked["id"])), "{response} for {asked}");
    }
}

/// So that there is always room for one more.
async fn end_session(answer: &Answer) {
    let Some(id) = answer.headers.get("mcp-session-id") else { return };
    let (mut request, _) = request("/mcp", b"");
    *request.method_mut() = http::Method::DELETE;
    request.headers_mut().insert("mcp-session-id", id.clone());
    let ended = LAB.ask(Request::from(request)).await;
    assert_eq!(ended.status, 204, "a session that does not end");
}
