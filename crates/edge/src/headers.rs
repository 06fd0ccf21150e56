//! What a proxy must change in headers: connection-level ones end here, forwarding ones begin here.
//!
//! The client's own `Forwarded` and `X-Forwarded-*` are replaced, not extended: whoever reaches the edge may
//! have made them up, and servers log and limit by them.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Version, request};
use kit::auth::{upstream, vouch};

use crate::error::Error;
use crate::fleet::Route;
use crate::peer::Peer;
use crate::replica::Replica;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// How many headers the edge adds.
const ADDED: usize = 8;

/// Refuses what would need more than passing bytes on.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Error> {
    let headers = request.headers();
    if request.method() == http::Method::CONNECT {
        return Err(Error::Upgrade("CONNECT".into()));
    }
    // h2c is an offer that a server may ignore, and Java's client makes it with every first request.
    if let Some(protocol) = headers.get(header::UPGRADE)
        && lists(headers, header::CONNECTION).any(|name| name.eq_ignore_ascii_case(b"upgrade"))
        && !protocol.as_bytes().eq_ignore_ascii_case(b"h2c")
    {
        return Err(Error::Upgrade(String::from_utf8_lossy(protocol.as_bytes()).into_owned()));
    }
    if has_strange_coding(headers) { Err(Error::TransferCoding) } else { Ok(()) }
}

/// Whether the body has a transfer coding besides chunked, which would be lost on the way.
pub(crate) fn has_strange_coding(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        && !lists(headers, header::TRANSFER_ENCODING).all(|coding| coding.eq_ignore_ascii_case(b"chunked"))
}

/// Makes the client's headers the edge's own towards the server.
///
/// # Errors
/// For what a client may not send, or not to this server: without it the request would be made as somebody else.
pub(crate) fn to_server(
    parts: &mut request::Parts,
    peer: &Peer,
    route: &Route,
    replica: &Replica,
) -> Result<(), Error> {
    let headers = &mut parts.headers;
    let trailers = lists(headers, header::TE).any(|it| it.eq_ignore_ascii_case(b"trailers"));
    let mut refusal = None;
    remove(headers, |name| {
        if name == vouch::HEADER.as_str() {
            refusal = Some(Error::Principal);
        } else if name == upstream::HEADER.as_str() && !route.upstream_authorization {
            refusal = Some(Error::UpstreamAuthorization { slug: route.slug.clone() });
        }
        is_of_one_hop(name) || is_forwarding(name) || name == "gantry-slug"
    });
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    headers.reserve(ADDED);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
    if let Some(host) = headers.insert(header::HOST, replica.host.clone()) {
        headers.insert(X_FORWARDED_HOST, host);
    }
    if let Some(forwarded) = peer.forwarded() {
        headers.insert(header::FORWARDED, forwarded);
    }
    headers.insert(X_FORWARDED_FOR, peer.address.clone());
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(peer.scheme));
    headers.insert(X_FORWARDED_PREFIX, route.prefix.clone());
    let via = match parts.version {
        Version::HTTP_10 => "1.0 gantry-edge",
        Version::HTTP_2 => "2.0 gantry-edge",
        _ => "1.1 gantry-edge",
    };
    headers.append(header::VIA, HeaderValue::from_static(via));
    crate::trace::ensure(headers);
    Ok(())
}

/// HTTP/2 may spread cookies over several headers, which HTTP/1.1 may not (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<_> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

/// Makes the server's headers the edge's own towards the client.
pub(crate) fn to_client(headers: &mut HeaderMap) {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        // It has the last word on where the answer ends (RFC 9112, 6.3).
        headers.remove(header::CONTENT_LENGTH);
    }
    remove(headers, is_of_one_hop);
}

/// Removes the headers that are `unwanted`, and those that `Connection` names as the connection's own.
fn remove(headers: &mut HeaderMap, mut unwanted: impl FnMut(&str) -> bool) {
    let mut names: Vec<_> = headers.keys().filter(|name| unwanted(name.as_str())).cloned().collect();
    if names.contains(&header::CONNECTION) {
        let named = lists(headers, header::CONNECTION);
        let named = named.filter(|name| !name.eq_ignore_ascii_case(b"keep-alive"));
        names.extend(named.filter_map(|name| HeaderName::from_bytes(name).ok()));
    }
    for name in names {
        headers.remove(name);
    }
}

fn is_of_one_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn is_forwarding(name: &str) -> bool {
    matches!(name, "forwarded" | "x-real-ip") || name.starts_with("x-forwarded-")
}

/// The members of a header that is a list, in bytes: one that is not ASCII must not hide the others.
fn lists(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Fleet;
    use kit::Guard;

    fn forwarded(version: Version, client: &str, pairs: &[(&str, &str)]) -> HeaderMap {
        let servers =
            crate::config::parse("[[server]]\nslug='alpha'\nurl='http://10.0.0.7:8001/b'").expect("legal");
        let fleet = Fleet::new(servers, &Fleet::default());
        let mut request = Request::builder().version(version);
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).expect("request").into_parts();
        let peer = Peer::new(client.parse().expect("address"), "http");
        peer.check(&Guard::new(["*".to_owned()], []), &parts.uri, &parts.headers).expect("any host");
        let route = &fleet.routes[0];
        to_server(&mut parts, &peer, route, &route.replicas[0]).expect("allowed");
        parts.headers
    }

    #[test]
    fn connection_headers_end_here() {
        let headers = forwarded(
            Version::HTTP_11,
            "192.0.2.1:999",
            &[
                ("host", "localhost:8080"),
                ("connection", "keep-alive, X-One"),
                ("connection", "x-two,, \u{e4}"),
                ("x-one", "1"),
                ("x-two", "2"),
                ("x-three", "3"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("proxy-authorization", "Basic eA=="),
                ("te", "gzip"),
                ("transfer-encoding", "chunked"),
                ("upgrade", "h2c"),
                ("authorization", "Bearer x"),
            ],
        );
        for name in ["x-one", "x-two", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade"] {
            assert!(!headers.contains_key(name), "{name}");
        }
        for name in ["connection", "te", "transfer-encoding"] {
            assert!(!headers.contains_key(name), "{name}");
        }
        assert_eq!(headers["x-three"], "3");
        assert_eq!(headers["authorization"], "Bearer x");
    }

    #[test]
    fn forwarding_headers_are_the_edges_own() {
        let spoofed = [
            ("host", "ops.example:8080"),
            ("connection", "x-forwarded-for, forwarded"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "1"),
            ("x-forwarded-prefix", "/evil"),
            ("x-real-ip", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
            ("via", "1.1 front"),
        ];
        let headers = forwarded(Version::HTTP_10, "[2001:db8::1]:1", &spoofed);
        let facts: Vec<_> = [
            "host",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-prefix",
            "forwarded",
        ]
        .map(|name| headers[name].to_str().expect("text").to_owned())
        .into();
        assert_eq!(
            facts,
            [
                "10.0.0.7:8001",
                "2001:db8::1",
                "ops.example:8080",
                "http",
                "/alpha",
                "for=\"[2001:db8::1]\";host=\"ops.example:8080\";proto=http",
            ]
        );
        assert!(!headers.contains_key("x-real-ip") && !headers.contains_key("x-forwarded-port"));
        assert_eq!(headers.get_all("via").iter().collect::<Vec<_>>(), ["1.1 front", "1.0 gantry-edge"]);
    }

    #[test]
    fn trailers_are_still_asked_for() {
        let headers = forwarded(Version::HTTP_11, "127.0.0.1:1", &[("host", "h"), ("te", "gzip, trailers")]);
        assert_eq!(
            (&headers["te"], &headers["connection"]),
            (&"trailers".parse().expect("value"), &"te".parse().expect("value"))
        );
    }

    #[test]
    fn upgrades_are_refused_but_offers_ignored() {
        let request = |connection: &str, upgrade: &str| {
            Request::builder()
                .header("connection", connection)
                .header("upgrade", upgrade)
                .body(())
                .expect("request")
        };
        assert!(matches!(check(&request("Upgrade", "websocket")), Err(Error::Upgrade(_))));
        assert!(matches!(check(&request("keep-alive, upgrade", "h2c, websocket")), Err(Error::Upgrade(_))));
        assert!(check(&request("Upgrade, HTTP2-Settings", "h2c")).is_ok());
        assert!(check(&request("close", "websocket")).is_ok());
        let coded =
            |value: &str| Request::builder().header("transfer-encoding", value).body(()).expect("request");
        assert!(matches!(check(&coded("gzip, chunked")), Err(Error::TransferCoding)));
        assert!(check(&coded("Chunked")).is_ok());
    }
}
