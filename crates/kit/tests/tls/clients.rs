//! Mutual TLS: who may connect, and what becomes of one who might when the authorities change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, Identity};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::authority::{Authority, Folder, Pair};
use crate::server::{PATIENCE, client, nap, send, serve, time_until};

fn with_identity(authority: &Authority, pair: &Pair) -> Client {
    let identity = Identity::from_pem(format!("{}{}", pair.chain, pair.key).as_bytes()).expect("an identity");
    client(authority).identity(identity).pool_max_idle_per_host(0).build().expect("a client")
}

#[tokio::test]
async fn only_clients_of_the_authority_connect() {
    let (servers, clients, strangers) = (Authority::new("s"), Authority::new("c"), Authority::new("x"));
    let folder = Folder::new(&servers.pair());
    let file = folder.put("ca.crt", &clients.pem());
    let server = serve(&folder, &["--client-ca-file", &file]).await;
    let url = &server.url;
    let (known, stranger) = (clients.pair(), strangers.pair());
    let known = with_identity(&servers, &known);
    let stranger = with_identity(&servers, &stranger);
    let nobody = client(&servers).build().expect("a client");
    assert_eq!(send(nap(&known, url, 0)).await.expect("an answer").status(), 200);
    assert!(send(nap(&stranger, url, 0)).await.is_err(), "of another authority");
    assert!(send(nap(&nobody, url, 0)).await.is_err(), "without a certificate");
    assert!(send(nobody.get(format!("{url}/health/live"))).await.is_err(), "health is no way around it");

    folder.put("ca.crt", &strangers.pem());
    let since = Instant::now();
    while send(nap(&stranger, url, 0)).await.is_err() {
        assert!(since.elapsed() < PATIENCE, "the new authority is never taken");
    }
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert!(send(nap(&known, url, 0)).await.is_err(), "the old authority holds no more");
}

/// One request over TLS; whether the handshake was a whole one.
async fn handshake(config: &Arc<ClientConfig>, url: &str) -> HandshakeKind {
    let address = url.strip_prefix("https://").expect("https");
    let tcp = TcpStream::connect(address).await.expect("connected");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = tokio_rustls::TlsConnector::from(config.clone()).connect(name, tcp).await.expect("TLS");
    let request = format!("GET /health/live HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = vec![];
    // Whether the end is told or not.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    stream.get_ref().1.handshake_kind().expect("shaken")
}

fn resuming(
    servers: &Authority,
    pair: Option<&Pair>,
    version: &'static rustls::SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(servers.pem().as_bytes()).expect("PEM")).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots);
    let mut config = match pair {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let chain = CertificateDer::from_pem_slice(pair.chain.as_bytes()).expect("PEM");
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(vec![chain], key).expect("a pair")
        }
    };
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

#[tokio::test]
async fn a_session_is_resumed_until_the_certificate_changes() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let authority = Authority::new("first");
        let folder = Folder::new(&authority.pair());
        let server = serve(&folder, &[]).await;
        let config = resuming(&authority, None, version);
        assert_eq!(handshake(&config, &server.url).await, HandshakeKind::Full);
        assert_eq!(handshake(&config, &server.url).await, HandshakeKind::Resumed);
        let next = authority.pair();
        folder.write(&next);
        time_until(&authority, &server.url, &next.leaf).await;
        assert_eq!(handshake(&config, &server.url).await, HandshakeKind::Full);
    }
}

#[tokio::test]
async fn a_client_with_a_certificate_shows_it_every_time() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let authority = Authority::new("first");
        let folder = Folder::new(&authority.pair());
        let file = folder.put("ca.crt", &authority.pem());
        let server = serve(&folder, &["--client-ca-file", &file]).await;
        let config = resuming(&authority, Some(&authority.pair()), version);
        for _ in 0..3 {
            assert_eq!(handshake(&config, &server.url).await, HandshakeKind::Full);
        }
    }
}
