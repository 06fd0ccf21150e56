//! What holds for every answer, whatever was asked.

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

/// What came back, as far as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What a caller can be told; a fault of ours is none of it.
const EXPECTED: [u16; 13] = [200, 202, 204, 400, 401, 403, 404, 405, 406, 413, 415, 422, 429];

impl Answer {
    /// # Panics
    /// When the answer is not one that a server may give to `asked`.
    pub fn check(&self, asked: &[u8]) {
        assert!(EXPECTED.contains(&self.status.as_u16()), "status {}: {}", self.status, self.text());
        let told = |text: &[u8]| text.windows(crate::KEY.len()).any(|part| part == crate::KEY.as_bytes());
        assert!(told(asked) || !told(&self.body), "the key in an answer: {}", self.text());
        for message in self.messages() {
            assert!(is_message(&message) || is_refusal(&message), "no message: {message}");
        }
    }

    /// Everything in the body.
    ///
    /// # Panics
    /// When it is neither empty, nor JSON, nor events of JSON.
    pub fn messages(&self) -> Vec<Value> {
        let kind = self.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
        if kind.starts_with(b"text/event-stream") {
            let text = self.text();
            let data = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
            return data.filter(|data| !data.is_empty()).map(parse).collect();
        }
        if kind.starts_with(b"application/json") {
            return match parse(&self.text()) {
                Value::Array(batch) => batch,
                message => vec![message],
            };
        }
        let empty = self.body.is_empty() || self.status == StatusCode::ACCEPTED;
        assert!(empty, "a body of no known type: {:?} {}", self.headers, self.text());
        vec![]
    }

    /// Only what answers a request.
    pub fn responses(&self) -> Vec<Value> {
        self.messages().into_iter().filter(|it| it.get("method").is_none()).collect()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON, {error}: {text}"))
}

/// A JSON-RPC 2.0 message: a response with a result or an error, a request, or a notification. MCP lets an error go
/// without an id.
pub fn is_message(message: &Value) -> bool {
    let error = &message["error"];
    let has = |name| message.get(name).is_some();
    let result = has("result") && has("id") && !has("error");
    let error = error["code"].is_i64() && error["message"].is_string() && !has("result");
    let asks = message["method"].is_string() && !has("result") && !has("error");
    message["jsonrpc"] == "2.0" && (result || error || asks)
}

/// A JSON-RPC request, as far as its outside goes.
pub fn is_request(message: &Value) -> bool {
    message.get("id").is_some() && message["method"].is_string()
}

/// Whether two ids are the same. `-0` is 0 to an integer and a fraction to serde_json's values.
pub fn same_id(one: &Value, other: &Value) -> bool {
    let number = |id: &Value| id.as_f64();
    one == other || number(one).is_some_and(|it| number(other) == Some(it))
}

/// The error object of every door.
fn is_refusal(message: &Value) -> bool {
    message["error"].is_string() && message["message"].is_string()
}
