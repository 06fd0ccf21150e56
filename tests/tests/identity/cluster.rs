//! `--auth kubernetes` against a real API server, and all ways to prove who one is at once.

use anyhow::{Result, ensure};
use gantry_tests::cluster::Cluster;
use gantry_tests::program::Program;
use gantry_tests::provider::Provider;
use gantry_tests::{fixture, wire};
use serde_json::json;

use crate::{bearer, get, refused, rest};

const ROLES: &str =
    "groups:team-a=write,username:system:serviceaccount:alice:robot=read,scope:gantry.read=read";

async fn server(cluster: &Cluster, auth: &str, reviewer: &str, more: &[&str]) -> Result<Program> {
    let authority = cluster.authority().display().to_string();
    let args = ["--auth", auth, "--kube-api-server", &cluster.url, "--kube-ca-file", &authority];
    let own = cluster.file(&format!("token-{reviewer}"), reviewer)?;
    Program::start("everything", &[&args[..], &["--kube-token-file", &own, "--roles", ROLES], more].concat())
        .await
}

#[tokio::test]
async fn the_cluster_says_whose_a_token_is() -> Result<()> {
    let Some(programs) = fixture("TokenReview", "GANTRY_TEST_KUBERNETES") else { return Ok(()) };
    let mut cluster = Cluster::start(&programs).await?;
    let server = self::server(&cluster, "kubernetes", "reviewer-token", &[]).await?;
    let text = json!({"text": "hello"});
    let robot = cluster.account_token("alice", None).await?;
    let stranger = cluster.account_token("bob", None).await?;
    let gantry = cluster.account_token("alice", Some("gantry")).await?;
    for (token, read, write) in [
        ("alice-token", 200, 200),
        (&*robot, 200, 403),
        ("bob-token", 403, 403),
        (&*stranger, 403, 403),
        (&*gantry, 401, 401),
        ("no-ones-token", 401, 401),
        (&format!("{robot}x"), 401, 401),
    ] {
        let headers = [("authorization", &*bearer(token))];
        for _again in 0..3 {
            let (echo, note) = (
                rest(&server.host, "echo", &text, &headers).await?,
                rest(&server.host, "note", &text, &headers).await?,
            );
            ensure!((echo.status().as_u16(), note.status().as_u16()) == (read, write), "{token}: {echo:?}");
            ensure!(!String::from_utf8_lossy(echo.body()).contains(token));
        }
    }
    let log = server.log();
    ensure!(log.contains("\"principal\":\"kubernetes:alice\"") && !log.contains(&robot), "{log}");
    let reviews = cluster.audit("tokenreviews")?;
    ensure!(reviews.iter().all(|(user, status)| user == "reviewer" && *status == 201), "{reviews:?}");
    ensure!(reviews.len() <= 14, "answers are remembered: {} reviews of 42 calls", reviews.len());

    let audience =
        self::server(&cluster, "kubernetes", "reviewer-token", &["--kube-audience", "gantry"]).await?;
    ensure!(get(&audience.host, "/tools", &[("authorization", &bearer(&gantry))]).await?.status() == 200);
    refused(
        &get(&audience.host, "/tools", &[("authorization", &bearer(&robot))]).await?,
        401,
        "AUTHENTICATION_ERROR",
        &robot,
    )?;

    // What is wrong with this server's own credential is no fault of the caller.
    for (own, why) in [
        ("nobody-token", "does not let this server review"),
        ("wrong-token", "does not take this server's own"),
    ] {
        let server = self::server(&cluster, "kubernetes", own, &[]).await?;
        let answer = get(&server.host, "/tools", &[("authorization", "Bearer alice-token")]).await?;
        refused(&answer, 502, "SERVICE_ERROR", "alice-token")?;
        ensure!(server.log().contains(why) && server.log().contains("--kube-token-file"), "{}", server.log());
        ensure!(!server.log().contains(own), "{}", server.log());
    }
    cluster.stop();
    let answer = get(&server.host, "/tools", &[("authorization", "Bearer other-token")]).await?;
    refused(&answer, 502, "SERVICE_ERROR", "other-token")
}

#[tokio::test]
async fn several_ways_at_once() -> Result<()> {
    let Some(programs) = fixture("several ways", "GANTRY_TEST_KUBERNETES") else { return Ok(()) };
    let Some(modules) = fixture("several ways", "GANTRY_TEST_NODE_MODULES") else { return Ok(()) };
    let cluster = Cluster::start(&programs).await?;
    let mut provider = Provider::new(&modules)?;
    provider.start("one", "ES256").await?;
    let (issuer, key) = (provider.issuer(), "ops:admin:the-key-of-ops");
    let oidc = ["--oidc-issuer", &issuer, "--oidc-audience", "urn:gantry", "--api-keys", key];
    let server = self::server(&cluster, "api-key,oidc,kubernetes", "reviewer-token", &oidc).await?;
    let login = provider.token("alice", "urn:gantry", "gantry.read").await?;
    for (token, status) in [("the-key-of-ops", 200), (&*login, 200), ("alice-token", 200), ("nobodys", 401)] {
        let answer = get(&server.host, "/tools", &[("authorization", &bearer(token))]).await?;
        ensure!(answer.status() == status, "{token}: {answer:?}");
    }
    // The provider's tokens are not for the cluster to see.
    provider.stop();
    let before = cluster.audit("tokenreviews")?.len();
    let expired = format!("{}A", login);
    let answer = get(&server.host, "/tools", &[("authorization", &bearer(&expired))]).await?;
    refused(&answer, 401, "AUTHENTICATION_ERROR", &expired)?;
    ensure!(cluster.audit("tokenreviews")?.len() == before, "{}", wire::json(&answer)?);
    Ok(())
}
