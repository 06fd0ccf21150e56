//! Certificates change and the server stops while 50 connections are busy: no request fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::Version;
use reqwest::Client;
use tokio::task::JoinSet;

use crate::authority::{Authority, Folder};
use crate::server::{client, leaf, nap, send, serve, time_until};

/// What the clients of a load saw.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    answers: AtomicUsize,
}

/// Keeps one client asking until the load is over; whatever fails, panics.
async fn ask(client: Client, url: String, version: Version, load: Arc<Load>) {
    while !load.over.load(Ordering::Relaxed) {
        let answer = send(nap(&client, &url, 2)).await.expect("no request fails");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        answer.bytes().await.expect("a whole answer");
        load.answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// 20 connections kept over HTTP/1.1, 20 over HTTP/2, and 10 clients that connect for every request.
fn begin(authority: &Authority, url: &str, load: &Arc<Load>) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for at in 0..50 {
        let (builder, version) = match at {
            0..20 => (client(authority).http1_only(), Version::HTTP_11),
            20..40 => (client(authority), Version::HTTP_2),
            _ => (client(authority).http1_only().pool_max_idle_per_host(0), Version::HTTP_11),
        };
        clients.spawn(ask(builder.build().expect("a client"), url.to_owned(), version, load.clone()));
    }
    clients
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_change_under_load() {
    let authority = Authority::new("first");
    let folder = Folder::new(&authority.pair());
    let server = serve(&folder, &[]).await;
    let load = Arc::<Load>::default();
    let clients = begin(&authority, &server.url, &load);
    let kept = client(&authority).http1_only().build().expect("a client");
    let first = leaf(&send(nap(&kept, &server.url, 0)).await.expect("an answer"));
    for version in ["..1", "..2", "..3"] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let next = authority.pair();
        folder.swap(version, &next);
        let taken = time_until(&authority, &server.url, &next.leaf).await;
        println!(
            "new certificate after {} ms, {} answers",
            taken.as_millis(),
            load.answers.load(Ordering::Relaxed)
        );
        assert!(taken < Duration::from_secs(1), "{taken:?}");
    }
    let answer = send(nap(&kept, &server.url, 0)).await.expect("an answer");
    assert_eq!(leaf(&answer), first, "a connection lives on with the certificate it began with");
    load.over.store(true, Ordering::Relaxed);
    clients.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_drains_connections_with_tls() {
    let authority = Authority::new("first");
    let server = serve(&Folder::new(&authority.pair()), &[]).await;
    let mut calls = JoinSet::new();
    for at in 0..50 {
        let builder = if at % 2 == 0 { client(&authority) } else { client(&authority).http1_only() };
        let (client, url) = (builder.build().expect("a client"), server.url.clone());
        send(nap(&client, &url, 0)).await.expect("an answer").bytes().await.expect("whole");
        calls.spawn(async move { send(nap(&client, &url, 1500)).await.expect("answered").status().as_u16() });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ended = server.stop();
    assert_eq!(calls.join_all().await, [200; 50]);
    ended.await.expect("no panic").expect("a quiet end");
}
