//! Callers with tokens of their own: each acts as itself by Gitea's own record, and nothing of ours gets there.

use std::sync::Arc;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use gantry_tests::fixture;
use gantry_tests::forge::{Forge, Record};
use gantry_tests::program::Program;
use serde_json::json;

use super::{call, refused};

const KEY: &str = "the-key-that-both-share";
const CALLS: usize = 50;

#[tokio::test]
async fn two_callers_at_once_act_as_themselves() -> Result<()> {
    let Some(programs) = fixture("gitea: two callers", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Arc::new(Forge::start(&programs).await?);
    // The server has a token of its own besides, which must not come into it.
    let own = ["--gitea-host", &forge.url, "--gitea-access-token", &forge.admin.token];
    let keys = format!("shared:write:{KEY}");
    let header = ["--auth", "api-key", "--api-keys", &keys, "--upstream-auth", "caller"];
    let by_header = Program::start("gantry-gitea", &[&own[..], &header].concat()).await?;
    let by_bearer = Program::start("gantry-gitea", &[&own[..], &["--auth", "upstream"]].concat()).await?;
    let asked = |records: &[Record], user: &str| records.iter().filter(|it| it.user == user).count();
    let before = own_requests(&forge, 0).await?;

    for name in ["alice", "bob"] {
        forge.repository(forge.user(name), "own").await?;
    }
    let calls = ["alice", "bob"].into_iter().flat_map(|user| (0..CALLS).map(move |at| (user, at)));
    try_join_all(calls.map(|(user, at)| {
        let (forge, header, bearer) = (forge.clone(), by_header.host.clone(), by_bearer.host.clone());
        tokio::spawn(async move { as_itself(&forge, &header, &bearer, user, at).await })
    }))
    .await?
    .into_iter()
    .collect::<Result<()>>()?;

    let records = own_requests(&forge, before.len() + 4 * CALLS).await?;
    let records = &records[before.len()..];
    ensure!(records.len() == 4 * CALLS, "{} requests", records.len());
    for user in ["alice", "bob"] {
        ensure!(asked(records, user) == 2 * CALLS, "{} as {user}", asked(records, user));
    }
    let labels = forge.requests("/own/labels", 0).await?;
    for record in labels.iter().filter(|it| it.method == "POST") {
        ensure!(record.path.contains(&format!("/{}/own/", record.user)), "{record:?}");
    }
    nothing_of_ours(&forge).await?;
    for (program, name) in [(&by_header, "X-Upstream-Authorization"), (&by_bearer, "Bearer")] {
        let log = program.log();
        let secrets = [KEY, &forge.user("alice").token, &forge.user("bob").token, &forge.admin.token];
        ensure!(!secrets.iter().any(|secret| log.contains(*secret)), "a secret in the log of {name}:\n{log}");
    }
    Ok(())
}

/// One read through each server, and a write through one of them.
async fn as_itself(forge: &Forge, by_header: &str, by_bearer: &str, user: &str, at: usize) -> Result<()> {
    let credential = format!("Bearer {}", forge.user(user).token);
    let key = format!("Bearer {KEY}");
    let (own, bearer) = (
        [("authorization", &*key), ("x-upstream-authorization", &*credential)],
        [("authorization", &*credential)],
    );
    for (host, headers) in [(by_header, &own[..]), (by_bearer, &bearer)] {
        let (status, me) = call(host, "get_me", &json!({}), headers).await?;
        ensure!(status == 200 && me["login"] == user, "{user} is {me}");
    }
    if at < 5 {
        let new = json!({"method": "create_repo_label", "owner": user, "repo": "own", "name": format!("{at}"),
                         "color": "#00ff00"});
        let (host, headers) =
            if at.is_multiple_of(2) { (by_header, &own[..]) } else { (by_bearer, &bearer[..]) };
        let (status, label) = call(host, "label_write", &new, headers).await?;
        ensure!(status == 200, "{label}");
    }
    Ok(())
}

/// Who asked for itself.
async fn own_requests(forge: &Forge, count: usize) -> Result<Vec<Record>> {
    let all = forge.requests("/api/v1/user", count).await?;
    Ok(all.into_iter().filter(|it| it.path == "/api/v1/user").collect())
}

/// No key and no header of ours ever came to Gitea.
async fn nothing_of_ours(forge: &Forge) -> Result<()> {
    for record in forge.requests("/", 1).await? {
        let headers = record.headers.to_ascii_lowercase();
        for ours in [KEY, "x-upstream-authorization", "x-gantry", "x-api-key", "gantry-slug"] {
            ensure!(!headers.contains(ours), "{ours} in {record:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_credential_that_does_not_do_is_told_of() -> Result<()> {
    let Some(programs) = fixture("gitea: credentials", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Forge::start(&programs).await?;
    let host = ["--gitea-host", &*forge.url];
    let key = format!("ops:write:{KEY}");
    let header = ["--auth", "api-key", "--api-keys", &key, "--upstream-auth", "caller"];
    let by_header = Program::start("gantry-gitea", &[&host[..], &header].concat()).await?;
    let by_bearer = Program::start("gantry-gitea", &[&host[..], &["--auth", "upstream"]].concat()).await?;

    let none = call(&by_header.host, "get_me", &json!({}), &[("x-api-key", KEY)]).await?;
    let error = refused(none, "AUTHENTICATION_ERROR")?;
    ensure!(error["message"].to_string().contains("X-Upstream-Authorization"), "{error}");
    refused(call(&by_bearer.host, "get_me", &json!({}), &[]).await?, "AUTHENTICATION_ERROR")?;
    let wrong = [("authorization", "Bearer 0123456789012345678901234567890123456789")];
    let error = refused(call(&by_bearer.host, "get_me", &json!({}), &wrong).await?, "AUTHENTICATION_ERROR")?;
    ensure!(error["details"]["status"] == 401 && !error.to_string().contains("01234"), "{error}");
    let anonymous = Program::start("gantry-gitea", &host).await?;
    refused(call(&anonymous.host, "get_me", &json!({}), &[]).await?, "AUTHENTICATION_ERROR")?;

    // Scopes.
    forge.repository(forge.user("alice"), "open").await?;
    let repo = json!({"owner": "alice", "repo": "open"});
    for (scopes, tool, extra, required) in [
        (&["read:user"][..], "label_read", json!({"method": "list_repo_labels"}), "read:issue"),
        (
            &["read:issue", "read:repository"],
            "label_write",
            json!({"method": "create_repo_label", "name": "x", "color": "#000000"}),
            "write:issue",
        ),
        (&["read:issue"], "get_me", json!({}), "read:user"),
    ] {
        let token = format!("token {}", forge.token("alice", scopes).await?);
        let mut arguments = if tool == "get_me" { json!({}) } else { repo.clone() };
        arguments
            .as_object_mut()
            .into_iter()
            .for_each(|it| it.extend(extra.as_object().cloned().unwrap_or_default()));
        let headers = [("x-api-key", KEY), ("x-upstream-authorization", &*token)];
        let error =
            refused(call(&by_header.host, tool, &arguments, &headers).await?, "AUTHENTICATION_ERROR")?;
        let named = error["details"]["required_scope"].as_str().unwrap_or_default().to_owned();
        ensure!(named.contains(required), "{tool} with {scopes:?}: {error}");
        ensure!(error["message"].to_string().contains(required), "{error}");
    }

    // What one may not see is not there.
    let secret = json!({"name": "secret", "private": true});
    forge.post(&forge.user("bob").token, "/user/repos", secret).await?;
    let list = json!({"method": "list_repo_labels", "owner": "bob", "repo": "secret"});
    let as_user = |user: &str| format!("Bearer {}", forge.user(user).token);
    let (status, own) =
        call(&by_bearer.host, "label_read", &list, &[("authorization", &as_user("bob"))]).await?;
    ensure!(status == 200 && own["items"] == json!([]), "{own}");
    let other = call(&by_bearer.host, "label_read", &list, &[("authorization", &as_user("alice"))]).await?;
    let error = refused(other, "VALIDATION_ERROR")?;
    ensure!(error["details"]["status"] == 404 && error["message"].to_string().contains("404"), "{error}");
    Ok(())
}
