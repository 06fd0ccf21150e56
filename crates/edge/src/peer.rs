//! The client at the other end of a connection, and what need not be worked out again for its next request.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;

use http::{HeaderMap, HeaderValue, Uri, header};
use kit::{Guard, ToolError};

pub(crate) struct Peer {
    /// `X-Forwarded-For`.
    pub(crate) address: HeaderValue,
    /// `for=…` of RFC 7239.
    node: String,
    /// `X-Forwarded-Proto`.
    pub(crate) scheme: &'static str,
    last: RefCell<Option<Last>>,
    /// Whether its last request was HTTP/1.0.
    pub(crate) is_old: Cell<bool>,
    /// Whether a request has begun since this was looked at.
    pub(crate) heard: Cell<bool>,
}

/// The last `Host`, which the guard let pass, and the `Forwarded` that belongs to it.
struct Last {
    host: HeaderValue,
    forwarded: HeaderValue,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr, scheme: &'static str) -> Self {
        let address = address.ip().to_canonical();
        let node = if address.is_ipv6() { format!("for=\"[{address}]\"") } else { format!("for={address}") };
        let address = HeaderValue::from_str(&address.to_string()).expect("addresses are ASCII");
        Self {
            address,
            node,
            scheme,
            last: RefCell::default(),
            is_old: Cell::default(),
            heard: Cell::default(),
        }
    }

    /// Asks the guard, unless it has let the same `Host` pass before and there is nothing else to ask about: the page
    /// that a request comes from is another with each.
    pub(crate) fn check(&self, guard: &Guard, uri: &Uri, headers: &HeaderMap) -> Result<(), ToolError> {
        let mut hosts = headers.get_all(header::HOST).iter();
        if let (Some(host), None) = (hosts.next(), hosts.next())
            && self.last.borrow().as_ref().is_some_and(|last| last.host == host)
            && !headers.contains_key(header::ORIGIN)
            && !headers.contains_key("sec-fetch-site")
        {
            return Ok(());
        }
        guard.check(uri, headers)?;
        if let Some(host) = headers.get(header::HOST) {
            // It was read as an authority, so there is nothing to escape in it.
            let text =
                format!("{};host=\"{}\";proto={}", self.node, host.to_str().unwrap_or_default(), self.scheme);
            let forwarded = HeaderValue::try_from(text).expect("visible ASCII");
            *self.last.borrow_mut() = Some(Last { host: host.clone(), forwarded });
        }
        Ok(())
    }

    /// The next request's host is nobody's business.
    pub(crate) fn is_unchecked(&self) {
        *self.last.borrow_mut() = None;
    }

    /// `Forwarded` for a request that was checked.
    pub(crate) fn forwarded(&self) -> Option<HeaderValue> {
        self.last.borrow().as_ref().map(|last| last.forwarded.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::Code;

    fn ask(peer: &Peer, pairs: &[(header::HeaderName, &str)]) -> Result<(), Code> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value.parse().expect("value"));
        }
        peer.check(&Guard::default(), &Uri::from_static("/x"), &headers).map_err(|error| error.code)
    }

    #[test]
    fn a_known_host_vouches_for_nothing_else() {
        let peer = Peer::new("[::ffff:192.0.2.1]:9".parse().expect("address"), "http");
        let local = (header::HOST, "localhost:1");
        assert_eq!(ask(&peer, &[]), Err(Code::ValidationError));
        assert_eq!(ask(&peer, &[(header::HOST, "")]), Err(Code::ValidationError));
        assert_eq!(ask(&peer, std::slice::from_ref(&local)), Ok(()));
        assert_eq!(peer.forwarded().expect("checked"), "for=192.0.2.1;host=\"localhost:1\";proto=http");
        assert_eq!(ask(&peer, std::slice::from_ref(&local)), Ok(()));
        for second in [(header::HOST, "evil.example"), (header::HOST, "localhost:1")] {
            assert_eq!(ask(&peer, &[local.clone(), second]), Err(Code::ValidationError));
        }
        assert_eq!(ask(&peer, &[(header::HOST, "evil.example")]), Err(Code::Forbidden));
        assert_eq!(
            ask(&peer, &[local.clone(), (header::ORIGIN, "http://evil.example")]),
            Err(Code::Forbidden)
        );
        assert_eq!(ask(&peer, &[local.clone(), (header::ORIGIN, "http://localhost:5")]), Ok(()));
        let site = |site| (header::HeaderName::from_static("sec-fetch-site"), site);
        assert_eq!(ask(&peer, &[local.clone(), site("cross-site")]), Err(Code::Forbidden));
        assert_eq!(ask(&peer, &[local.clone(), site("same-origin")]), Ok(()));
        assert_eq!(ask(&peer, &[]), Err(Code::ValidationError));
    }
}
