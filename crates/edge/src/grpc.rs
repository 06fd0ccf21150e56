//! gRPC: which server a call is for, although its path has no room to say so, and errors as gRPC has them.

use http::header::{self, HeaderMap, HeaderName};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use kit::ToolError;
use kit::auth::Principal;
use tonic::Status;

use crate::answer::{Answer, Call};
use crate::error::Error;
use crate::fate::Fate;
use crate::peer::Peer;
use crate::replica::Replica;
use crate::upload::Upload;
use crate::worker::Worker;
use crate::{headers, path};

/// The metadata that names the server of a call.
const SLUG: HeaderName = HeaderName::from_static("gantry-slug");
/// Health and reflection: calls of these may stay open for whatever may happen.
const STANDING: &str = "/grpc.";

/// Whether the request is a call: gRPC is HTTP/2 with this media type, which gRPC-Web is not.
pub(crate) fn is_call<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_2
        && request.headers().get(header::CONTENT_TYPE).is_some_and(|media| {
            let rest = media.as_bytes().strip_prefix(b"application/grpc");
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
        })
}

/// Passes a call on.
pub(crate) async fn forward(
    worker: &Worker,
    peer: &Peer,
    request: Request<Upload>,
    caller: Option<Principal>,
    fate: &mut Fate,
) -> Result<Response<Answer>, Error> {
    let flying = worker.flight.begin();
    let (mut parts, body) = request.into_parts();
    let uri = std::mem::take(&mut parts.uri);
    let upstream = match (parts.headers.get(SLUG), uri.authority().and_then(first_label)) {
        (Some(slug), _) => worker.upstream(&String::from_utf8_lossy(slug.as_bytes()))?,
        (None, label) => label
            .and_then(|label| worker.upstream(label).ok())
            .ok_or_else(|| Error::NoSlug { slugs: worker.fleet().slugs() })?,
    };
    fate.is_for(worker, &upstream, &mut parts);
    headers::to_server(&mut parts, peer, &upstream.route, &upstream.route.replicas[0])?;
    worker.identity().vouch(caller.as_ref(), &upstream.route.slug, &mut parts.headers);
    for name in [header::HOST, header::CONNECTION, headers::X_FORWARDED_PREFIX] {
        parts.headers.remove(name);
    }
    parts.extensions.clear();
    let target = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    if path::climbs(target.path()) {
        return Err(Error::Climbs);
    }
    let cut = target.path().starts_with(STANDING).then(|| Box::pin(worker.flight.until_cut()));
    let request = Request::from_parts(parts, body);
    let mut response = upstream.call(&target, request).await?;
    headers::to_client(response.headers_mut());
    let slug = upstream.route.slug.clone();
    Ok(response.map(|body| Answer::Call(Box::new(Call::new(body, slug, cut, flying)))))
}

/// What a call of this path is asked of a replica as.
pub(crate) fn target(replica: &Replica, target: &PathAndQuery) -> Result<Uri, Error> {
    Uri::builder()
        .scheme(if replica.url.tls { Scheme::HTTPS } else { Scheme::HTTP })
        .authority(replica.url.authority.clone())
        .path_and_query(path::join(&replica.url.base, target.as_str()))
        .build()
        .map_err(|_| Error::Climbs)
}

fn first_label(authority: &Authority) -> Option<&str> {
    authority.host().split('.').next()
}

/// The error as an answer to a call.
pub(crate) fn refusal(error: &ToolError) -> Response<Answer> {
    Status::from(error).into_http::<http_body_util::Full<bytes::Bytes>>().map(Answer::Own)
}

/// The error as the end of an answer that has begun.
pub(crate) fn trailers(error: &ToolError) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if let Err(status) = Status::from(error).add_header(&mut trailers) {
        tracing::error!(%status, "a status could not be written");
    }
    trailers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_by_version_and_media_type() {
        let request = |version, media: &str| {
            Request::builder().version(version).header("content-type", media).body(()).expect("request")
        };
        for media in ["application/grpc", "application/grpc+proto", "application/grpc;charset=x"] {
            assert!(is_call(&request(Version::HTTP_2, media)), "{media}");
            assert!(!is_call(&request(Version::HTTP_11, media)), "{media}");
        }
        for media in ["application/grpc-web", "application/grpc-web+proto", "application/json", ""] {
            assert!(!is_call(&request(Version::HTTP_2, media)), "{media}");
        }
    }

    #[test]
    fn the_first_label_names_the_server() {
        for (authority, label) in
            [("alpha.gantry.example:8080", "alpha"), ("alpha", "alpha"), ("[::1]:8080", "[::1]")]
        {
            assert_eq!(first_label(&authority.parse().expect("authority")), Some(label));
        }
    }
}
