//! A way to the engine that shows a server only its own lab, counts the calls that change something, and can
//! hold one of them fast while the server is killed: before the engine sees it, while it works, or after.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

use crate::lab::Lab;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    During,
    After,
}

/// Which call to hold: the first is 1.
pub(crate) type Freeze = (Moment, usize);

pub(crate) struct Proxy {
    pub(crate) path: PathBuf,
    pub(crate) frozen: Receiver<()>,
    calls: Arc<Mutex<Vec<String>>>,
}

struct Rules {
    engine: &'static str,
    scope: String,
    freeze: Option<Freeze>,
    frozen: Sender<()>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn start(lab: &Lab, freeze: Option<Freeze>) -> Self {
        let path = (0..)
            .map(|n| lab.folder.path().join(format!("engine{n}.sock")))
            .find(|path| !path.exists())
            .unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        let (sender, frozen) = channel();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let rules = Arc::new(Rules {
            engine: lab.socket,
            scope: lab.scope.clone(),
            freeze,
            frozen: sender,
            calls: calls.clone(),
        });
        // It ends with the test program; a server that is gone asks no more.
        spawn(move || {
            for client in listener.incoming().flatten() {
                let rules = rules.clone();
                spawn(move || rules.serve(client));
            }
        });
        Self { path, frozen, calls }
    }

    /// The calls that change something, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

impl Rules {
    /// The server opens a connection per request, so the first line tells what a connection is for.
    fn serve(&self, mut client: UnixStream) -> Option<()> {
        let head = read_head(&mut client)?;
        let line = head.lines().next()?.to_owned();
        let held = if line.starts_with("POST") || line.starts_with("DELETE") {
            let mut calls = self.calls.lock().ok()?;
            calls.push(line);
            self.freeze.filter(|(_, at)| *at == calls.len()).map(|(moment, _)| moment)
        } else {
            None
        };
        if held == Some(Moment::Before) {
            self.frozen.send(()).ok()?;
            return wait_for_end(client);
        }
        let mut engine = UnixStream::connect(self.engine).ok()?;
        engine.write_all(self.narrowed(&head).as_bytes()).ok()?;
        let (mut from_client, mut to_engine) = (client.try_clone().ok()?, engine.try_clone().ok()?);
        let upload = spawn(move || {
            let _ended = std::io::copy(&mut from_client, &mut to_engine);
            to_engine.shutdown(Shutdown::Both)
        });
        match held {
            Some(Moment::During) => {
                sleep(Duration::from_millis(50));
                self.frozen.send(()).ok()?;
            }
            Some(_) => {
                engine.read_exact(&mut [0; 16]).ok()?;
                self.frozen.send(()).ok()?;
            }
            None => {
                std::io::copy(&mut engine, &mut client).ok()?;
                client.shutdown(Shutdown::Both).ok()?;
            }
        }
        upload.join().ok()?.ok()
    }

    /// A list shows only the lab's containers, so that tests side by side do not tidy up for each other.
    fn narrowed(&self, head: &str) -> String {
        let filter = format!("filters=%7B%22name%22%3A%5B%22{}%22%5D%7D&", self.scope);
        head.replacen("/containers/json?", &format!("/containers/json?{filter}"), 1)
    }
}

fn read_head(client: &mut UnixStream) -> Option<String> {
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match client.read(&mut chunk).ok()? {
            0 => return None,
            n => head.extend_from_slice(&chunk[..n]),
        }
    }
    String::from_utf8(head).ok()
}

fn wait_for_end(mut client: UnixStream) -> Option<()> {
    std::io::copy(&mut client, &mut std::io::sink()).ok().map(drop)
}
