//! One request's way through: what the edge refuses or answers itself, and what it sends on.

use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use kit::auth::{Principal, WELL_KNOWN};

use crate::answer::{Answer, refusal};
use crate::error::Error;
use crate::fate::Fate;
use crate::peer::Peer;
use crate::upload::{self, Upload};
use crate::worker::Worker;
use crate::{grpc, headers, own, path, upstream};

/// Answers one request.
pub(crate) async fn serve(worker: &Worker, peer: &Peer, request: Request<Incoming>) -> Response<Answer> {
    peer.is_old.set(request.version() == Version::HTTP_10);
    let is_call = grpc::is_call(&request);
    let mut fate = Fate::default();
    let response = match answer(worker, peer, Upload::of(request), is_call, &mut fate).await {
        Ok(response) => response,
        Err(error) => refusal(error, is_call),
    };
    fate.answered(worker, &response);
    response
}

async fn answer(
    worker: &Worker,
    peer: &Peer,
    mut request: Request<Upload>,
    is_call: bool,
    fate: &mut Fate,
) -> Result<Response<Answer>, Error> {
    if let Some(response) = own::health_route(worker, &request) {
        return response;
    }
    // A target that names a host has the last word on it (RFC 9112, 3.2.2).
    if let Some(authority) = request.uri().authority() {
        let host = HeaderValue::from_str(authority.as_str()).expect("authorities are visible ASCII");
        request.headers_mut().insert(header::HOST, host);
    }
    if let Some(asked) = request.uri().path().strip_prefix(WELL_KNOWN).filter(|it| it.starts_with('/')) {
        return match own::document(worker, asked, &request) {
            Some(response) => response,
            None => Box::pin(forward_document(worker, peer, request, fate)).await,
        };
    }
    peer.check(worker.guard(), request.uri(), request.headers())?;
    headers::check(&request)?;
    // Boxed, so that requests without it carry no room for it.
    let caller = match worker.identity().is_on() {
        true => Some(Box::pin(worker.identity().admit(&mut request)).await?),
        false => None,
    };
    if is_call {
        return Box::pin(grpc::forward(worker, peer, request, caller, fate)).await;
    }
    if let Some(response) = own::page(worker, &request) {
        return response;
    }
    forward(worker, peer, request, caller, fate).await
}

/// The document of a protected resource lies at the root of the edge, and at the root of its server (RFC 9728, 3.1).
/// Whoever has no key yet must be able to read it.
async fn forward_document(
    worker: &Worker,
    peer: &Peer,
    mut request: Request<Upload>,
    fate: &mut Fate,
) -> Result<Response<Answer>, Error> {
    let target = request.uri().path_and_query().map_or("", PathAndQuery::as_str);
    let (slug, rest) = target.strip_prefix(WELL_KNOWN).and_then(path::split).unwrap_or_default();
    // Whatever else the server has is not for those whose host nobody looked at.
    if path::climbs(rest) {
        return Err(Error::Climbs);
    }
    let target = format!("/{slug}{WELL_KNOWN}{rest}");
    *request.uri_mut() = target.parse().map_err(|_| Error::Climbs)?;
    headers::check(&request)?;
    peer.is_unchecked();
    forward(worker, peer, request, None, fate).await
}

async fn forward(
    worker: &Worker,
    peer: &Peer,
    request: Request<Upload>,
    caller: Option<Principal>,
    fate: &mut Fate,
) -> Result<Response<Answer>, Error> {
    let flying = worker.flight.begin();
    let (mut parts, body) = request.into_parts();
    let uri = std::mem::take(&mut parts.uri);
    let target = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let (slug, rest) = path::split(target).unwrap_or((target, ""));
    let upstream = worker.upstream(slug)?;
    fate.is_for(worker, &upstream, &mut parts);
    if path::climbs(rest) {
        return Err(Error::Climbs);
    }
    let first = upstream.pick(&parts, rest);
    let session = upstream.session_of(&parts);
    let replica = upstream.replica(first);
    parts.uri = upstream::target(replica, rest)?;
    let listens = listens(&parts.method, &parts.headers);
    headers::to_server(&mut parts, peer, &upstream.route, replica)?;
    worker.identity().vouch(caller.as_ref(), slug, &mut parts.headers);
    if body.size_hint().exact().is_none() {
        // Said outright, because a GET's body would be taken for empty otherwise.
        parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let mut request = Request::from_parts(parts, body);
    upload::wait_if_expected(&mut request);
    let (mut response, replica) = upstream.send(first, rest, request).await?;
    upstream.note_session(session, &response, replica);
    *response.version_mut() = Version::HTTP_11;
    headers::to_client(response.headers_mut());
    let endless = listens && is_event_stream(response.headers());
    Ok(response.map(|body| match endless {
        true => {
            let cut = Box::pin(worker.flight.until_cut());
            Answer::Endless { body, cut, scout: upstream.scout(replica) }
        }
        false => Answer::Relayed { body, _flying: flying },
    }))
}

/// Whether the request is one that MCP keeps open for whatever may happen; other streams are of one call,
/// and end with it.
fn listens(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::GET || headers.get("mcp-method").is_some_and(|it| it == "subscriptions/listen")
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let media =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.as_bytes().split(|it| *it == b';').next());
    media.is_some_and(|media| media.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}
