//! Who calls, and as whom: tokens of a real OpenID provider, tokens that a real Kubernetes API server reviews, and
//! what of all that an upstream gets to see.

mod cluster;
mod edge;
mod provider;
mod upstream;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use gantry_tests::program::Target;
use gantry_tests::recorder::Recorder;
use gantry_tests::{door, wire};
use http::{Request, Response, header, request};
use http_body_util::Full;
use serde_json::{Value, json};

/// What a request proves its caller with, and brings along.
type Headers<'a> = &'a [(&'a str, &'a str)];

fn with(mut request: request::Builder, headers: Headers<'_>) -> request::Builder {
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
}

async fn get(host: &str, path: &str, headers: Headers<'_>) -> Result<Response<Bytes>> {
    wire::send(host, with(Request::get(path), headers).body(Full::default())?).await
}

async fn rest(host: &str, tool: &str, arguments: &Value, headers: Headers<'_>) -> Result<Response<Bytes>> {
    let request = Request::post(format!("/tools/{tool}")).header(header::CONTENT_TYPE, "application/json");
    wire::send(host, with(request, headers).body(Full::from(arguments.to_string()))?).await
}

/// A call over MCP as of 2026-07-28; the tool's structured result, or our error object.
async fn mcp(host: &str, tool: &str, arguments: &Value, headers: Headers<'_>) -> Result<Value> {
    let target = Target { host: host.to_owned(), prefix: String::new() };
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": door::MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "gantry-tests", "version": "0"},
    });
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let request = door::mcp(&target).header("mcp-protocol-version", door::MODERN);
    let request = with(request.header("mcp-method", "tools/call").header("mcp-name", tool), headers);
    let answer = wire::json(&wire::send(host, request.body(Full::from(message.to_string()))?).await?)?;
    let result = &answer["result"];
    if result["isError"] == true {
        return Ok(serde_json::from_str(result["content"][0]["text"].as_str().context("a text")?)?);
    }
    Ok(if result.is_null() { answer } else { result["structuredContent"].clone() })
}

fn url_of(upstream: &Recorder) -> String {
    format!("http://{}/", upstream.host)
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Fails unless the answer has this status and our error code, and repeats nothing of what was sent.
fn refused(answer: &Response<Bytes>, status: u16, code: &str, sent: &str) -> Result<()> {
    let body = String::from_utf8_lossy(answer.body());
    ensure!(answer.status() == status && wire::json(answer)?["error"] == code, "{}: {body}", answer.status());
    ensure!(sent.is_empty() || !body.contains(sent), "the answer repeats the credential: {body}");
    Ok(())
}

fn challenge(answer: &Response<Bytes>) -> Result<&str> {
    Ok(answer.headers().get(header::WWW_AUTHENTICATE).context("no challenge")?.to_str()?)
}
