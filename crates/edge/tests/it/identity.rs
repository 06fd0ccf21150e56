//! Who calls: end to end by default, at the edge with `--auth`, and what only an edge may say.

use serde_json::{Value, json};

use crate::edge::{Edge, Reply, header, told_key};
use crate::upstream::Recorder;
use crate::who::who;

/// A request with these headers, as lines.
async fn get(edge: &Edge, path: &str, headers: &str) -> Reply {
    edge.raw(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")).await
}

async fn caller(edge: &Edge, headers: &str) -> Reply {
    edge.raw(format!(
        "POST /who/tools/caller HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n{headers}\r\n{{}}"
    ))
    .await
}

#[tokio::test]
async fn by_default_credentials_are_the_servers_business() {
    let server = Recorder::hello().await;
    let edge = Edge::start(&[("alpha", server.url())]);
    assert_eq!(get(&edge, "/alpha/", "Authorization: Bearer k\r\nX-API-Key: l\r\n").await.status, 200);
    assert_eq!(header(&server.last(), "authorization"), Some("Bearer k"));
    assert_eq!(header(&server.last(), "x-api-key"), Some("l"));
}

#[tokio::test]
async fn what_would_make_a_request_somebody_elses_is_refused() {
    let server = Recorder::hello().await;
    let fleet = format!(
        "[[server]]\nslug = 'alpha'\nurl = '{0}'\n\n[[server]]\nslug = 'beta'\nurl = '{0}'\nupstream_authorization = true\n",
        server.url()
    );
    let edge = Edge::start_of(&fleet, &[]);
    for path in ["/alpha/", "/beta/"] {
        let forged = get(&edge, path, "X-Gantry-Principal: x.y\r\n").await;
        assert_eq!((forged.status, forged.json()["error"].as_str()), (401, Some("AUTHENTICATION_ERROR")));
        assert!(forged.header("www-authenticate").is_some());
    }
    let refused = get(&edge, "/alpha/", "X-Upstream-Authorization: Bearer u\r\n").await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (403, Some("FORBIDDEN")));
    assert_eq!(refused.json()["details"], json!({"slug": "alpha", "field": "X-Upstream-Authorization"}));
    assert!(server.heads().is_empty(), "nothing of it went on");
    assert_eq!(get(&edge, "/beta/", "X-Upstream-Authorization: Bearer u\r\n").await.status, 200);
    assert_eq!(header(&server.last(), "x-upstream-authorization"), Some("Bearer u"));
}

#[tokio::test]
async fn the_edge_asks_for_keys_and_vouches_for_their_holders() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("edge.key");
    std::fs::write(&file, "0123456789abcdef0123456789abcdef\n").unwrap();
    let file = file.to_str().unwrap();
    let server = who("one", &["--trust-edge-key-file", file]).await;
    let recorder = Recorder::hello().await;
    let keys = "ops:write:secret,ro:read:other";
    let edge = Edge::start_with(
        &[("who", server.url.clone()), ("alpha", recorder.url())],
        &["--auth", "api-key", "--api-keys", keys, "--edge-key-file", file],
    );
    for headers in ["", "Authorization: Bearer wrong\r\n", "X-Gantry-Principal: x.y\r\n"] {
        let refused = caller(&edge, headers).await;
        assert_eq!(refused.status, 401, "{refused:?}");
        assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"), "{refused:?}");
    }
    for (headers, name) in [("Authorization: Bearer secret\r\n", "ops"), ("X-API-Key: other\r\n", "ro")] {
        let reply = caller(&edge, headers).await;
        assert_eq!((reply.status, reply.json()), (200, json!({"name": name})), "{reply:?}");
    }
    assert_eq!(get(&edge, "/metrics", "").await.status, 401);
    assert_eq!(get(&edge, "/health/ready", "").await.status, 200, "probes need no key");
    assert_eq!(get(&edge, "/alpha/", "X-API-Key: other\r\n").await.status, 200);
    let head = recorder.last();
    assert!(header(&head, "x-api-key").is_none() && !head.contains("other"), "{head}");
    // Its word is for one server: what it said to another is not believed.
    let word = header(&head, "x-gantry-principal").expect("a word").to_owned();
    let direct = server.url.strip_prefix("http://").unwrap();
    let replayed = raw(
        direct,
        &format!("GET /tools HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Gantry-Principal: {word}\r\n\r\n"),
    )
    .await;
    assert_eq!(replayed.status, 401, "{replayed:?}");
}

async fn raw(address: &str, request: &str) -> Reply {
    use tokio::io::AsyncWriteExt;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    Reply::new(&crate::edge::all(stream).await)
}

const OIDC: &[&str] =
    &["--auth", "oidc", "--oidc-issuer", "http://127.0.0.1:1/realm", "--oidc-audience", "gantry"];

/// The document that a challenge points to, as asked of `edge` by anyone under any name.
async fn document(edge: &Edge, refused: &Reply) -> Value {
    let challenge = refused.header("www-authenticate").expect("a challenge");
    let url = challenge.split_once("resource_metadata=\"").expect("a document").1.trim_end_matches('"');
    let path = url.strip_prefix("http://localhost").expect("on the edge");
    assert_eq!(path, "/.well-known/oauth-protected-resource/who/mcp");
    let reply = get(edge, path, "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[tokio::test]
async fn the_document_of_a_server_is_found_through_the_edge() {
    let server = who("one", OIDC).await;
    let edge = Edge::start(&[("who", server.url.clone())]);
    let refused = caller(&edge, "").await;
    assert_eq!(refused.status, 401);
    let document = document(&edge, &refused).await;
    assert_eq!(document["resource"], "http://localhost/who/mcp");
    assert_eq!(document["authorization_servers"], json!(["http://127.0.0.1:1/realm"]));
    let path = "/.well-known/oauth-protected-resource/who/mcp";
    let foreign = format!("GET {path} HTTP/1.1\r\nHost: edge.example\r\nConnection: close\r\n\r\n");
    assert_eq!(edge.raw(foreign).await.json()["resource"], "http://edge.example/who/mcp");
    let none = get(&edge, "/.well-known/oauth-protected-resource/nobody/mcp", "").await;
    assert_eq!((none.status, none.json()["error"].as_str()), (404, Some("NOT_FOUND")));
    // Nothing else of the server is reached that way, with a host that nobody looked at.
    for climbing in ["/../../mcp", "/..%2f..%2fmcp", "/..;/..;/mcp", "/mcp/%2e%2e/%2e%2e/mcp"] {
        let path = format!("/.well-known/oauth-protected-resource/who{climbing}");
        let reply =
            edge.raw(format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"));
        let reply = reply.await;
        assert_eq!((reply.status, &reply.json()["details"]["field"]), (400, &json!("path")), "{path}");
    }
}

#[tokio::test]
async fn an_edge_with_a_provider_answers_for_its_servers() {
    let server = who("one", &[]).await;
    let edge = Edge::start_with(&[("who", server.url.clone())], OIDC);
    let refused = caller(&edge, "").await;
    assert_eq!(refused.status, 401);
    assert_eq!(document(&edge, &refused).await["resource"], "http://localhost/who/mcp");
    let public = [OIDC, &["--public-url", "https://ops.example/base"]].concat();
    let edge = Edge::start_with(&[("who", server.url.clone())], &public);
    let reply = get(&edge, "/.well-known/oauth-protected-resource/who/mcp", "").await;
    assert_eq!(reply.json()["resource"], "https://ops.example/base/who/mcp");
    let named = edge.raw("GET /who/ HTTP/1.1\r\nHost: ops.example\r\nConnection: close\r\n\r\n").await;
    assert_eq!(named.status, 401, "what the world sees is no foreign host: {named:?}");
}

#[tokio::test]
async fn a_role_that_no_server_would_be_told_of_is_no_way_in() {
    let server = who("one", &[]).await;
    let keys = "ann:admin:the-key-of-ann,ro:read:the-key-of-ro,ops:write:the-key-of-ops";
    let edge = Edge::start_with(&[("who", server.url.clone())], &["--api-keys", keys]);
    for key in ["the-key-of-ro", "the-key-of-ops"] {
        let refused = caller(&edge, &format!("X-API-Key: {key}\r\n")).await;
        assert_eq!((refused.status, refused.json()["error"].as_str()), (403, Some("FORBIDDEN")), "{key}");
        assert!(refused.text().contains("--edge-key-file"), "{refused:?}");
    }
    assert_eq!(caller(&edge, "X-API-Key: the-key-of-ann\r\n").await.status, 200);
}

#[tokio::test]
async fn who_listens_to_other_machines_asks_for_a_key() {
    let server = Recorder::hello().await;
    let edge = Edge::start_at("0.0.0.0:0", &[("alpha", server.url())], &[]);
    assert_eq!(get(&edge, "/alpha/", "").await.status, 401);
    let key = told_key(&edge).await;
    assert_eq!(get(&edge, "/alpha/", &format!("Authorization: Bearer {key}\r\n")).await.status, 200);
    assert_eq!(header(&server.last(), "authorization"), None);
    // Said outright, the servers keep the keys.
    let open = Edge::start_at("0.0.0.0:0", &[("alpha", server.url())], &["--auth", "none"]);
    assert_eq!(get(&open, "/alpha/", "Authorization: Bearer theirs\r\n").await.status, 200);
    assert_eq!(header(&server.last(), "authorization"), Some("Bearer theirs"));
}

#[test]
fn a_voucher_for_nobody_is_refused_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = dir.path().join("fleet.toml");
    std::fs::write(&fleet, crate::edge::fleet(&[("alpha", "http://127.0.0.1:1".to_owned())])).unwrap();
    let mut command = crate::edge::command(&fleet);
    let error = crate::edge::refusal(command.args(["--listen", "127.0.0.1:0", "--edge-key-file", "x"]));
    assert!(error.contains("--edge-key-file") && error.contains("--auth"), "{error}");
}
