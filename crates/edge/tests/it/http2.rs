//! HTTP/2 of clients, by prior knowledge and by ALPN, and TLS on both sides of the edge.

#![expect(clippy::disallowed_methods, reason = "these are clients of the tests")]

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Certificate, Client, ClientBuilder, Version};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::edge::{Edge, LONG, eventually, header};
use crate::upstream::{Recorder, read_head, serve, url};
use crate::who::who;

fn client(builder: ClientBuilder) -> Client {
    builder.no_proxy().timeout(LONG).build().unwrap()
}

fn knowing() -> Client {
    client(Client::builder().http2_prior_knowledge())
}

#[tokio::test]
async fn requests_over_http2_reach_a_server_as_http1() {
    let server = Recorder::hello().await;
    let edge = Edge::start(&[("alpha", server.url())]);
    let request = knowing()
        .get(format!("{}/alpha/x?y=%2F", edge.url()))
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("gantry-slug", "beta");
    let reply = request.send().await.unwrap();
    assert_eq!((reply.version(), reply.status().as_u16()), (Version::HTTP_2, 200));
    assert_eq!(reply.text().await.unwrap(), "hello");
    let head = server.last();
    assert!(head.starts_with("GET /x?y=%2F HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "host"), Some(server.address.to_string().as_str()));
    assert_eq!(header(&head, "x-forwarded-host"), Some(edge.address.to_string().as_str()));
    assert_eq!(header(&head, "via"), Some("2.0 gantry-edge"));
    assert_eq!(header(&head, "cookie"), Some("a=1; b=2"));
    assert_eq!(header(&head, "gantry-slug"), None);
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn a_hundred_requests_share_a_connection() {
    let server = url(crate::upstream::slow(Duration::from_millis(200)).await);
    let edge = Edge::start_with(&[("alpha", server)], &["--max-connections", "1"]);
    let client = knowing();
    let all = (0..100).map(|_| {
        let (client, url) = (client.clone(), format!("{}/alpha/", edge.url()));
        tokio::spawn(async move {
            let reply = client.get(url).send().await.unwrap();
            assert_eq!(reply.text().await.unwrap(), "done");
        })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap();
    }
}

#[tokio::test]
async fn a_cancelled_request_closes_the_server_connection() {
    let (send, mut closed) = mpsc::unbounded_channel();
    let server = serve(move |mut stream, _| {
        let send = send.clone();
        async move {
            read_head(&mut stream).await.unwrap();
            send.send("asked").unwrap();
            stream.read_exact(&mut [0]).await.unwrap_err();
            send.send("closed").unwrap();
        }
    })
    .await;
    let edge = Edge::start(&[("alpha", url(server))]);
    let client = knowing();
    let asked = tokio::spawn({
        let request = client.get(format!("{}/alpha/", edge.url()));
        async move { request.send().await }
    });
    assert_eq!(timeout(LONG, closed.recv()).await.unwrap(), Some("asked"));
    asked.abort();
    assert_eq!(timeout(LONG, closed.recv()).await.unwrap(), Some("closed"));
    drop(client);
}

#[tokio::test]
async fn a_preface_may_come_in_pieces() {
    let server = Recorder::hello().await;
    let edge = Edge::start(&[("alpha", server.url())]);
    let mut stream = edge.connect().await;
    stream.set_nodelay(true).unwrap();
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
        stream.write_all(&[*byte]).await.unwrap();
        sleep(Duration::from_millis(5)).await;
    }
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let mut frame = [0; 9];
    timeout(LONG, stream.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3], 4, "its settings: {frame:?}");
}

#[tokio::test]
async fn an_idle_connection_is_told_to_go() {
    let server = Recorder::hello().await;
    let edge = Edge::start_with(&[("alpha", server.url())], &["--header-timeout", "500ms"]);
    let mut stream = edge.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut all = Vec::new();
    // A GOAWAY, to which this client does not listen.
    let told = async {
        while !all.windows(2).any(|it| it == [8, 7] || it == [0, 7]) {
            assert_ne!(stream.read_buf(&mut all).await.unwrap(), 0, "{all:?}");
        }
    };
    timeout(LONG, told).await.expect("told to go");
    let client = knowing();
    for _ in 0..2 {
        let reply = client.get(format!("{}/alpha/", edge.url())).send().await.unwrap();
        assert_eq!(reply.status(), 200);
        sleep(Duration::from_millis(1500)).await;
    }
}

/// An authority, and a folder with its certificate and one for this machine.
struct Certificates {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let this = Self { folder: tempfile::tempdir().unwrap(), authority };
        std::fs::write(this.path("ca.pem"), this.authority.pem()).unwrap();
        this.renew();
        this
    }

    /// A new certificate; gives it in DER.
    fn renew(&self) -> Vec<u8> {
        let names = ["localhost", "alpha.localhost", "127.0.0.1"].map(str::to_owned);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.authority).unwrap();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(self.path("cert.pem"), certificate.pem()).unwrap();
        certificate.der().to_vec()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn client(&self) -> ClientBuilder {
        let authority = Certificate::from_pem(self.authority.pem().as_bytes()).unwrap();
        Client::builder().tls_certs_only([authority])
    }
}

#[tokio::test]
async fn tls_on_both_sides_with_either_protocol() {
    let certificates = Certificates::new();
    let [cert, key, ca] = ["cert.pem", "key.pem", "ca.pem"].map(|name| certificates.path(name));
    let server = who("one", &["--tls-cert", &cert, "--tls-key", &key]).await;
    assert!(server.url.starts_with("https://"));
    let edge = Edge::start_with(
        &[("who", server.url.clone())],
        &["--tls-cert", &cert, "--tls-key", &key, "--ca-file", &ca],
    );
    let url = format!("https://{}/who/version", edge.address);
    for (builder, version) in
        [(certificates.client(), Version::HTTP_2), (certificates.client().http1_only(), Version::HTTP_11)]
    {
        let reply = client(builder).get(&url).send().await.unwrap();
        assert_eq!((reply.version(), reply.status().as_u16()), (version, 200));
        assert!(reply.text().await.unwrap().contains("who"));
    }
    // A stranger's authority is not believed.
    let stranger = Edge::start(&[("who", server.url.clone())]);
    let refused = stranger.get("/who/version").await;
    assert_eq!(refused.status, 502, "{refused:?}");
    let told = stranger.told("server takes no connections", 1).await;
    assert!(told[0]["error"].as_str().unwrap().contains("certificate"), "{told:?}");
}

#[tokio::test]
async fn a_server_may_ask_the_edge_for_a_certificate() {
    let certificates = Certificates::new();
    let [cert, key, ca] = ["cert.pem", "key.pem", "ca.pem"].map(|name| certificates.path(name));
    let server = who("one", &["--tls-cert", &cert, "--tls-key", &key, "--client-ca-file", &ca]).await;
    let route = [("who", server.url.clone())];
    let nobody = Edge::start_with(&route, &["--ca-file", &ca]);
    assert_eq!(nobody.get("/who/version").await.status, 502);
    let known = Edge::start_with(&route, &["--ca-file", &ca, "--client-cert", &cert, "--client-key", &key]);
    assert_eq!(known.get("/who/version").await.status, 200);
}

#[tokio::test]
async fn what_a_server_is_told_of_tls() {
    let certificates = Certificates::new();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| certificates.path(name));
    let server = Recorder::hello().await;
    let edge = Edge::start_with(&[("alpha", server.url())], &["--tls-cert", &cert, "--tls-key", &key]);
    let client = client(certificates.client().tls_info(true));
    let url = format!("https://{}/alpha/", edge.address);
    let reply = client.get(&url).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    let head = server.last();
    assert_eq!(header(&head, "x-forwarded-proto"), Some("https"));
    assert!(header(&head, "forwarded").unwrap().ends_with(";proto=https"), "{head}");
    // A renewed certificate is served to the next connection, without a restart.
    let renewed = certificates.renew();
    eventually("the new certificate", async || {
        let client = self::client(certificates.client().tls_info(true));
        let reply = client.get(&url).send().await.unwrap();
        let info = reply.extensions().get::<reqwest::tls::TlsInfo>().unwrap();
        info.peer_certificate() == Some(&renewed)
    })
    .await;
}

#[test]
fn bad_certificates_are_refused_at_start() {
    let certificates = Certificates::new();
    let [cert, ca] = ["cert.pem", "missing.pem"].map(|name| certificates.path(name));
    let fleet = certificates.path("fleet.toml");
    std::fs::write(&fleet, crate::edge::fleet(&[("alpha", "https://127.0.0.1:1".to_owned())])).unwrap();
    for (args, wanted) in [
        (["--tls-cert", cert.as_str()], "--tls-key"),
        (["--ca-file", ca.as_str()], "--ca-file"),
        (["--client-cert", cert.as_str()], "--client-key"),
    ] {
        let mut command = crate::edge::command(fleet.as_ref());
        let error = crate::edge::refusal(command.args(["--listen", "127.0.0.1:0"]).args(args));
        assert!(error.contains(wanted), "{error}");
    }
}
