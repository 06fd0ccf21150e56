//! The routes as they stand: one immutable snapshot, replaced whole; what is known of a server survives it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::HeaderValue;

use crate::config::{Server, Url};

/// All routes, in the file's order.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) routes: Vec<Arc<Route>>,
}

impl Fleet {
    /// The routes to `servers`; one that is unchanged stays the same object.
    pub(crate) fn new(servers: Vec<Server>, before: &Self) -> Self {
        let route = |server: Server| {
            let same = before.routes.iter().find(|it| it.slug == server.slug && it.url == server.url);
            same.cloned().unwrap_or_else(|| Arc::new(Route::new(server)))
        };
        Self { routes: servers.into_iter().map(route).collect() }
    }

    /// The slugs there are.
    pub(crate) fn slugs(&self) -> Vec<String> {
        self.routes.iter().map(|route| route.slug.clone()).collect()
    }
}

/// The way to one server.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) slug: String,
    pub(crate) url: Url,
    /// The server's own `Host`.
    pub(crate) host: HeaderValue,
    /// `/{slug}`, what the server's paths lack.
    pub(crate) prefix: HeaderValue,
    reached: Reached,
}

impl Route {
    fn new(Server { slug, url }: Server) -> Self {
        let value =
            |text: &str| HeaderValue::from_str(text).expect("slugs and authorities are visible ASCII");
        let (host, prefix) = (value(url.authority.as_str()), value(&format!("/{slug}")));
        Self { slug, url, host, prefix, reached: Reached::default() }
    }

    /// A connection was made. Logs only the change.
    pub(crate) fn up(&self) {
        if self.reached.state.swap(UP, Ordering::Relaxed) == DOWN {
            tracing::info!(slug = self.slug, "server takes connections again");
        }
    }

    /// No connection could be made. Logs only the change.
    pub(crate) fn down(&self, why: &str) {
        *self.reached.failure.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), why.to_owned()));
        if self.reached.state.swap(DOWN, Ordering::Relaxed) != DOWN {
            let authority = self.url.authority.as_str();
            tracing::warn!(slug = self.slug, authority, error = why, "server takes no connections");
        }
    }

    /// `Ok` for a server that is up or was never tried; the message says which.
    pub(crate) fn state(&self) -> Result<&'static str, String> {
        match self.reached.state.load(Ordering::Relaxed) {
            UP => Ok("took the last connection"),
            DOWN => {
                let failure = self.reached.failure.lock().unwrap_or_else(PoisonError::into_inner);
                let (at, why) =
                    failure.as_ref().map_or((Instant::now(), ""), |(at, why)| (*at, why.as_str()));
                Err(format!("the last connection failed {} s ago: {why}", at.elapsed().as_secs()))
            }
            _ => Ok("not tried yet"),
        }
    }
}

/// What the last attempt to connect found, over all threads. It is touched when connecting, not per request.
#[derive(Debug, Default)]
struct Reached {
    state: AtomicU8,
    failure: Mutex<Option<(Instant, String)>>,
}

const UP: u8 = 1;
const DOWN: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_route_keeps_what_is_known_of_it() {
        let parse = |text: &str| crate::config::parse(text).expect("legal");
        let alpha = "[[server]]\nslug='alpha'\nurl='http://h:1'\n";
        let first = Fleet::new(
            parse(&format!("{alpha}[[server]]\nslug='beta'\nurl='http://h:2'")),
            &Fleet::default(),
        );
        first.routes.iter().for_each(|route| route.down("refused"));
        let second = Fleet::new(parse(&format!("{alpha}[[server]]\nslug='beta'\nurl='http://h:3'")), &first);
        assert!(second.routes[0].state().expect_err("still down").contains("refused"));
        assert_eq!(second.routes[1].state(), Ok("not tried yet"));
        second.routes[0].up();
        assert_eq!(second.routes[0].state(), Ok("took the last connection"));
    }
}
