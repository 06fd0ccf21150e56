//! As whom a call goes to the upstream: two users at once, each sees only their own, and nothing of ours gets there.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use gantry_tests::cluster::Cluster;
use gantry_tests::door::{self, LEGACY};
use gantry_tests::program::{Program, Target};
use gantry_tests::provider::Provider;
use gantry_tests::recorder::Recorder;
use gantry_tests::{fixture, wire};
use http::Response;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{bearer, mcp, refused, rest, url_of, with};

const KEY: &str = "the-key-that-both-share";
const CALLS: usize = 100;

#[tokio::test]
async fn two_users_of_one_cluster_see_only_their_own() -> Result<()> {
    let Some(programs) = fixture("two users", "GANTRY_TEST_KUBERNETES") else { return Ok(()) };
    let cluster = Cluster::start(&programs).await?;
    let (keys, authority) = (format!("shared:write:{KEY}"), cluster.authority().display().to_string());
    let args = ["--api-keys", &keys, "--upstream-auth", "caller", "--upstream-url", &cluster.url];
    let server = Program::start("everything", &[&args[..], &["--ca-file", &authority]].concat()).await?;
    let [alice, bob] =
        ["alice", "bob"].map(|user| tokio::spawn(sees_only_its_own(server.host.clone(), user)));
    alice.await??;
    bob.await??;
    for (user, other) in [("alice", "bob"), ("bob", "alice")] {
        let asked = cluster.audit(&format!("/namespaces/{user}/configmaps/note"))?;
        let own = asked.iter().filter(|(who, status)| who == user && *status == 200).count();
        let others = asked.iter().filter(|(who, status)| who == other && *status == 403).count();
        ensure!((own, others) == (CALLS, 2) && asked.len() == CALLS + 2, "{own} {others} of {}", asked.len());
    }
    ensure!(!server.log().contains("-token") && !server.log().contains(KEY), "{}", server.log());
    Ok(())
}

async fn sees_only_its_own(host: String, user: &'static str) -> Result<()> {
    let credential = bearer(&format!("{user}-token"));
    let key = bearer(KEY);
    let headers = [("authorization", &*key), ("x-upstream-authorization", &*credential)];
    let note = |of: &str| json!({"path": format!("api/v1/namespaces/{of}/configmaps/note")});
    for at in 0..CALLS {
        let output = if at % 2 == 0 {
            mcp(&host, "upstream_get", &note(user), &headers).await?
        } else {
            wire::json(&rest(&host, "upstream_get", &note(user), &headers).await?)?
        };
        let body: Value = serde_json::from_str(output["body"].as_str().context("no body")?)?;
        ensure!(body["data"]["of"] == user, "{user} got {body}");
    }
    let other = if user == "alice" { "bob" } else { "alice" };
    refused(&rest(&host, "upstream_get", &note(other), &headers).await?, 401, "AUTHENTICATION_ERROR", KEY)?;
    let error = mcp(&host, "upstream_get", &note(other), &headers).await?;
    ensure!(error["error"] == "AUTHENTICATION_ERROR", "{error}");
    Ok(())
}

#[tokio::test]
async fn the_upstream_gets_the_callers_credential_and_nothing_of_ours() -> Result<()> {
    let upstream = Recorder::start(200).await?;
    let upstream_url = url_of(&upstream);
    let keys = format!("shared:write:{KEY}");
    let args = ["--api-keys", &keys, "--upstream-auth", "caller", "--upstream-url", &upstream_url];
    let server = Program::start("everything", &args).await?;
    let path = json!({"path": "x"});
    let key = bearer(KEY);
    for credential in ["Bearer of-alice", "Basic b2Y6Ym9i", "token of-carol"] {
        for proof in [("authorization", &*key), ("x-api-key", KEY)] {
            let headers = [proof, ("x-upstream-authorization", credential)];
            let output = mcp(&server.host, "upstream_get", &path, &headers).await?;
            ensure!(output["body"] == credential, "{output}");
            let output = wire::json(&rest(&server.host, "upstream_get", &path, &headers).await?)?;
            ensure!(output["body"] == credential, "{output}");
        }
    }
    ensure!(upstream.seen().len() == 12, "{} requests", upstream.seen().len());
    let missing = rest(&server.host, "upstream_get", &path, &[("authorization", &key)]).await?;
    refused(&missing, 401, "AUTHENTICATION_ERROR", KEY)?;
    ensure!(String::from_utf8_lossy(missing.body()).contains("X-Upstream-Authorization"));
    // Nobody gets on with the upstream's credential alone.
    let alone =
        rest(&server.host, "upstream_get", &path, &[("x-upstream-authorization", "Bearer of-alice")]).await?;
    refused(&alone, 401, "AUTHENTICATION_ERROR", "of-alice")?;
    // A server with a credential of its own takes none of a caller's along.
    let own = Program::start("everything", &["--api-keys", &keys, "--upstream-url", &upstream_url]).await?;
    let headers = [("authorization", &*key), ("x-upstream-authorization", "Bearer of-alice")];
    let output = mcp(&own.host, "upstream_get", &path, &headers).await?;
    ensure!(output["body"] == "", "{output}");
    ensure!(upstream.seen().len() == 13, "{} requests", upstream.seen().len());
    let leaked = upstream.leaked(&[KEY, "x-upstream-authorization", "x-api-key", "x-gantry-principal"]);
    ensure!(leaked.is_empty(), "{leaked:?}");
    Ok(())
}

#[tokio::test]
async fn a_session_is_its_users_and_not_its_keys() -> Result<()> {
    let upstream = Recorder::start(200).await?;
    let upstream_url = url_of(&upstream);
    let keys = format!("shared:write:{KEY}");
    let args = ["--api-keys", &keys, "--upstream-auth", "caller", "--upstream-url", &upstream_url];
    let server = Program::start("everything", &args).await?;
    let client = json!({"name": "gantry-tests", "version": "0"});
    let params = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client});
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let opened = post(&server, "Bearer of-alice", None, &hello).await?;
    let session = opened.headers().get("mcp-session-id").context("no session")?.to_str()?.to_owned();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    ensure!(post(&server, "Bearer of-alice", Some(&session), &ready).await?.status() == 202);
    let params = json!({"name": "upstream_get", "arguments": {"path": "x"}});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let own = post(&server, "Bearer of-alice", Some(&session), &call).await?;
    ensure!(
        own.status() == 200 && String::from_utf8_lossy(own.body()).contains("Bearer of-alice"),
        "{own:?}"
    );
    let other = post(&server, "Bearer of-bob", Some(&session), &call).await?;
    ensure!(other.status() == 404, "another's session: {other:?}");
    ensure!(upstream.seen().len() == 1 && upstream.leaked(&["of-bob"]).is_empty());
    Ok(())
}

async fn post(
    server: &Program,
    credential: &str,
    session: Option<&str>,
    message: &Value,
) -> Result<Response<Bytes>> {
    let target: Target = server.target();
    let key = bearer(KEY);
    let mut request =
        with(door::mcp(&target), &[("authorization", &key), ("x-upstream-authorization", credential)]);
    if let Some(session) = session {
        request = request.header("mcp-session-id", session).header("mcp-protocol-version", LEGACY);
    }
    wire::send(&server.host, request.body(Full::from(message.to_string()))?).await
}

#[tokio::test]
async fn a_token_is_exchanged_for_one_that_the_upstream_takes() -> Result<()> {
    let Some(modules) = fixture("token exchange", "GANTRY_TEST_NODE_MODULES") else { return Ok(()) };
    let mut provider = Provider::new(&modules)?;
    provider.start("one", "RS256").await?;
    let upstream = Recorder::start(200).await?;
    let upstream_url = url_of(&upstream);
    let folder = tempfile::TempDir::new()?;
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "secret-of-gateway\n")?;
    let (issuer, url, secret) =
        (provider.issuer(), format!("{}/token", provider.issuer()), secret.display().to_string());
    let mut args = vec!["--auth", "api-key,oidc", "--oidc-issuer", &issuer, "--oidc-audience", "urn:gantry"];
    args.extend(["--api-keys", "ops:write:the-key-of-ops", "--upstream-url", &upstream_url]);
    args.extend([
        "--upstream-auth",
        "exchange",
        "--exchange-url",
        &url,
        "--exchange-audience",
        "urn:upstream",
    ]);
    args.extend(["--exchange-client-id", "gateway", "--exchange-client-secret-file", &secret]);
    let server = Program::start("everything", &args).await?;
    let alice = provider.token("alice", "urn:gantry", "gantry.read").await?;
    let bob = provider.token("bob", "urn:gantry", "gantry.read").await?;
    let calls =
        [("alice", &alice), ("bob", &bob)].map(|(user, token)| (0..20).map(move |_| (user, token.clone())));
    let calls = calls.into_iter().flatten().map(|(user, token)| {
        let host = server.host.clone();
        tokio::spawn(async move {
            let proof = bearer(&token);
            let output =
                mcp(&host, "upstream_get", &json!({"path": "x"}), &[("authorization", &proof)]).await?;
            let claims = claims(output["body"].as_str().with_context(|| format!("{output}"))?)?;
            ensure!(claims["sub"] == user && claims["aud"] == "urn:upstream", "{user}: {claims}");
            ensure!(claims["act"]["sub"] == "gateway", "{claims}");
            Ok(())
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await??;
    }
    ensure!(provider.exchanges() == 2, "{} exchanges for 40 calls of two users", provider.exchanges());
    // A key of ours cannot be exchanged, and is not tried.
    let key =
        rest(&server.host, "upstream_get", &json!({"path": "x"}), &[("x-api-key", "the-key-of-ops")]).await?;
    refused(&key, 401, "AUTHENTICATION_ERROR", "the-key-of-ops")?;
    ensure!(upstream.seen().len() == 40, "{} requests", upstream.seen().len());
    let leaked = upstream.leaked(&[&alice, &bob, "the-key-of-ops", "secret-of-gateway"]);
    ensure!(leaked.is_empty(), "{leaked:?}");
    // Without the service no call goes on as anybody.
    provider.stop();
    let proof = bearer(&alice);
    let known =
        mcp(&server.host, "upstream_get", &json!({"path": "x"}), &[("authorization", &proof)]).await?;
    ensure!(known["status"] == 200, "what was exchanged holds: {known}");
    Ok(())
}

/// What the token in an `Authorization` says; its signature is the provider's business.
fn claims(authorization: &str) -> Result<Value> {
    use base64::Engine;
    let payload = authorization.split('.').nth(1).with_context(|| format!("no token: {authorization}"))?;
    Ok(serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload)?)?)
}
