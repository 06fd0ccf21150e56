//! `--auth oidc` against npm's oidc-provider.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gantry_tests::program::Program;
use gantry_tests::provider::Provider;
use gantry_tests::{fixture, wire};
use serde_json::json;

use crate::{bearer, challenge, get, mcp, refused, rest};

const AUDIENCE: &str = "urn:gantry";
const SHORT: &str = "urn:gantry:short";

fn provider(test: &str) -> Result<Option<Provider>> {
    fixture(test, "GANTRY_TEST_NODE_MODULES").map(|modules| Provider::new(&modules)).transpose()
}

async fn server(provider: &Provider, more: &[&str]) -> Result<Program> {
    let issuer = provider.issuer();
    let audiences = format!("{AUDIENCE},{SHORT}");
    let args = ["--auth", "oidc", "--oidc-issuer", &issuer, "--oidc-audience", &audiences];
    Program::start("everything", &[&args, more].concat()).await
}

#[tokio::test]
async fn a_login_token_is_good_for_what_its_scopes_say() -> Result<()> {
    let Some(mut provider) = provider("oidc scopes")? else { return Ok(()) };
    provider.start("one", "RS256").await?;
    let server = server(&provider, &[]).await?;
    let text = json!({"text": "hello"});
    for (scope, reads, writes) in
        [("gantry.read", 200, 403), ("gantry.write", 200, 200), ("gantry.read+gantry.admin", 200, 200)]
    {
        let token = bearer(&provider.token("alice", AUDIENCE, scope).await?);
        let headers = [("authorization", &*token)];
        for _again in 0..3 {
            ensure!(rest(&server.host, "echo", &text, &headers).await?.status() == reads, "{scope}");
            ensure!(rest(&server.host, "note", &text, &headers).await?.status() == writes, "{scope}");
        }
        ensure!(mcp(&server.host, "echo", &text, &headers).await? == text, "{scope} over MCP");
    }
    ensure!(server.log().contains("\"principal\":\"oidc:alice\""), "the audit names the caller");
    let token = bearer(&provider.token("alice", AUDIENCE, "unheard.of").await?);
    let answer = rest(&server.host, "echo", &text, &[("authorization", &token)]).await?;
    refused(&answer, 403, "FORBIDDEN", &token)?;
    let said = challenge(&answer)?;
    ensure!(said.contains("error=\"insufficient_scope\""), "{said}");
    ensure!(said.contains("scope=\"gantry.read gantry.write gantry.admin\""), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_stranger_learns_where_to_get_a_token() -> Result<()> {
    let Some(mut provider) = provider("oidc challenge")? else { return Ok(()) };
    provider.start("one", "ES256").await?;
    let server = server(&provider, &[]).await?;
    let answer = get(&server.host, "/mcp", &[]).await?;
    refused(&answer, 401, "AUTHENTICATION_ERROR", "")?;
    let said = challenge(&answer)?;
    ensure!(!said.contains("error="), "nothing was wrong with what was not sent: {said}");
    let document = said.split("resource_metadata=\"").nth(1).and_then(|rest| rest.split('"').next());
    let document = document.context("no document named")?;
    let path = document.strip_prefix(&format!("http://{}", server.host)).context("elsewhere")?;
    for path in [path, "/.well-known/oauth-protected-resource"] {
        let answer = get(&server.host, path, &[("host", "pod.example")]).await?;
        ensure!(answer.status() == 200, "{path}: {}", answer.status());
        let document = wire::json(&answer)?;
        ensure!(document["resource"] == "http://pod.example/mcp", "{document}");
        ensure!(document["authorization_servers"] == json!([provider.issuer()]), "{document}");
        ensure!(document["bearer_methods_supported"] == json!(["header"]), "{document}");
        ensure!(document["scopes_supported"][0] == "gantry.read", "{document}");
    }
    // The document leads to the provider, and the provider to a token that is good.
    let token = bearer(&provider.token("bob", AUDIENCE, "gantry.read").await?);
    ensure!(get(&server.host, "/tools", &[("authorization", &token)]).await?.status() == 200);
    let open = Program::start("everything", &[]).await?;
    ensure!(get(&open.host, "/.well-known/oauth-protected-resource", &[]).await?.status() == 404);
    Ok(())
}

#[tokio::test]
async fn wrong_audience_expired_and_foreign_tokens_are_refused() -> Result<()> {
    let Some(mut provider) = provider("oidc refusals")? else { return Ok(()) };
    let Some(mut other) = self::provider("oidc refusals")? else { return Ok(()) };
    provider.start("one", "RS256").await?;
    other.start("one", "RS256").await?;
    let server = server(&provider, &["--oidc-leeway", "0s"]).await?;
    let short = provider.token("alice", SHORT, "gantry.read").await?;
    let tampered = provider.token("alice", AUDIENCE, "gantry.read").await?.replace('.', ".e");
    for (token, why) in [
        (provider.token("alice", "urn:elsewhere", "gantry.read").await?, "another audience"),
        (other.token("alice", AUDIENCE, "gantry.read").await?, "not a token of"),
        (tampered, "not a token of"),
        ("gibberish".to_owned(), "not a token of"),
    ] {
        let token = bearer(&token);
        let answer = get(&server.host, "/tools", &[("authorization", &token)]).await?;
        refused(&answer, 401, "AUTHENTICATION_ERROR", token.trim_start_matches("Bearer "))?;
        ensure!(wire::json(&answer)?["message"].as_str().is_some_and(|it| it.contains(why)), "{answer:?}");
        ensure!(challenge(&answer)?.contains("error=\"invalid_token\""), "{answer:?}");
    }
    let headers = [("authorization", &*bearer(&short))];
    let mut answer = get(&server.host, "/tools", &headers).await?;
    let end = Instant::now() + Duration::from_secs(20);
    while answer.status() == 200 && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(200)).await;
        answer = get(&server.host, "/tools", &headers).await?;
    }
    refused(&answer, 401, "AUTHENTICATION_ERROR", &short)?;
    ensure!(challenge(&answer)?.contains("the token has expired"), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn keys_rotate_and_a_provider_that_is_down_is_outlived() -> Result<()> {
    let Some(mut provider) = provider("oidc rotation")? else { return Ok(()) };
    provider.start("one", "RS256").await?;
    let server = server(&provider, &[]).await?;
    let status = async |token: &str| {
        Ok::<_, anyhow::Error>(
            get(&server.host, "/tools", &[("authorization", &bearer(token))]).await?.status(),
        )
    };
    let [first, second, third] = [(); 3].map(|()| provider.token("alice", AUDIENCE, "gantry.read"));
    let (first, second, third) = (first.await?, second.await?, third.await?);
    ensure!(status(&first).await? == 200);
    provider.stop();
    ensure!(status(&second).await? == 200, "the keys that are known go on");
    provider.start("two", "ES256").await?;
    let rotated = provider.token("alice", AUDIENCE, "gantry.read").await?;
    ensure!(status(&rotated).await? == 200, "a new key is taken without a restart");
    let withdrawn = get(&server.host, "/tools", &[("authorization", &bearer(&third))]).await?;
    refused(&withdrawn, 401, "AUTHENTICATION_ERROR", &third)?;
    ensure!(challenge(&withdrawn)?.contains("a key that the provider does not publish"), "{withdrawn:?}");
    Ok(())
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_no_fault_of_the_caller() -> Result<()> {
    let Some(mut provider) = provider("oidc down")? else { return Ok(()) };
    provider.start("one", "RS256").await?;
    let token = bearer(&provider.token("alice", AUDIENCE, "gantry.read").await?);
    let headers = [("authorization", &*token)];
    provider.stop();
    let server = server(&provider, &[]).await?;
    let answer = get(&server.host, "/tools", &headers).await?;
    refused(&answer, 502, "SERVICE_ERROR", &token)?;
    ensure!(wire::json(&answer)?["message"].as_str().is_some_and(|it| it.contains(&provider.issuer())));
    ensure!(get(&server.host, "/health/ready", &[]).await?.status() == 200);
    provider.start("one", "RS256").await?;
    let token = bearer(&provider.token("alice", AUDIENCE, "gantry.read").await?);
    let headers = [("authorization", &*token)];
    let end = Instant::now() + Duration::from_secs(30);
    while get(&server.host, "/tools", &headers).await?.status() != 200 {
        ensure!(Instant::now() < end, "it does not recover:\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

#[tokio::test]
async fn strangers_cannot_make_us_hammer_the_provider() -> Result<()> {
    let Some(mut provider) = provider("oidc hammering")? else { return Ok(()) };
    provider.start("one", "RS256").await?;
    let server = server(&provider, &[]).await?;
    // A header that names another key each time, over claims and a signature that are the provider's.
    let good = provider.token("alice", AUDIENCE, "gantry.read").await?;
    let (_, rest) = good.split_once('.').context("a token")?;
    let began = Instant::now();
    let calls = ["eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ", "eyJhbGciOiJSUzI1NiIsImtpZCI6ImIifQ"].repeat(50);
    let calls = calls.into_iter().map(|header| {
        let (host, token) = (server.host.clone(), bearer(&format!("{header}.{rest}")));
        tokio::spawn(async move { get(&host, "/tools", &[("authorization", &token)]).await })
    });
    for call in calls.collect::<Vec<_>>() {
        ensure!(call.await??.status() == 401);
    }
    ensure!(get(&server.host, "/tools", &[("authorization", &bearer(&good))]).await?.status() == 200);
    let most = 2 + usize::try_from(began.elapsed().as_secs() / 5)?;
    ensure!(provider.key_fetches() <= most, "{} fetches in {:?}", provider.key_fetches(), began.elapsed());
    Ok(())
}
