//! One connection of a client: with TLS or without, HTTP/1.1 or HTTP/2, and how it ends.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::answer::Placed;
use crate::conn::BUFFER;
use crate::dial::Protocol;
use crate::lines::{CALL_WINDOW, LINE_WINDOW, Local, PING, PONG};
use crate::peer::Peer;
use crate::proxy;
use crate::socket::Socket;
use crate::worker::Worker;

/// What an HTTP/2 connection begins with, as far as no request of HTTP/1.1 does.
const PREFACE: &[u8] = b"PRI ";
/// Until the rest of a preface may have come: twice as long each time, so that who never sends it costs nothing.
const MOMENT: Duration = Duration::from_millis(1);
const LONGEST_MOMENT: Duration = Duration::from_millis(256);

/// Requests at once on one connection. All connections together have as many as there may be connections, and one
/// connection's at least; more wait: each holds a connection to a server, and an answer that nobody may be reading.
pub(crate) const MAX_STREAMS: usize = 200;

/// How both protocols are spoken.
pub(crate) struct Speech {
    http1: http1::Builder,
    http2: http2::Builder<Local>,
}

impl Speech {
    pub(crate) fn new(header_timeout: Duration) -> Self {
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(BUFFER).writev(false);
        let mut http2 = http2::Builder::new(Local);
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .initial_stream_window_size(CALL_WINDOW)
            .initial_connection_window_size(LINE_WINDOW)
            .max_concurrent_streams(MAX_STREAMS as u32)
            .max_header_list_size(BUFFER as u32)
            .max_send_buf_size(BUFFER);
        Self { http1, http2 }
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(worker: Rc<Worker>, stream: TcpStream, address: SocketAddr) {
    let begun = tokio::select! {
        biased;
        begun = timeout(worker.header_timeout(), begin(&worker, stream)) => begun,
        () = worker.drained() => return,
    };
    let scheme = if worker.tls().is_some() { "https" } else { "http" };
    let peer = Rc::new(Peer::new(address, scheme));
    match begun {
        Ok(Ok((socket, Protocol::Http1))) => http1(&worker, socket, &peer).await,
        Ok(Ok((socket, Protocol::Http2))) => http2(&worker, socket, peer).await,
        Ok(Err(error)) => tracing::debug!(%error, "connection did not begin"),
        Err(_) => tracing::debug!("connection did not begin in time"),
    }
}

/// Finds out what the client speaks.
async fn begin(worker: &Worker, stream: TcpStream) -> io::Result<(Socket, Protocol)> {
    let Some(tls) = worker.tls() else {
        let protocol = if knows_http2(&stream).await? { Protocol::Http2 } else { Protocol::Http1 };
        return Ok((Socket::Plain(stream), protocol));
    };
    let stream = tls.acceptor().accept(stream).await?;
    let agreed = stream.get_ref().1.alpn_protocol();
    let protocol = if agreed == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
    Ok((Socket::Tls(Box::new(stream.into())), protocol))
}

/// Whether the client begins with HTTP/2, by prior knowledge.
async fn knows_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut head = [0; PREFACE.len()];
    let mut moment = MOMENT;
    loop {
        let length = stream.peek(&mut head).await?;
        if length == 0 || !PREFACE.starts_with(&head[..length]) {
            return Ok(false);
        }
        if length == PREFACE.len() {
            return Ok(true);
        }
        sleep(moment).await;
        moment = LONGEST_MOMENT.min(moment * 2);
    }
}

async fn http1(worker: &Rc<Worker>, socket: Socket, peer: &Rc<Peer>) {
    let service = service_fn(|request| {
        let (worker, peer) = (worker.clone(), peer.clone());
        async move { Ok::<_, Infallible>(proxy::serve(&worker, &peer, request).await) }
    });
    let mut connection = worker.speech.http1.serve_connection(TokioIo::new(socket), service);
    let result = tokio::select! {
        biased;
        result = &mut connection => result,
        () = worker.drained() => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let Err(error) = result else { return };
    tracing::debug!(%error, "connection ended early");
    if error.is_user()
        && peer.is_old.get()
        && let Socket::Plain(stream) = connection.into_parts().io.into_inner()
    {
        // HTTP/1.0 tells the end of an answer by the end of the connection: one cut short must be reset.
        let _ = stream.set_zero_linger();
    }
}

/// A connection on which no request has begun for the time that a head may take is told to go, and ends with its
/// last answer.
async fn http2(worker: &Rc<Worker>, socket: Socket, peer: Rc<Peer>) {
    let service = service_fn({
        let (worker, peer) = (worker.clone(), peer.clone());
        move |request| {
            peer.heard.set(true);
            let (worker, peer) = (worker.clone(), peer.clone());
            async move {
                let place = worker.place().await;
                let answer = proxy::serve(&worker, &peer, request).await;
                Ok::<_, Infallible>(answer.map(|body| Placed { body, _place: place }))
            }
        }
    });
    let mut connection = pin!(worker.speech.http2.serve_connection(TokioIo::new(socket), service));
    let silence = async {
        loop {
            sleep(worker.header_timeout()).await;
            if !peer.heard.replace(false) {
                return;
            }
        }
    };
    let result = tokio::select! {
        biased;
        result = &mut connection => result,
        () = async { tokio::select! { () = worker.drained() => {}, () = silence => {} } } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended early");
    }
}
