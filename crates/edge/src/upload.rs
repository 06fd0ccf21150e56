//! A request's body on its way to the server; after `Expect: 100-continue` it waits for the server's word.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

/// A server that says nothing about an expected body for this long gets it anyway, as clients do it.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) struct Upload {
    /// `None` for a request whose head is all there is.
    body: Option<Incoming>,
    gate: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Upload {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body: Some(body).filter(|body| !body.is_end_stream()), gate: None }
    }

    pub(crate) fn empty() -> Self {
        Self { body: None, gate: None }
    }
}

/// Lets the body of `request` wait for `100 Continue` where the client does. The client is told to go on
/// when its body is first read, so that a server can refuse a large body before it is sent.
pub(crate) fn wait_if_expected(request: &mut Request<Upload>) {
    let expects = request.headers().get(header::EXPECT);
    if !expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
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
        match &mut this.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Incoming::size_hint)
    }
}
