//! Servers behind the edge, down to the byte.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server whose every connection is handled by `handle`, which is told how many came before.
pub(crate) async fn serve<F, Fut>(handle: F) -> SocketAddr
where
    F: Fn(TcpStream, usize) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(handle(stream, number));
        }
    });
    address
}

pub(crate) fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Reads up to the end of a head; `None` when the connection ends first. May read no byte further.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Reads the rest of a chunked message, up to the last chunk and its trailers.
pub(crate) async fn read_chunked(stream: &mut TcpStream) -> String {
    let mut body = Vec::new();
    loop {
        body.push(stream.read_u8().await.unwrap());
        let text = String::from_utf8_lossy(&body);
        if (text.starts_with("0\r\n") || text.contains("\r\n0\r\n")) && text.ends_with("\r\n\r\n") {
            return text.into_owned();
        }
    }
}

/// A server that answers after this long.
pub(crate) async fn slow(delay: Duration) -> SocketAddr {
    serve(move |mut stream, _| async move {
        while read_head(&mut stream).await.is_some() {
            tokio::time::sleep(delay).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await;
        }
    })
    .await
}

/// A server that reads and never answers.
pub(crate) async fn silent() -> SocketAddr {
    serve(|mut stream, _| async move { while let Ok(1..) = stream.read(&mut [0; 4096]).await {} }).await
}

/// A server that answers every request without a body with a fixed text, and records the requests' heads.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Recorder {
    /// `answer` is the whole answer, in bytes.
    pub(crate) async fn start(answer: &str) -> Self {
        let (heads, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (sink, count, answer) = (heads.clone(), connections.clone(), answer.to_owned());
        let address = serve(move |mut stream, _| {
            let (sink, answer) = (sink.clone(), answer.clone());
            count.fetch_add(1, Ordering::SeqCst);
            async move {
                while let Some(head) = read_head(&mut stream).await {
                    sink.lock().unwrap().push(head);
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        })
        .await;
        Self { address, heads, connections }
    }

    pub(crate) async fn hello() -> Self {
        Self::start("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await
    }

    pub(crate) fn url(&self) -> String {
        url(self.address)
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> String {
        self.heads().last().cloned().expect("a request")
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
