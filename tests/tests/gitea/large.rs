//! A diff of 20 MB: every answer within its budget, the server's memory bounded, and nothing lost on the way.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gantry_tests::door::Door;
use gantry_tests::fixture;
use gantry_tests::forge::Forge;
use gantry_tests::program::Program;
use http::StatusCode;
use serde_json::{Value, json};

use crate::lab;

/// The most memory the server may take, in kB.
const MEMORY: u64 = 64 << 10;
const MB: usize = 1 << 20;
/// Of one answer while the whole is walked.
const PIECE: usize = 200_000;
/// What an answer may take beside its text.
const FRAME: usize = 2_000;

const UMLAUTS: &str = "docs/Übersicht der Räume.md";
const LATIN1: &str = "latin1.txt";

/// Numbered lines, so that every place in it is another.
fn lines(size: usize) -> Vec<u8> {
    let lines = (0..).map(|number: u32| {
        format!("line {number} of a long file: \"{}\"\n", number.wrapping_mul(2_654_435_761))
    });
    let mut text = Vec::with_capacity(size + 80);
    for line in lines {
        text.extend_from_slice(line.as_bytes());
        if text.len() >= size {
            break;
        }
    }
    text
}

/// The same file after a change in each hundredth line.
fn changed(text: &[u8]) -> Vec<u8> {
    let lines = text.split_inclusive(|byte| *byte == b'\n').enumerate();
    lines
        .flat_map(
            |(number, line)| if number % 100 == 50 { [&b"now "[..], line].concat() } else { line.to_vec() },
        )
        .collect()
}

/// A pull request whose diff has 20 MB; its number, and the diff as Gitea has it.
async fn pull_request(forge: &Forge) -> Result<(Value, Vec<u8>)> {
    let alice = forge.user("alice");
    forge.repository(alice, "large").await?;
    let before = lines(MB);
    forge.push(alice, "alice/large", "main", &[(UMLAUTS, &before)]).await?;
    let latin1 =
        lines(2 * MB).iter().map(|byte| if *byte == b'g' { 0xe4 } else { *byte }).collect::<Vec<u8>>();
    let one_line = vec![b'x'; 2 * MB];
    let (long, after) = (lines(4 * MB), changed(&before));
    for files in [
        vec![(UMLAUTS, &after), (LATIN1, &latin1), ("app.min.js", &one_line), ("a.txt", &long)],
        vec![("b.txt", &long), ("c/d.txt", &long)],
        vec![("e.txt", &long)],
    ] {
        let files: Vec<_> = files.into_iter().map(|(path, bytes)| (path, bytes.as_slice())).collect();
        forge.push(alice, "alice/large", "change", &files).await?;
    }
    let new = json!({"title": "Large", "head": "change", "base": "main"});
    let number = forge.post(&alice.token, "/repos/alice/large/pulls", new).await?["number"].take();
    let diff = forge.bytes(&alice.token, &format!("/repos/alice/large/pulls/{number}.diff")).await?.to_vec();
    ensure!(diff.len() >= 20 * MB && std::str::from_utf8(&diff).is_err(), "{} bytes", diff.len());
    Ok((number, diff))
}

/// What an agent does: calls, and goes on with what it got.
struct Reader<'a> {
    server: &'a Program,
    number: Value,
}

impl Reader<'_> {
    async fn get(&self, more: Value) -> Result<Value> {
        let (status, answer) = self.attempt(more).await?;
        ensure!(status == StatusCode::OK, "{status}: {answer}");
        Ok(answer)
    }

    async fn attempt(&self, more: Value) -> Result<(StatusCode, Value)> {
        let mut arguments =
            json!({"method": "get_diff", "owner": "alice", "repo": "large", "pull_number": self.number});
        let more = more.as_object().cloned().unwrap_or_default();
        arguments.as_object_mut().context("an object")?.extend(more);
        lab::call(&self.server.host, "pull_request_read", &arguments).await
    }

    /// Everything from one answer on, in pieces that each keep to the budget.
    async fn walk(&self, mut answer: Value, budget: Value, limit: usize) -> Result<(Vec<u8>, usize)> {
        let (mut whole, mut steps) = (vec![], 0);
        loop {
            ensure!(
                answer.to_string().len() <= limit + FRAME,
                "an answer of {} bytes",
                answer.to_string().len()
            );
            let piece = piece(&answer)?;
            ensure!(answer["offset"].is_u64() && !piece.is_empty(), "an empty piece");
            whole.extend(piece);
            steps += 1;
            let Some(cursor) = answer["next_cursor"].as_str() else { return Ok((whole, steps)) };
            ensure!(answer["truncated"]["bytes"].is_u64(), "what is left out is not told");
            let mut more = budget.clone();
            more["cursor"] = cursor.into();
            answer = self.get(more).await?;
        }
    }
}

fn piece(answer: &Value) -> Result<Vec<u8>> {
    match (answer["text"].as_str(), answer["base64"].as_str()) {
        (Some(text), None) => Ok(text.as_bytes().to_vec()),
        (None, Some(bytes)) => Ok(BASE64_STANDARD.decode(bytes)?),
        _ => anyhow::bail!("neither text nor bytes: {answer}"),
    }
}

/// The part of one file in the diff.
fn part<'a>(diff: &'a [u8], file: &str) -> &'a [u8] {
    let begins = |at: &usize| diff[*at..].starts_with(b"diff --git ");
    let starts = (0..diff.len()).filter(|at| *at == 0 || diff[at - 1] == b'\n').filter(begins);
    let starts: Vec<usize> = starts.chain([diff.len()]).collect();
    let parts = starts.windows(2).map(|pair| &diff[pair[0]..pair[1]]);
    let wanted = format!("diff --git a/{file} b/{file}\n");
    parts.into_iter().find(|part| part.starts_with(wanted.as_bytes())).expect("a part of this file")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_of_20_mb_is_read_in_pieces() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Forge::start(&programs).await?;
    let (number, diff) = pull_request(&forge).await?;
    let server = lab::server(&forge, &[]).await?;
    let idle = server.peak_rss_kb()?;
    let reader = Reader { server: &server, number };

    // The files come first, and how to go on.
    let index = reader.get(json!({})).await?;
    assert!(index.to_string().len() < 40_000, "{}", index.to_string().len());
    assert_eq!((&index["files"], &index["bytes"]), (&json!(7), &json!(diff.len())));
    let of = |path: &str| {
        index["items"].as_array().and_then(|all| all.iter().find(|it| it["path"] == path)).cloned()
    };
    let latin1 = of(LATIN1).context("latin1")?;
    assert_eq!((&latin1["status"], &latin1["hunks"]), (&json!("added"), &json!(1)));
    assert_eq!(latin1["bytes"], part(&diff, LATIN1).len());
    let umlauts = of(UMLAUTS).context("umlauts")?;
    assert_eq!(umlauts["additions"], umlauts["deletions"]);

    // A file of its own, to its end, though it is no text; and one with its odd name.
    for (file, limit) in [(LATIN1, PIECE), (UMLAUTS, 60_000)] {
        let budget = json!({"max_bytes": limit});
        let first = reader.get(json!({"file": file, "max_bytes": limit})).await?;
        let (whole, _) = reader.walk(first, budget, limit).await?;
        assert!(whole == part(&diff, file), "{file} came back otherwise");
    }

    // Some hunks, and few lines of them.
    let hunks = reader.get(json!({"file": UMLAUTS, "hunks": "2-3"})).await?;
    let text = hunks["text"].as_str().context("text")?;
    assert!(text.starts_with("@@ ") && text.matches("\n@@ ").count() == 1, "{text}");
    let text = std::str::from_utf8(part(&diff, UMLAUTS))?;
    assert!(text.contains(hunks["text"].as_str().context("text")?));
    let few = reader.get(json!({"file": UMLAUTS, "hunks": "2-3", "max_lines": 4})).await?;
    assert_eq!(few["text"].as_str().map(|text| text.lines().count()), Some(4), "{few}");
    assert_eq!(few["truncated"]["lines"], hunks["text"].as_str().map_or(0, |text| text.lines().count() - 4));

    // All of it.
    let budget = json!({"max_bytes": PIECE});
    let first = reader.get(json!({"cursor": index["diff_cursor"], "max_bytes": PIECE})).await?;
    let (whole, steps) = reader.walk(first, budget, PIECE).await?;
    assert!(whole == diff, "{} bytes of {} came back, or others", whole.len(), diff.len());

    let links = resources(&reader, &diff).await?;
    let peak = server.peak_rss_kb()?;
    println!("{} bytes in {steps} pieces, {links} links; at most {peak} kB, {idle} kB before", diff.len());
    assert!(peak < MEMORY, "{peak} kB");

    // What changed in between is told.
    let alice = forge.user("alice");
    forge.push(alice, "alice/large", "change", &[("new.txt", b"new\n")]).await?;
    let (status, error) = reader.attempt(json!({"cursor": index["diff_cursor"]})).await?;
    assert_eq!((status, &error["details"]["field"]), (StatusCode::BAD_REQUEST, &json!("cursor")), "{error}");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("has changed")), "{error}");
    Ok(())
}

/// The links of an answer lead to what they name; so many there are.
async fn resources(reader: &Reader<'_>, diff: &[u8]) -> Result<usize> {
    let mut door = Door::session(&reader.server.target()).await?;
    let arguments =
        json!({"method": "get_diff", "owner": "alice", "repo": "large", "pull_number": reader.number});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                      "params": {"name": "pull_request_read", "arguments": arguments}});
    let answer = door.rpc(&call).await?;
    let content = answer["result"]["content"].as_array().context("content")?;
    let links: Vec<_> = content.iter().filter(|block| block["type"] == "resource_link").collect();
    let link = links.iter().find(|link| link["name"] == UMLAUTS).context("no link")?;
    let uri = link["uri"].as_str().context("no address")?;
    assert!(uri.ends_with("/diff/docs%2F%C3%9Cbersicht%20der%20R%C3%A4ume.md"), "{uri}");
    let read =
        |uri: &str| json!({"jsonrpc": "2.0", "id": 2, "method": "resources/read", "params": {"uri": uri}});
    let answer = door.rpc(&read(uri)).await?;
    let text = answer["result"]["contents"][0]["text"].as_str().with_context(|| answer.to_string())?;
    let expected = std::str::from_utf8(part(diff, UMLAUTS))?;
    assert!(
        text == expected || text.contains("more: pull_request_read") && expected.starts_with(&text[..1000])
    );
    let missing = door.rpc(&read("gitea://alice/large/pr/1/diff/none")).await?;
    assert!(missing["error"]["message"].as_str().is_some_and(|it| it.contains("none")), "{missing}");
    let templates = json!({"jsonrpc": "2.0", "id": 3, "method": "resources/templates/list", "params": {}});
    let templates = door.rpc(&templates).await?;
    let template = &templates["result"]["resourceTemplates"][0]["uriTemplate"];
    assert_eq!(template, "gitea://{owner}/{repo}/pr/{number}/diff/{file}", "{templates}");
    Ok(links.len())
}
