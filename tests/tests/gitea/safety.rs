//! What the Gitea server must never do: act as somebody else, give a credential away, leave what it was allowed, send a
//! write twice, or go on where it may only read.

mod callers;
mod faults;
mod reach;
mod reading;
mod ways;

use anyhow::{Result, ensure};
use gantry_tests::wire;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;

/// Calls a tool over REST with these headers.
async fn call(
    host: &str,
    tool: &str,
    arguments: &Value,
    headers: &[(&str, &str)],
) -> Result<(StatusCode, Value)> {
    let mut request =
        Request::post(format!("/tools/{tool}")).header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = wire::send(host, request.body(Full::from(arguments.to_string()))?).await?;
    Ok((answer.status(), wire::json(&answer)?))
}

/// Fails unless the call ended in this code; gives the error.
fn refused((status, answer): (StatusCode, Value), code: &str) -> Result<Value> {
    ensure!(!status.is_success() && answer["error"] == code, "{status}, not {code}: {answer}");
    Ok(answer)
}
