//! A forge that fails, or is none: reads are tried again with patience, writes never, and errors lead to GITEA_HOST.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gantry_tests::certificate::Certificate;
use gantry_tests::program::Program;
use gantry_tests::recorder::{Recorder, response};
use serde_json::{Value, json};

use super::{call, refused};

const TOKEN: &str = "the-token-of-the-server";

fn label() -> Vec<u8> {
    response(200, &[("content-type", "application/json")], br#"{"id": 7, "name": "bug", "color": "00ff00"}"#)
}

fn failing(status: u16) -> Vec<u8> {
    response(status, &[], b"")
}

async fn server(forge: &Recorder) -> Result<Program> {
    let url = format!("http://{}/", forge.host);
    Program::start("gantry-gitea", &["--gitea-host", &url, "--gitea-access-token", TOKEN]).await
}

fn read() -> Value {
    json!({"method": "get_repo_label", "owner": "a", "repo": "b", "id": 7})
}

fn write() -> Value {
    json!({"method": "edit_repo_label", "owner": "a", "repo": "b", "id": 7, "name": "bug"})
}

#[tokio::test]
async fn reads_are_tried_again() -> Result<()> {
    for failures in [
        vec![Some(failing(502))],
        vec![Some(failing(503)), Some(failing(504))],
        vec![None],
        vec![None, Some(failing(429))],
    ] {
        let expected = failures.len() + 1;
        let forge = Recorder::scripted([failures, vec![Some(label())]].concat()).await?;
        let server = server(&forge).await?;
        let (status, answer) = call(&server.host, "label_read", &read(), &[]).await?;
        ensure!(status == 200 && answer["name"] == "bug", "{answer}");
        ensure!(forge.seen().len() == expected, "{} requests, not {expected}", forge.seen().len());
    }
    // Not for ever, and not where it cannot help.
    for (answer, expected) in
        [(Some(failing(503)), 3), (None, 3), (Some(failing(500)), 1), (Some(failing(501)), 1)]
    {
        let forge = Recorder::scripted(vec![answer]).await?;
        let server = server(&forge).await?;
        refused(call(&server.host, "label_read", &read(), &[]).await?, "SERVICE_ERROR")?;
        ensure!(forge.seen().len() == expected, "{} requests, not {expected}", forge.seen().len());
    }
    Ok(())
}

#[tokio::test]
async fn a_forge_that_asks_for_patience_gets_it() -> Result<()> {
    let later = response(429, &[("retry-after", "2")], b"");
    let forge = Recorder::scripted(vec![Some(later), Some(label())]).await?;
    let patient = server(&forge).await?;
    let began = Instant::now();
    let (status, answer) = call(&patient.host, "label_read", &read(), &[]).await?;
    ensure!(status == 200 && forge.seen().len() == 2, "{answer}");
    ensure!(began.elapsed() >= Duration::from_secs(2), "after {:?}", began.elapsed());
    // Nobody waits for an hour; the caller is told.
    let much_later = response(503, &[("retry-after", "3600")], b"");
    let forge = Recorder::scripted(vec![Some(much_later)]).await?;
    let server = server(&forge).await?;
    let error = refused(call(&server.host, "label_read", &read(), &[]).await?, "SERVICE_ERROR")?;
    ensure!(error["details"]["retry_after"] == 3600 && forge.seen().len() == 1, "{error}");
    // A date is as good as seconds.
    for (date, again) in [("Sun, 06 Nov 1994 08:49:37 GMT", true), ("Fri, 31 Dec 9999 23:59:59 GMT", false)] {
        let until = response(503, &[("retry-after", date)], b"");
        let forge = Recorder::scripted(vec![Some(until), Some(label())]).await?;
        let server = self::server(&forge).await?;
        let (status, answer) = call(&server.host, "label_read", &read(), &[]).await?;
        ensure!((status == 200) == again && forge.seen().len() == 1 + usize::from(again), "{date}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn an_api_that_the_forge_lacks_is_told_as_that() -> Result<()> {
    let nothing = response(404, &[("content-type", "text/plain; charset=utf-8")], b"404 page not found\n");
    let forge = Recorder::scripted(vec![Some(nothing)]).await?;
    let server = server(&forge).await?;
    let error = refused(call(&server.host, "label_read", &read(), &[]).await?, "VALIDATION_ERROR")?;
    let message = error["message"].as_str().unwrap_or_default();
    ensure!(message.contains("no API at /repos/a/b/labels/7"), "{error}");
    Ok(())
}

#[tokio::test]
async fn writes_are_sent_once() -> Result<()> {
    for answer in [
        Some(failing(429)),
        Some(response(429, &[("retry-after", "0")], b"")),
        Some(failing(502)),
        Some(failing(503)),
        Some(failing(504)),
        None,
    ] {
        let is_cut_off = answer.is_none();
        let forge = Recorder::scripted(vec![answer]).await?;
        let server = server(&forge).await?;
        let (status, error) = call(&server.host, "label_write", &write(), &[]).await?;
        let unsure = error["message"].as_str().unwrap_or_default().contains("is not known");
        ensure!(unsure == is_cut_off && (error["details"]["sent"] == true) == is_cut_off, "{error}");
        let code = error["error"].as_str().unwrap_or_default();
        ensure!(["SERVICE_ERROR", "TIMEOUT_ERROR"].contains(&code), "{status}: {error}");
        let sent: Vec<_> = forge.seen().into_iter().map(|it| it.method).collect();
        ensure!(sent == ["PATCH"], "{sent:?}");
    }
    Ok(())
}

#[tokio::test]
async fn no_redirect_leads_elsewhere() -> Result<()> {
    let stranger = Recorder::start(200).await?;
    let port = stranger.host.rsplit(':').next().unwrap_or_default().to_owned();
    for location in [
        format!("http://{}/api/v1/repos/a/b/labels/7", stranger.host),
        format!("//{}/api/v1/repos/a/b/labels/7", stranger.host),
        format!("http://localhost:{port}/api/v1/repos/a/b/labels/7"),
        format!("http://x@{}/api/v1/repos/a/b/labels/7", stranger.host),
        "https://gitea.example/api/v1/repos/a/b/labels/7".to_owned(),
    ] {
        for (status, tool, arguments) in
            [(301, "label_read", read()), (307, "label_write", write()), (302, "label_write", write())]
        {
            let forge =
                Recorder::scripted(vec![Some(response(status, &[("location", &location)], b""))]).await?;
            let server = server(&forge).await?;
            let error = refused(call(&server.host, tool, &arguments, &[]).await?, "SERVICE_ERROR")?;
            ensure!(error["details"]["setting"] == "GITEA_HOST", "{location}: {error}");
            ensure!(forge.seen().len() == 1, "{} requests", forge.seen().len());
        }
    }
    ensure!(stranger.seen().is_empty(), "{:?}", stranger.seen());
    Ok(())
}

/// The forge's own redirects, as of a renamed repository, are followed with method and body.
#[tokio::test]
async fn a_redirect_at_home_loses_no_write() -> Result<()> {
    for location in ["/api/v1/repos/a/new/labels/7", "../../new/labels/7"] {
        let moved = response(301, &[("location", location)], b"");
        let forge = Recorder::scripted(vec![Some(moved), Some(label())]).await?;
        let server = server(&forge).await?;
        let (status, answer) = call(&server.host, "label_write", &write(), &[]).await?;
        ensure!(status == 200, "{answer}");
        let [first, second] = &forge.seen()[..] else { anyhow::bail!("{:?}", forge.seen()) };
        ensure!(second.target == "/api/v1/repos/a/new/labels/7", "{second:?}");
        ensure!((&first.method, &first.body) == (&second.method, &second.body), "{second:?}");
    }
    // One that leads in circles ends.
    let circle = response(301, &[("location", "/api/v1/repos/a/b/labels/7")], b"");
    let forge = Recorder::scripted(vec![Some(circle)]).await?;
    let server = server(&forge).await?;
    let (status, answer) = call(&server.host, "label_read", &read(), &[]).await?;
    ensure!(!status.is_success() && forge.seen().len() < 10, "{answer}");
    Ok(())
}

#[tokio::test]
async fn what_is_no_forge_is_told_of_by_its_setting() -> Result<()> {
    let page = |status| {
        response(status, &[("content-type", "text/html; charset=utf-8")], b"<!doctype html><p>hello")
    };
    let silent = Recorder::scripted(vec![None]).await?;
    let pages = Recorder::scripted(vec![Some(page(200))]).await?;
    let missing = Recorder::scripted(vec![Some(page(404))]).await?;
    let certificate = Certificate::new(&["127.0.0.1"])?;
    let tls = Program::edge_to(&[("gitea", format!("http://{}", pages.host))], &certificate.served()).await?;
    for host in [
        "http://127.0.0.1:1/".to_owned(),
        "http://no-such-host.invalid/".to_owned(),
        format!("http://{}/", silent.host),
        format!("http://{}/", pages.host),
        format!("http://{}/", missing.host),
        // TLS where there is none, and a certificate that nobody vouches for.
        format!("https://{}/", pages.host),
        format!("https://{}/", tls.host),
    ] {
        let args = ["--gitea-host", &host, "--gitea-access-token", TOKEN];
        let server = Program::start("gantry-gitea", &args).await?;
        for (tool, arguments) in [("label_read", read()), ("get_me", json!({})), ("label_write", write())] {
            let error = refused(call(&server.host, tool, &arguments, &[]).await?, "SERVICE_ERROR")?;
            ensure!(error["message"].to_string().contains("GITEA_HOST"), "{host}: {error}");
            ensure!(!error.to_string().contains(TOKEN), "{error}");
        }
        let ready = gantry_tests::wire::get(&server.host, "/health/ready").await?;
        ensure!(ready.status() == 503, "{host}: {}", ready.status());
        ensure!(!server.log().contains(TOKEN), "{}", server.log());
    }
    Ok(())
}
