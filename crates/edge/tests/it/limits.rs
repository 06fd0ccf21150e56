//! Clients that are many or slow, and a process that runs out of files.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use crate::edge::{Edge, LONG, Reply, all, ask};
use crate::upstream::{Recorder, read_head, slow, url};

#[tokio::test]
async fn half_a_head_is_not_waited_for() {
    let server = Recorder::hello().await;
    let edge = Edge::start_with(&[("alpha", server.url())], &["--header-timeout", "1s"]);
    let start = Instant::now();
    let mut dripping = edge.connect().await;
    let (mut read, mut write) = (edge.connect().await, edge.connect().await);
    write.write_all(b"GET /alpha/ HTTP/1.1\r\nHost: loc").await.unwrap();
    read.write_all(b"GET /alpha/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let drip = async {
        while dripping.write_all(b"G").await.is_ok() {
            assert!(start.elapsed() < LONG, "every byte bought more time");
            sleep(Duration::from_millis(100)).await;
        }
    };
    let (silent, used, ()) = tokio::join!(all(write), all(read), drip);
    assert_eq!(String::from_utf8_lossy(&silent), "");
    assert_eq!(Reply::new(&used).text(), "hello", "served, then closed for being idle");
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn half_a_preface_costs_nothing() {
    let edge = Edge::start(&[("alpha", "http://127.0.0.1:1".to_owned())]);
    let mut halves = Vec::new();
    for _ in 0..300 {
        let mut half = edge.connect().await;
        half.write_all(b"PR").await.unwrap();
        halves.push(half);
    }
    let before = cpu(&edge);
    sleep(Duration::from_secs(3)).await;
    let used = cpu(&edge).checked_sub(before).unwrap();
    assert!(used < Duration::from_millis(300), "{used:?}");
}

/// What the edge has used of the processors, to the hundredth of a second that Linux counts in.
fn cpu(edge: &Edge) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", edge.id())).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
    Duration::from_millis(fields.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_their_turn() {
    let server = url(slow(Duration::from_millis(500)).await);
    let edge = Edge::start_with(&[("alpha", server)], &["--max-connections", "2", "--threads", "1"]);
    let first = [edge.connect().await, edge.connect().await];
    let mut third = ask(&edge).await;
    let waits = timeout(Duration::from_millis(1200), read_head(&mut third)).await;
    assert!(waits.is_err(), "{waits:?}");
    edge.told("as many connections as are allowed are open, more must wait", 1).await;
    drop(first);
    let head = timeout(LONG, read_head(&mut third)).await.unwrap().unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "these are clients of the tests")]
async fn requests_over_http2_are_no_way_around_that() {
    const PLACES: usize = 200;
    let (hello, silent) = (Recorder::hello().await, url(crate::upstream::silent().await));
    let servers = [("alpha", hello.url()), ("silent", silent)];
    let edge = Edge::start_with(&servers, &["--max-connections", "10", "--threads", "1"]);
    let client = || reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let (many, one) = (client(), client());
    let get = |client: &reqwest::Client, path| client.get(format!("{}{path}", edge.url())).send();
    let silent: Vec<_> = (0..PLACES).map(|_| tokio::spawn(get(&many, "/silent/"))).collect();
    let waits = async || timeout(Duration::from_millis(300), get(&one, "/alpha/")).await.is_err();
    crate::edge::eventually("all places are taken", waits).await;
    assert!(waits().await, "they stay taken");
    assert_eq!(edge.get("/alpha/").await.text(), "hello", "HTTP/1.1 has places of its own");
    silent[0].abort();
    let answer = timeout(LONG, get(&one, "/alpha/")).await.expect("a place").unwrap();
    assert_eq!(answer.text().await.unwrap(), "hello");
}

#[tokio::test]
async fn running_out_of_files_is_told_once_and_passes() {
    let server = Recorder::hello().await;
    let edge = Edge::start_with(&[("alpha", server.url())], &["--threads", "1"]);
    assert_eq!(edge.get("/alpha/").await.text(), "hello");
    let limit = Rlimit { current: Some(40), maximum: Some(40) };
    prlimit(Pid::from_raw(i32::try_from(edge.id()).unwrap()), Resource::Nofile, limit).unwrap();
    let mut crowd = Vec::new();
    for _ in 0..60 {
        crowd.push(edge.connect().await);
    }
    sleep(Duration::from_millis(500)).await;
    edge.told("no connection can be accepted", 1).await;
    drop(crowd);
    assert_eq!(edge.get("/alpha/").await.text(), "hello");
}

#[tokio::test]
async fn a_thousand_slow_clients_cost_little() {
    let server = Recorder::hello().await;
    let edge = Edge::start_with(&[("alpha", server.url())], &["--header-timeout", "4s"]);
    rlimit();
    edge.get("/alpha/").await;
    let before = edge.memory();
    let mut slow = Vec::new();
    for _ in 0..1000 {
        let mut stream = edge.connect().await;
        stream.write_all(b"POST /alpha/ HTTP/1.1\r\nHost: loc").await.unwrap();
        slow.push(stream);
    }
    sleep(Duration::from_millis(300)).await;
    let cost = edge.memory() - before;
    assert!(cost < 32 * 1024, "{cost} kB for 1000 connections");
    let start = Instant::now();
    assert_eq!(edge.get("/alpha/").await.text(), "hello");
    assert!(start.elapsed() < Duration::from_millis(500));
    for stream in slow {
        let answer = String::from_utf8_lossy(&all(stream).await).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    assert_eq!(edge.get("/alpha/").await.text(), "hello");
}

/// This process holds the other ends of all those connections.
fn rlimit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}
