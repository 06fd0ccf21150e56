//! A client of 2026-07-28 by hand: it says what it can be asked, and sends what comes back changed or twice.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use gantry_tests::door::{MODERN, mcp};
use gantry_tests::events::Events;
use gantry_tests::program::Target;
use gantry_tests::wire;
use http::header;
use http_body_util::Full;
use serde_json::{Value, json};

/// One caller of one server.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) target: Target,
    pub(crate) key: Option<&'static str>,
    pub(crate) can: Value,
}

impl Client {
    /// A caller without a key who can be asked to fill in forms.
    pub(crate) fn new(target: Target) -> Self {
        Self { target, key: None, can: json!({"elicitation": {"form": {}}}) }
    }

    /// Sends a request and gives the whole answer.
    pub(crate) async fn send(&self, method: &str, mut params: Value) -> Result<Value> {
        let name = ["name", "taskId", "uri"].iter().find_map(|key| params[*key].as_str()).map(str::to_owned);
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": self.can,
            "io.modelcontextprotocol/clientInfo": {"name": "gantry-tests", "version": "0"},
        });
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let mut request =
            mcp(&self.target).header("mcp-protocol-version", MODERN).header("mcp-method", method);
        if let Some(name) = name {
            request = request.header("mcp-name", name);
        }
        if let Some(key) = self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let body = Full::<Bytes>::from(message.to_string());
        let answer = wire::open(&self.target.host, request.body(body)?).await?;
        if answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
            return Events::new(answer.into_body()).answer(&message["id"]).await;
        }
        wire::json(&wire::whole(answer).await?)
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, tool: &str, arguments: &Value) -> Result<Value> {
        self.send("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Calls a tool again with answers and a state.
    pub(crate) async fn again(
        &self,
        tool: &str,
        arguments: &Value,
        state: &str,
        answers: Value,
    ) -> Result<Value> {
        let params =
            json!({"name": tool, "arguments": arguments, "inputResponses": answers, "requestState": state});
        self.send("tools/call", params).await
    }
}

/// The state that goes with the one question of this name.
pub(crate) fn asked(answer: &Value, name: &str) -> Result<String> {
    let result = &answer["result"];
    ensure!(result["resultType"] == "input_required", "no question: {answer}");
    ensure!(result["inputRequests"][name]["method"] == "elicitation/create", "not {name}: {answer}");
    Ok(result["requestState"].as_str().context("a question without a state")?.to_owned())
}

/// An answer in which the user fills in `content`.
pub(crate) fn accept(name: &str, content: &Value) -> Value {
    json!({name: {"action": "accept", "content": content}})
}

/// The text of a result.
pub(crate) fn text(answer: &Value) -> Result<&str> {
    answer["result"]["content"][0]["text"].as_str().with_context(|| format!("no text: {answer}"))
}

/// Our error in a failed result.
pub(crate) fn failure(answer: &Value) -> Result<Value> {
    ensure!(answer["result"]["isError"] == true, "not failed: {answer}");
    Ok(serde_json::from_str(text(answer)?)?)
}
