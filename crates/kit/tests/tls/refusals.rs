//! Files that do not fit, and peers that do not speak TLS.

use std::time::{Duration, Instant};

use kit::testing::start;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::authority::{Authority, Folder};
use crate::server::{Napper, PATIENCE, client, leaf, nap, send, serve, time_until, try_serve};

async fn refusal(arguments: &[&str]) -> String {
    format!("{:#}", start::<Napper>(arguments).await.err().expect("refused"))
}

#[tokio::test]
async fn a_start_with_files_that_do_not_fit_names_the_setting() {
    let authority = Authority::new("first");
    let (pair, other) = (authority.pair(), authority.pair());
    let folder = Folder::new(&pair);
    let (cert, key) = (folder.put("a.crt", &pair.chain), folder.put("a.key", &pair.key));
    let (wrong, empty) = (folder.put("b.key", &other.key), folder.put("empty", ""));
    for (arguments, words) in [
        (vec!["--tls-cert", &*cert], "--tls-cert (GANTRY_TLS_CERT) needs --tls-key (GANTRY_TLS_KEY)"),
        (vec!["--tls-key", &key], "needs --tls-cert (GANTRY_TLS_CERT)"),
        (vec!["--client-ca-file", &cert], "--client-ca-file (GANTRY_CLIENT_CA_FILE) needs --tls-cert"),
        (vec!["--tls-cert", &cert, "--tls-key", &wrong], "is not the key of --tls-cert"),
        (vec!["--tls-cert", &empty, "--tls-key", &key], "no certificate in PEM"),
        (vec!["--tls-cert", &cert, "--tls-key", &empty], "--tls-key (GANTRY_TLS_KEY)"),
        (vec!["--tls-cert", "/nowhere", "--tls-key", &key], "--tls-cert (GANTRY_TLS_CERT) /nowhere: "),
        (
            vec!["--tls-cert", &cert, "--tls-key", &key, "--client-ca-file", &empty],
            "--client-ca-file (GANTRY_CLIENT_CA_FILE)",
        ),
    ] {
        let error = refusal(&arguments).await;
        assert!(error.contains(words), "{arguments:?}: {error}");
        assert!(!error.contains("PRIVATE"), "{error}");
    }
}

#[tokio::test]
async fn a_pair_that_does_not_fit_is_not_taken() {
    let authority = Authority::new("first");
    let (first, next) = (authority.pair(), authority.pair());
    let folder = Folder::new(&first);
    let server = serve(&folder, &[]).await;
    let client = client(&authority).pool_max_idle_per_host(0).build().expect("a client");
    for break_it in [
        |folder: &Folder, next: &str| folder.put("tls.crt", next),
        |folder: &Folder, _: &str| folder.put("tls.crt", "-----BEGIN CERTIFICATE-----\nMII"),
    ] {
        break_it(&folder, &next.chain);
        tokio::time::sleep(Duration::from_millis(900)).await;
        assert_eq!(leaf(&send(nap(&client, &server.url, 0)).await.expect("an answer")), first.leaf);
    }
    std::fs::remove_file(folder.path("tls.key")).expect("removed");
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(leaf(&send(nap(&client, &server.url, 0)).await.expect("an answer")), first.leaf);
    folder.write(&next);
    let taken = time_until(&authority, &server.url, &next.leaf).await;
    assert!(taken < Duration::from_secs(5), "{taken:?}");
}

#[tokio::test]
async fn an_expired_certificate_is_served_all_the_same() {
    let authority = Authority::new("first");
    let folder = Folder::new(&authority.pair_until(2021));
    let server = try_serve(&folder, &[]).await.expect("a server");
    let client = client(&authority).build().expect("a client");
    let error = send(nap(&client, &server.url, 0)).await.expect_err("clients refuse it");
    assert!(format!("{error:?}").contains("Expired"), "{error:?}");
}

#[tokio::test]
async fn http_1_by_alpn_and_plain_http_not_at_all() {
    let authority = Authority::new("first");
    let server = serve(&Folder::new(&authority.pair()), &[]).await;
    let client = client(&authority).build().expect("a client");
    let answer = send(nap(&client, &server.url, 0)).await.expect("an answer");
    assert_eq!(answer.version(), http::Version::HTTP_2);

    let address = server.url.strip_prefix("https://").expect("https");
    let mut plain = TcpStream::connect(address).await.expect("connected");
    plain.write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    let mut answer = vec![];
    let _ = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut answer)).await.expect("closed");
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_silent_client_is_dropped_and_holds_up_no_other() {
    let authority = Authority::new("first");
    let server = serve(&Folder::new(&authority.pair()), &["--max-connections", "2"]).await;
    let address = server.url.strip_prefix("https://").expect("https");
    let since = Instant::now();
    let mut silent = TcpStream::connect(address).await.expect("connected");
    // The start of a ClientHello.
    silent.write_all(&[22, 3, 1, 2, 0, 1]).await.expect("sent");
    let client = client(&authority).build().expect("a client");
    assert_eq!(send(nap(&client, &server.url, 0)).await.expect("an answer").status(), 200);
    let mut rest = vec![];
    let _ = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest)).await.expect("dropped");
    assert!(since.elapsed() > Duration::from_secs(8), "{:?}", since.elapsed());
}
