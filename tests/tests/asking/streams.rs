//! Who watches is told: over a stream of its own or in its session. A watcher that does not read costs nothing, and
//! the number of streams is bounded.

use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use gantry_tests::door::{Door, LEGACY, MODERN, mcp};
use gantry_tests::events::Events;
use gantry_tests::program::{Program, Target};
use gantry_tests::wire;
use http::{Request, header};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::client::Client;

const WATCHED: &str = "test://watched-resource";
const CHANGE: &str = "test_trigger_resource_change";

async fn listen(target: &Target, id: u64) -> Result<Events> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "gantry-tests", "version": "0"},
    });
    let wanted = json!({"resourceSubscriptions": [WATCHED, "test://not-there"], "promptsListChanged": true});
    let params = json!({"_meta": meta, "notifications": wanted});
    let message = json!({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params});
    let request =
        mcp(target).header("mcp-protocol-version", MODERN).header("mcp-method", "subscriptions/listen");
    let answer = wire::open(&target.host, request.body(Full::<Bytes>::from(message.to_string()))?).await?;
    Ok(Events::new(answer.into_body()))
}

async fn next(events: &mut Events) -> Result<Value> {
    Ok(serde_json::from_str(&events.next().await?.1)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_told_and_one_that_does_not_read_does_not_grow() -> Result<()> {
    let mut server = Program::start("everything", &[]).await?;
    let client = Client::new(server.target());
    let mut stream = listen(&server.target(), 1).await?;
    ensure!(
        next(&mut stream).await?["method"] == "notifications/subscriptions/acknowledged",
        "no acknowledgement"
    );
    client.call(CHANGE, &json!({})).await?;
    let news = next(&mut stream).await?;
    ensure!(
        news["method"] == "notifications/resources/updated" && news["params"]["uri"] == WATCHED,
        "{news}"
    );
    ensure!(news["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == 1, "{news}");
    client.call("test_trigger_prompt_change", &json!({})).await?;
    ensure!(
        next(&mut stream).await?["method"] == "notifications/prompts/list_changed",
        "no news of the prompts"
    );

    // Twenty that never read, and changes enough to fill any buffer between.
    let mut deaf = vec![];
    for id in 2..22 {
        deaf.push(listen(&server.target(), id).await?);
    }
    let before = server.rss_kb()?;
    for _ in 0..2000 {
        client.call(CHANGE, &json!({})).await?;
    }
    let grown = server.rss_kb()?.saturating_sub(before);
    ensure!(grown < 16 * 1024, "memory grew by {grown} kB");
    server.check_alive().await
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_bounded() -> Result<()> {
    let server = Program::start("everything", &["--max-sessions", "2"]).await?;
    let mut open = vec![];
    for id in 1..3 {
        let mut stream = listen(&server.target(), id).await?;
        next(&mut stream).await?;
        open.push(stream);
    }
    let mut third = listen(&server.target(), 3).await?;
    next(&mut third).await?;
    let refused = next(&mut third).await?;
    ensure!(refused["error"]["data"]["error"] == "RATE_LIMITED", "{refused}");
    open.pop();
    for id in 4.. {
        let mut stream = listen(&server.target(), id).await?;
        next(&mut stream).await?;
        let refused = tokio::time::timeout(Duration::from_secs(1), next(&mut stream)).await;
        if refused.is_err() {
            return Ok(());
        }
        ensure!(id < 20, "a closed stream is still counted");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_told_of_what_it_watches() -> Result<()> {
    let server = Program::start("everything", &[]).await?;
    let target = server.target();
    let Door::Session(_, session) = Door::session(&target).await? else { unreachable!("asked for one") };
    let request = |builder: http::request::Builder| {
        builder.header("mcp-session-id", &session).header("mcp-protocol-version", LEGACY)
    };
    let stream = request(Request::get("/mcp")).header(header::ACCEPT, "text/event-stream");
    let mut stream = Events::new(wire::open(&target.host, stream.body(Full::default())?).await?.into_body());
    let ask = async |method: &str, uri: &str| -> Result<Value> {
        let message = json!({"jsonrpc": "2.0", "id": 3, "method": method, "params": {"uri": uri}});
        let answer =
            wire::open(&target.host, request(mcp(&target)).body(Full::from(message.to_string()))?).await?;
        if answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
            return Events::new(answer.into_body()).answer(&json!(3)).await;
        }
        wire::json(&wire::whole(answer).await?)
    };
    let refused = ask("resources/subscribe", "test://not-there").await?;
    ensure!(refused.get("error").is_some(), "it watches what is not there: {refused}");
    let watched = ask("resources/subscribe", WATCHED).await?;
    ensure!(watched.get("result").is_some(), "{watched}");
    let client = Client::new(target.clone());
    client.call(CHANGE, &json!({})).await?;
    let news = next(&mut stream).await?;
    ensure!(
        news["method"] == "notifications/resources/updated" && news["params"]["uri"] == WATCHED,
        "{news}"
    );
    // Once it no longer watches, the next thing it hears of is something else.
    ask("resources/unsubscribe", WATCHED).await?;
    client.call(CHANGE, &json!({})).await?;
    client.call("test_trigger_prompt_change", &json!({})).await?;
    let news = next(&mut stream).await?;
    ensure!(news["method"] == "notifications/prompts/list_changed", "{news}");
    Ok(())
}
