//! Ways to the forge: a Unix socket, TLS with a certificate that is believed or not, a token that changes.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use gantry_tests::certificate::Certificate;
use gantry_tests::fixture;
use gantry_tests::forge::Forge;
use gantry_tests::program::Program;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixListener};

use super::{call, refused};

async fn me(server: &Program) -> Result<Value> {
    let (status, me) = call(&server.host, "get_me", &json!({}), &[]).await?;
    ensure!(status == 200, "{me}");
    Ok(me["login"].clone())
}

#[tokio::test]
async fn each_way_leads_to_the_forge() -> Result<()> {
    let Some(programs) = fixture("gitea: ways", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Forge::start(&programs).await?;
    through_a_socket(&forge).await?;
    through_tls(&forge).await?;
    with_a_token_that_changes(&forge).await
}

/// The address names a host that there is not: only the socket can have led to Gitea.
async fn through_a_socket(forge: &Forge) -> Result<()> {
    let folder = TempDir::new()?;
    let socket = folder.path().join("gitea.sock");
    let listener = UnixListener::bind(&socket)?;
    let gitea = forge.url.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let gitea = gitea.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(&gitea).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    let socket = socket.display().to_string();
    let token = &forge.user("alice").token;
    let host = ["--gitea-host", "http://gitea.invalid/", "--gitea-access-token", token];
    let server =
        Program::start("gantry-gitea", &[&host[..], &["--gitea-unix-socket", &socket]].concat()).await?;
    ensure!(me(&server).await? == "alice");
    let record = forge.requests("/api/v1/user", 1).await?;
    ensure!(record.iter().any(|it| it.path == "/api/v1/user" && it.user == "alice"), "{record:?}");
    let gone =
        Program::start("gantry-gitea", &[&host[..], &["--gitea-unix-socket", "/nonexistent"]].concat())
            .await?;
    refused(call(&gone.host, "get_me", &json!({}), &[]).await?, "SERVICE_ERROR").map(|_| ())
}

/// Behind an edge with a certificate, at a sub-path, as forges are behind proxies.
async fn through_tls(forge: &Forge) -> Result<()> {
    let certificate = Certificate::new(&["127.0.0.1"])?;
    let edge = Program::edge_to(&[("forge", forge.url.clone())], &certificate.served()).await?;
    let url = format!("https://{}/forge/", edge.host);
    let own = ["--gitea-host", &url, "--gitea-access-token", &forge.user("alice").token];
    for (way, works) in
        [(&[][..], false), (&["--insecure"], true), (&["--ca-file", &certificate.authority], true)]
    {
        let server = Program::start("gantry-gitea", &[&own[..], way].concat()).await?;
        if works {
            ensure!(me(&server).await? == "alice", "{way:?}");
            continue;
        }
        let error = refused(call(&server.host, "get_me", &json!({}), &[]).await?, "SERVICE_ERROR")?;
        ensure!(error["message"].to_string().contains("GITEA_HOST"), "{error}");
    }
    Ok(())
}

async fn with_a_token_that_changes(forge: &Forge) -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{}\n", forge.user("alice").token))?;
    let path = file.display().to_string();
    let server =
        Program::start("gantry-gitea", &["--gitea-host", &forge.url, "--gitea-access-token-file", &path])
            .await?;
    ensure!(me(&server).await? == "alice");
    std::fs::write(&file, &forge.user("bob").token)?;
    let end = Instant::now() + Duration::from_secs(20);
    while me(&server).await? != "bob" {
        if Instant::now() > end {
            bail!("still alice");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // A file that holds no token leaves the one there was.
    std::fs::write(&file, "")?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(me(&server).await? == "bob");
    ensure!(!server.log().contains(&forge.user("bob").token), "{}", server.log());
    Ok(())
}
