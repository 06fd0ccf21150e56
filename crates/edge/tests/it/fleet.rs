//! The fleet file: refused at start, taken over while running.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::edge::{Edge, Reply, command, eventually, fleet, refusal};
use crate::upstream::{Recorder, read_head, serve, url};

#[test]
fn a_bad_file_is_refused_with_its_line_and_field() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fleet.toml");
    for (text, wanted) in [
        (Some("[[server]]\nslug = 'a'\nurl = 'http://h'\nweight = 1\n"), &["line 4", "weight"][..]),
        (Some("[[server]]\nslug = 'A b'\nurl = 'http://h'\n"), &["line 2", "server[0].slug"]),
        (Some("[[server]]\nslug = 'a'\nurl = 'ftp://h'\n"), &["line 3", "server[0].url", "http"]),
        (Some(""), &["line 1", "[[server]]"]),
        (None, &["No such file"]),
    ] {
        match text {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let error = refusal(command(&file).args(["--listen", "127.0.0.1:0"]));
        assert!(error.contains("--config") && error.contains("fleet.toml"), "{error}");
        assert!(wanted.iter().all(|part| error.contains(part)), "{wanted:?}: {error}");
    }
}

#[tokio::test]
async fn a_changed_file_is_taken_over_however_it_changes() {
    let (one, two) = (
        Recorder::start("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none").await,
        Recorder::start("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo").await,
    );
    let edge = Edge::start(&[("alpha", one.url())]);
    assert_eq!(edge.get("/alpha/").await.text(), "one");
    // Written over.
    std::fs::write(edge.file(), fleet(&[("alpha", one.url()), ("beta", two.url())])).unwrap();
    eventually("beta", async || edge.get("/beta/").await.text() == "two").await;
    // Renamed over, with a slug moved and one gone.
    edge.rename_in(&fleet(&[("alpha", two.url())]));
    eventually("alpha moved", async || edge.get("/alpha/").await.text() == "two").await;
    assert_eq!(edge.get("/beta/").await.status, 404);
    edge.told("fleet file loaded again", 2).await;
}

#[tokio::test]
async fn a_config_map_is_followed() {
    let (one, two) = (Recorder::hello().await, Recorder::hello().await);
    let dir = tempfile::tempdir().unwrap();
    let write = |version: &str, text: String| {
        std::fs::create_dir(dir.path().join(version)).unwrap();
        std::fs::write(dir.path().join(version).join("fleet.toml"), text).unwrap();
        symlink(version, dir.path().join("..data_tmp")).unwrap();
        std::fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
    };
    write("..1", fleet(&[("alpha", one.url())]));
    symlink("..data/fleet.toml", dir.path().join("fleet.toml")).unwrap();
    let next = fleet(&[("beta", two.url())]);
    let file = dir.path().join("fleet.toml");
    let path = dir.path().to_owned();
    let edge = Edge::start_on(dir, &file, &[]);
    assert_eq!(edge.get("/alpha/").await.status, 200);
    std::fs::create_dir(path.join("..2")).unwrap();
    std::fs::write(path.join("..2/fleet.toml"), next).unwrap();
    symlink("..2", path.join("..data_tmp")).unwrap();
    std::fs::rename(path.join("..data_tmp"), path.join("..data")).unwrap();
    std::fs::remove_dir_all(path.join("..1")).unwrap();
    eventually("beta", async || edge.get("/beta/").await.status == 200).await;
    assert_eq!(edge.get("/alpha/").await.status, 404);
    assert!(edge.dir().exists());
}

#[tokio::test]
async fn a_bad_change_keeps_the_last_good_one() {
    let server = Recorder::hello().await;
    let edge = Edge::start(&[("alpha", server.url())]);
    assert_eq!(edge.get("/health/ready").await.json()["status"], "ready");
    for bad in ["[[server]]\nslug = 'alpha'\n", ""] {
        edge.rename_in(bad);
        eventually("degraded", async || edge.get("/health/ready").await.json()["status"] == "degraded").await;
        assert_eq!(edge.get("/alpha/").await.text(), "hello");
        edge.rename_in(&fleet(&[("alpha", server.url())]));
        eventually("ready", async || edge.get("/health/ready").await.json()["status"] == "ready").await;
    }
    std::fs::remove_file(edge.file()).unwrap();
    eventually("degraded", async || edge.get("/health").await.json()["status"] == "degraded").await;
    assert_eq!(edge.get("/alpha/").await.text(), "hello");
    let complaints = edge.told("fleet file cannot be used, the last good one stays", 3).await;
    assert!(complaints[0]["error"].as_str().unwrap().starts_with("line 2: "), "{complaints:?}");
}

#[tokio::test]
async fn a_file_that_is_being_written_is_left_alone() {
    let server = Recorder::hello().await;
    let edge = Edge::start(&[("alpha", server.url())]);
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    for n in 0..40 {
        // Sound each time, but without alpha, and never the same for as long as two looks at it take.
        std::fs::write(edge.file(), format!("# {n}\n{}", fleet(&[("beta", server.url())]))).unwrap();
        sleep(Duration::from_millis(40)).await;
        longest = longest.max(last.elapsed());
        last = Instant::now();
        let untouched = edge.get("/alpha/").await.status == 200;
        assert!(untouched || longest > Duration::from_millis(200), "taken over half-written");
    }
    eventually("beta", async || edge.get("/beta/").await.status == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_under_load_fails_no_request() {
    let (one, two) = (Recorder::hello().await, Recorder::hello().await);
    let edge = Arc::new(Edge::start(&[("alpha", one.url()), ("beta", one.url())]));
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (edge, stop, done) = (edge.clone(), stop.clone(), done.clone());
            tokio::spawn(async move {
                let mut stream = edge.connect().await;
                while !stop.load(Ordering::SeqCst) {
                    stream
                        .write_all(b"POST /alpha/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
                        .await
                        .unwrap();
                    let head = read_head(&mut stream).await.expect("an answer");
                    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
                    stream.read_exact(&mut [0; 5]).await.unwrap();
                    done.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for round in 0..6 {
        let url = if round % 2 == 0 { two.url() } else { one.url() };
        edge.rename_in(&fleet(&[("alpha", url), (["gamma", "delta"][round % 2], one.url())]));
        edge.told("fleet file loaded again", round + 1).await;
        sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    assert!(done.load(Ordering::SeqCst) > 500, "{done:?} requests");
    assert!(!one.heads().is_empty() && !two.heads().is_empty());
}

#[tokio::test]
async fn a_request_under_way_outlives_its_route() {
    let finish = Arc::new(Notify::new());
    let wait = finish.clone();
    let server = serve(move |mut stream, _| {
        let wait = wait.clone();
        async move {
            read_head(&mut stream).await.unwrap();
            wait.notified().await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").await.unwrap();
        }
    })
    .await;
    let other = Recorder::hello().await;
    let edge = Edge::start(&[("alpha", url(server)), ("beta", other.url())]);
    let mut stream = edge.connect().await;
    stream.write_all(b"GET /alpha/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    eventually("on its way", async || {
        edge.get("/health").await.json()["checks"]["alpha"]["message"] == "took the last connection"
    })
    .await;
    edge.rename_in(&fleet(&[("beta", other.url())]));
    eventually("alpha gone", async || !edge.get("/").await.text().contains("alpha")).await;
    finish.notify_one();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert_eq!(Reply::new(&all).text(), "late");
}
