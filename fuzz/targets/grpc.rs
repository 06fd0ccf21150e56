//! The gRPC door: any headers, then a byte for the method and the message. Every answer ends with a status, its
//! messages can be read, and a tool called with JSON says what it says over REST.

#![no_main]

use std::time::Duration;

use axum::body::Body;
use gantry_fuzz::{KEY, LAB, request};
use http::{HeaderMap, Request, Version};
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use proto::gantry::tool::v1::call_tool_request::Input;
use proto::gantry::tool::v1::call_tool_response::Message as Said;
use proto::gantry::tool::v1::{CallToolRequest, CallToolResponse, ListToolsResponse};
use serde_json::Value;
use tokio::time::timeout;

const METHODS: [&str; 5] = [
    "/gantry.tool.v1.ToolService/CallTool",
    "/gantry.tool.v1.ToolService/ListTools",
    "/gantry.tool.v1.ToolService/Nothing",
    "/grpc.health.v1.Health/Check",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];
/// Sent like this, the message has no prefix but what it brings.
const RAW: &str = "x-raw";
/// Of a clock that runs only while nothing else does.
const QUIET: Duration = Duration::from_secs(5);

fuzz_target!(|input: &[u8]| LAB.run(fuzz(input)));

async fn fuzz(input: &[u8]) {
    let (asked, body) = request("/", input);
    let Some((method, message)) = body.split_first() else { return };
    let method = METHODS[usize::from(*method) % METHODS.len()];
    let grpc = !asked.headers().contains_key("content-type-as-it-is");
    let (status, messages) = ask(asked, method, message, grpc).await;
    for message in &messages {
        let text = String::from_utf8_lossy(message);
        assert!(!text.contains(KEY) || String::from_utf8_lossy(input).contains(KEY), "the key in an answer");
    }
    if status.as_deref() != Some("0") {
        return;
    }
    match method {
        "/gantry.tool.v1.ToolService/CallTool" => {
            let said = messages.iter().map(|it| CallToolResponse::decode(&it[..]).expect("a message"));
            let Some(Said::Result(result)) = said.last().expect("a result").message else {
                panic!("success without a result")
            };
            if let Ok(CallToolRequest { name, input: Some(Input::ArgumentsJson(json)) }) =
                CallToolRequest::decode(message)
            {
                let (rest, _) = request(&format!("/tools/{name}"), &[b"\n\n", json.as_bytes()].concat());
                let answer = LAB.ask(rest).await;
                let parse = |text: &[u8]| serde_json::from_slice::<Value>(text).expect("JSON");
                assert_eq!(parse(result.json.as_bytes()), parse(&answer.body), "two doors, two answers");
            }
        }
        "/gantry.tool.v1.ToolService/ListTools" => {
            ListToolsResponse::decode(&messages[0][..]).expect("a list");
        }
        _ => {}
    }
}

/// The status and the messages of an answer; no status when it does not end.
async fn ask(
    mut request: Request<Body>,
    method: &str,
    message: &[u8],
    grpc: bool,
) -> (Option<String>, Vec<Vec<u8>>) {
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    let framed = match request.headers().contains_key(RAW) {
        true => message.to_vec(),
        false => [&[0], &length[..], message].concat(),
    };
    *request.body_mut() = Body::from(framed);
    *request.uri_mut() = method.parse().expect("a path");
    *request.version_mut() = Version::HTTP_2;
    if grpc {
        let kind = http::HeaderValue::from_static("application/grpc");
        request.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    }
    let (parts, mut body) = LAB.open(request).await.into_parts();
    if !grpc && parts.status == 415 {
        return (Some("415".to_owned()), vec![]);
    }
    assert_eq!(parts.status, 200, "gRPC errors are no HTTP errors");
    let (mut bytes, mut trailers) = (vec![], HeaderMap::new());
    let ended = loop {
        match timeout(QUIET, body.frame()).await {
            Err(_) => break false,
            Ok(None) => break true,
            Ok(Some(frame)) => match frame.expect("an open stream").into_data() {
                Ok(data) => bytes.extend(data),
                Err(frame) => trailers = frame.into_trailers().expect("data or trailers"),
            },
        }
    };
    let status = parts.headers.get("grpc-status").or(trailers.get("grpc-status"));
    let status = status.map(|status| status.to_str().expect("a number").to_owned());
    assert!(!ended || status.is_some(), "an end without a status: {:?} {trailers:?}", parts.headers);
    (status, split(&bytes))
}

fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = vec![];
    while let Some((prefix, rest)) = bytes.split_first_chunk::<5>() {
        assert_eq!(prefix[0], 0, "nobody asked for compression");
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
        let (message, rest) = rest.split_at(usize::try_from(length).expect("32 bits"));
        messages.push(message.to_vec());
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a prefix");
    messages
}
