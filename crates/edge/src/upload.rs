//! A request's body on its way to the server; after `Expect: 100-continue` it waits for the server's word.
//! What no server takes is still heard out: a connection closed on a client that sends loses it the answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Version, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::patience::Sign;

/// A server that says nothing about an expected body for this long gets it anyway, as clients do it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a client may go on sending what nobody takes.
const HEARING: Duration = Duration::from_secs(10);

pub(crate) struct Upload {
    /// `None` for a request whose head is all there is.
    body: Option<Incoming>,
    /// The client sends nothing until it is told to go on, which reading does.
    held: bool,
    /// Whether the client reads an answer only once it has sent everything.
    wants_ear: bool,
    gate: Option<Pin<Box<dyn Future<Output = ()>>>>,
    sign: Option<Sign>,
}

impl Upload {
    /// The request with its body as an upload.
    pub(crate) fn of(request: Request<Incoming>) -> Request<Self> {
        let held = request.version() != Version::HTTP_10 && expects(request.headers());
        let body = |body: Incoming| Some(body).filter(|body| !body.is_end_stream());
        let wants_ear = request.version() != Version::HTTP_2;
        request.map(|it| Self { body: body(it), held, wants_ear, gate: None, sign: None })
    }

    pub(crate) fn empty() -> Self {
        Self { body: None, held: false, wants_ear: false, gate: None, sign: None }
    }

    /// Gives `sign` of every part that goes on its way.
    pub(crate) fn watch(&mut self, sign: &Sign) {
        if self.body.is_some() {
            self.sign = Some(sign.clone());
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && !body.is_end_stream()
            && !self.held
            && self.wants_ear
            && Handle::try_current().is_ok()
        {
            tokio::task::spawn_local(hear_out(body));
        }
    }
}

async fn hear_out(mut body: Incoming) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(HEARING, rest).await;
}

fn expects(headers: &HeaderMap) -> bool {
    let expects = headers.get(header::EXPECT);
    expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Lets the body of `request` wait for `100 Continue` where the client does. The client is told to go on
/// when its body is first read, so that a server can refuse a large body before it is sent.
pub(crate) fn wait_if_expected(request: &mut Request<Upload>) {
    if !expects(request.headers()) {
        return;
    }
    let told = CancellationToken::new();
    let heard = told.clone();
    hyper::ext::on_informational(request, move |response| {
        if response.status() == http::StatusCode::CONTINUE {
            told.cancel();
        }
    });
    request.body_mut().gate = Some(Box::pin(async move {
        let _ = tokio::time::timeout(PATIENCE, heard.cancelled()).await;
    }));
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Some(gate) = &mut this.gate {
            ready!(gate.as_mut().poll(cx));
            this.gate = None;
        }
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        this.held = false;
        let part = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(part, Some(Ok(_))) {
            this.body = None;
        }
        if let Some(sign) = &this.sign {
            sign.of_life();
        }
        Poll::Ready(part)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Incoming::size_hint)
    }
}
