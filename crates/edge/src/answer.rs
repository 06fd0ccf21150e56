//! The two kinds of answers: the edge's own, which are short JSON, and those of servers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use kit::ToolError;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::error::Error;
use crate::grpc;
use crate::pool::Called;
use crate::relay::Relay;
use crate::sticky::Scout;

/// The body of an answer.
pub(crate) enum Answer {
    Own(Full<Bytes>),
    Relayed {
        body: Relay,
        /// Says by its end that the answer has ended.
        _flying: TaskTrackerToken,
    },
    /// A stream of events without an end of its own; a client whose stream ended asks for another.
    Endless {
        body: Relay,
        cut: Pin<Box<WaitForCancellationFutureOwned>>,
        /// Waits for the address that the stream's session is spoken to at.
        scout: Option<Box<Scout>>,
    },
    Call(Box<Call>),
}

/// The answer to a gRPC call. One that breaks off ends with a status, as its client expects.
pub(crate) struct Call {
    called: Called,
    slug: String,
    /// For a call without an end of its own.
    cut: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Nothing more comes.
    over: bool,
    _flying: TaskTrackerToken,
}

impl Call {
    pub(crate) fn new(
        called: Called,
        slug: String,
        cut: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
        flying: TaskTrackerToken,
    ) -> Self {
        Self { called, slug, cut, over: false, _flying: flying }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let cut = self.cut.as_mut().is_some_and(|cut| cut.as_mut().poll(cx).is_ready());
        let error = if cut {
            Error::Stopping
        } else {
            match ready!(Pin::new(&mut self.called.body).poll_frame(cx)) {
                Some(Ok(frame)) => return Poll::Ready(Some(frame)),
                None => return Poll::Ready(None),
                Some(Err(source)) => Error::Broken { slug: self.slug.clone(), source },
            }
        };
        self.over = true;
        let error = ToolError::from(error);
        tracing::debug!(error = %error, cause = error.source_chain(), "a call was ended");
        Poll::Ready(Some(Frame::trailers(grpc::trailers(&error))))
    }
}

/// An answer, and the place that its request has until it ends.
pub(crate) struct Placed {
    pub(crate) body: Answer,
    pub(crate) _place: Option<OwnedSemaphorePermit>,
}

impl Body for Placed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A JSON answer of the edge's own.
pub(crate) fn json(status: StatusCode, text: String) -> Response<Answer> {
    let mut response = Response::new(Answer::Own(Full::new(text.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The error in the shape that it has on every door, or as the status of a gRPC call.
pub(crate) fn refusal(error: Error, is_call: bool) -> Response<Answer> {
    let (status, challenge) = (error.status(), error.challenge());
    let error = ToolError::from(error);
    tracing::debug!(status = status.as_u16(), error = %error, cause = error.source_chain(), "answered for itself");
    if is_call {
        return grpc::refusal(&error);
    }
    let mut response = json(status, error.to_json());
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    if let Some(challenge) = challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Relayed { body, .. } => Pin::new(body).poll_frame(cx),
            Self::Endless { body, cut, scout } => {
                if cut.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                let part = ready!(Pin::new(body).poll_frame(cx));
                if let (Some(Ok(frame)), Some(at_work)) = (&part, scout.as_mut())
                    && at_work.look(frame).is_break()
                {
                    *scout = None;
                }
                Poll::Ready(part)
            }
            Self::Call(call) => call.poll_frame(cx).map(|frame| frame.map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Relayed { body, .. } | Self::Endless { body, .. } => body.is_end_stream(),
            Self::Call(call) => call.over || call.called.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Relayed { body, .. } | Self::Endless { body, .. } => body.size_hint(),
            Self::Call(_) => SizeHint::default(),
        }
    }
}
