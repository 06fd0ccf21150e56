//! A question from one replica is answered at another; a state that is not the caller's own, for the same call, in
//! time and for the first time, is refused.

use std::time::Duration;

use anyhow::{Result, ensure};
use gantry_tests::program::{Program, Target};
use serde_json::{Value, json};

use crate::client::{Client, accept, asked, text};

const KEYS: &str = "ops:write:ops-key,eve:write:eve-key";
const TOOL: &str = "test_input_required_result_multi_round";
const OTHER: &str = "test_input_required_result_elicitation";

/// Two replicas that share their key and what was used, and one with a key of its own.
struct Replicas {
    one: Program,
    two: Program,
    stranger: Program,
    _files: tempfile::TempDir,
}

async fn replicas(more: &[&str]) -> Result<Replicas> {
    let files = tempfile::TempDir::new()?;
    let path = |name: &str| files.path().join(name).to_string_lossy().into_owned();
    let (keys, foreign, used) = (path("keys"), path("foreign"), path("used"));
    std::fs::write(&keys, "# shared\nan-old-key-of-at-least-thirty-two-bytes\n")?;
    std::fs::write(&foreign, "another-key-of-at-least-thirty-two-bytes\n")?;
    let start = async |file: &str, more: &[&str]| {
        let args = ["--sessions", "off", "--api-keys", KEYS, "--state-key-file", file];
        Program::start("everything", &[&args, more].concat()).await
    };
    let shared = [more, &["--used-states-dir", &used]].concat();
    let (one, two) = (start(&keys, &shared).await?, start(&keys, &shared).await?);
    Ok(Replicas { one, two, stranger: start(&foreign, &[]).await?, _files: files })
}

fn ops(target: Target) -> Client {
    Client { key: Some("ops-key"), ..Client::new(target) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_asks_another_takes_further() -> Result<()> {
    let replicas = replicas(&[]).await?;
    let (one, two) = (ops(replicas.one.target()), ops(replicas.two.target()));
    let nothing = json!({});
    let name = asked(&one.call(TOOL, &nothing).await?, "step1")?;
    let colour = two.again(TOOL, &nothing, &name, accept("step1", &json!({"name": "Ada"}))).await?;
    let colour = asked(&colour, "step2")?;
    let end = one.again(TOOL, &nothing, &colour, accept("step2", &json!({"color": "green"}))).await?;
    ensure!(text(&end)? == "Ada likes green.", "{end}");

    // What does not fit the form is asked again, and a user who does not want to is not.
    let name = asked(&one.call(TOOL, &nothing).await?, "step1")?;
    let again = two.again(TOOL, &nothing, &name, accept("step1", &json!({"nmae": "Ada"}))).await?;
    let name = asked(&again, "step1")?;
    let declined = one.again(TOOL, &nothing, &name, json!({"step1": {"action": "decline"}})).await?;
    ensure!(text(&declined)?.contains("FORBIDDEN"), "{declined}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_not_right_is_refused() -> Result<()> {
    let replicas = replicas(&[]).await?;
    let (one, two) = (ops(replicas.one.target()), ops(replicas.two.target()));
    let eve = Client { key: Some("eve-key"), ..one.clone() };
    let nothing = json!({});
    let answer = || accept("step1", &json!({"name": "Ada"}));
    let state = asked(&one.call(TOOL, &nothing).await?, "step1")?;

    let middle = state.len() / 2;
    let flipped = if state.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let tampered = format!("{}{flipped}{}", &state[..middle], &state[middle + 1..]);
    refused(&two.again(TOOL, &nothing, &tampered, answer()).await?, "was changed")?;
    refused(&two.again(TOOL, &nothing, "made-up", answer()).await?, "is not one of this server's")?;
    refused(&eve.again(TOOL, &nothing, &state, answer()).await?, "another caller")?;
    refused(&two.again(OTHER, &nothing, &state, answer()).await?, "another call")?;
    refused(&two.again(TOOL, &json!({"x": 1}), &state, answer()).await?, "another call")?;
    let stranger = ops(replicas.stranger.target());
    refused(&stranger.again(TOOL, &nothing, &state, answer()).await?, "a key that is not held here")?;

    // None of that used it up; but it counts once, on whichever replica.
    asked(&two.again(TOOL, &nothing, &state, answer()).await?, "step2")?;
    for client in [&two, &one] {
        refused(&client.again(TOOL, &nothing, &state, answer()).await?, "was used already")?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_expires() -> Result<()> {
    let replicas = replicas(&["--ask-timeout", "1s"]).await?;
    let one = ops(replicas.one.target());
    let state = asked(&one.call(TOOL, &json!({})).await?, "step1")?;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let late = one.again(TOOL, &json!({}), &state, accept("step1", &json!({"name": "Ada"}))).await?;
    refused(&late, "has expired")
}

/// Without the shared folder a replica knows only what it took itself: an answer counts once on each.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_alone_refuses_what_it_took_itself() -> Result<()> {
    let server = Program::start("everything", &[]).await?;
    let client = Client::new(server.target());
    let state = asked(&client.call(TOOL, &json!({})).await?, "step1")?;
    let answer = accept("step1", &json!({"name": "Ada"}));
    asked(&client.again(TOOL, &json!({}), &state, answer.clone()).await?, "step2")?;
    refused(&client.again(TOOL, &json!({}), &state, answer).await?, "was used already")
}

/// A new key in front seals; states of the old one still count.
#[tokio::test(flavor = "multi_thread")]
async fn keys_change_while_answers_are_on_their_way() -> Result<()> {
    let replicas = replicas(&[]).await?;
    let (one, two) = (ops(replicas.one.target()), ops(replicas.two.target()));
    let nothing = json!({});
    let state = asked(&one.call(TOOL, &nothing).await?, "step1")?;
    let file = replicas._files.path().join("keys");
    let old = std::fs::read_to_string(&file)?;
    std::fs::write(&file, format!("a-brand-new-key-of-at-least-thirty-two-bytes\n{old}"))?;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    asked(&two.again(TOOL, &nothing, &state, accept("step1", &json!({"name": "Ada"}))).await?, "step2")?;
    Ok(())
}

fn refused(answer: &Value, reason: &str) -> Result<()> {
    let error = &answer["error"];
    ensure!(error["code"] == -32602, "not refused: {answer}");
    ensure!(
        error["message"].as_str().is_some_and(|it| it.contains(reason)),
        "not because it {reason}: {answer}"
    );
    ensure!(error["data"]["details"]["field"] == "requestState", "{answer}");
    Ok(())
}
