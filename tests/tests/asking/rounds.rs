//! A question from one replica is answered at another, also where an edge chooses them; a state that is not the
//! caller's own, for the same call, in time and for the first time, is refused.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use gantry_tests::program::{Program, Target};
use serde_json::{Value, json};

use crate::client::{Client, accept, asked, failure, text};

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

impl Replicas {
    /// An edge in front of the two. One thread of it gives each request to the replica whose turn it is.
    async fn behind_an_edge(&self) -> Result<(Program, Client)> {
        let routes = [("everything", &self.one), ("everything", &self.two)];
        let edge = Program::edge_with(&routes, &["--threads", "1"]).await?;
        let target = Target { host: edge.host.clone(), prefix: "/everything".to_owned() };
        Ok((edge, ops(target)))
    }

    /// The answer to a call, and which replica gave it by the replicas' own counts.
    async fn served<T>(&self, call: impl Future<Output = Result<T>>) -> Result<(T, usize)> {
        let counts = async || {
            anyhow::Ok([self.one.calls(TOOL, "ops-key").await?, self.two.calls(TOOL, "ops-key").await?])
        };
        let before = counts().await?;
        let answer = call.await?;
        let after = counts().await?;
        let mut rose = (0..2).filter(|at| after[*at] == before[*at] + 1);
        let (Some(at), None) = (rose.next(), rose.next()) else {
            bail!("one call went from {before:?} to {after:?}")
        };
        Ok((answer, at))
    }
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

    refused(&two.again(TOOL, &nothing, &tampered(&state), answer()).await?, "was changed")?;
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
async fn through_the_edge_a_call_ends_on_another_replica_than_it_began() -> Result<()> {
    let replicas = replicas(&[]).await?;
    let (_edge, client) = replicas.behind_an_edge().await?;
    let nothing = json!({});
    let answer = |name: &str, content| accept(name, &content);
    let mut ways = BTreeSet::new();
    for _ in 0..16 {
        let (name, begun) = replicas.served(client.call(TOOL, &nothing)).await?;
        let (name, ada) = (asked(&name, "step1")?, answer("step1", json!({"name": "Ada"})));
        let (colour, _) = replicas.served(client.again(TOOL, &nothing, &name, ada)).await?;
        let (colour, green) = (asked(&colour, "step2")?, answer("step2", json!({"color": "green"})));
        // Others call too: without them three rounds would begin and end at the same replica.
        client.call(TOOL, &nothing).await?;
        let (end, ended) = replicas.served(client.again(TOOL, &nothing, &colour, green)).await?;
        ensure!(text(&end)? == "Ada likes green.", "{end}");
        client.call(TOOL, &nothing).await?;
        ways.insert((begun, ended));
        if ways.is_superset(&BTreeSet::from([(0, 1), (1, 0)])) {
            return Ok(());
        }
    }
    bail!("calls began and ended only at {ways:?}")
}

/// On whichever replica it lands.
#[tokio::test(flavor = "multi_thread")]
async fn through_the_edge_a_state_that_is_not_right_is_refused() -> Result<()> {
    let replicas = replicas(&[]).await?;
    let (_edge, client) = replicas.behind_an_edge().await?;
    let eve = Client { key: Some("eve-key"), ..client.clone() };
    let nothing = json!({});
    let answer = || accept("step1", &json!({"name": "Ada"}));
    let refused_by_both = async |who: &Client, state: &str, reason: &str| {
        let mut by = [false; 2];
        for _ in 0..8 {
            let (answer, at) = replicas.served(who.again(TOOL, &nothing, state, answer())).await?;
            refused(&answer, reason)?;
            by[at] = true;
        }
        ensure!(by == [true; 2], "one replica was never asked: {by:?}");
        anyhow::Ok(())
    };
    let foreign = asked(&ops(replicas.stranger.target()).call(TOOL, &nothing).await?, "step1")?;
    let state = asked(&client.call(TOOL, &nothing).await?, "step1")?;
    refused_by_both(&client, &tampered(&state), "was changed").await?;
    refused_by_both(&client, &foreign, "a key that is not held here").await?;
    refused_by_both(&eve, &state, "another caller").await?;
    asked(&client.again(TOOL, &nothing, &state, answer()).await?, "step2")?;
    refused_by_both(&client, &state, "was used already").await?;
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

/// It is counted towards `--rate-limit` once, and its tool runs each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_not_asked_for_ever() -> Result<()> {
    let server = Program::start("everything", &["--rate-limit", "test_input*=1/min"]).await?;
    let client = Client::new(server.target());
    let nothing = json!({});
    let mut answer = client.call(TOOL, &nothing).await?;
    for _ in 0..32 {
        let state = asked(&answer, "step1")?;
        answer = client.again(TOOL, &nothing, &state, accept("step1", &json!({"nmae": "Ada"}))).await?;
    }
    ensure!(failure(&answer)?["error"] == "VALIDATION_ERROR", "{answer}");
    ensure!(failure(&client.call(TOOL, &nothing).await?)?["error"] == "RATE_LIMITED", "not counted");
    Ok(())
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

/// The state with one character of its middle changed.
fn tampered(state: &str) -> String {
    let middle = state.len() / 2;
    let flipped = if state.as_bytes()[middle] == b'A' { "B" } else { "A" };
    format!("{}{flipped}{}", &state[..middle], &state[middle + 1..])
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
