//! The routes as they stand: one immutable snapshot, replaced whole; what is known of a server survives it.

use std::sync::Arc;

use http::HeaderValue;

use crate::config::Server;
use crate::replica::Replica;
use crate::sticky::Sticky;

/// All routes, in the file's order.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) routes: Vec<Arc<Route>>,
}

impl Fleet {
    /// The routes to `servers`; one that is unchanged stays the same object.
    pub(crate) fn new(servers: Vec<Server>, before: &Self) -> Self {
        let route = |server: Server| {
            let old = before.routes.iter().find(|it| it.slug == server.slug);
            match old.filter(|old| old.is(&server)) {
                Some(same) => same.clone(),
                None => Arc::new(Route::new(server, old)),
            }
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
    /// At least one.
    pub(crate) replicas: Vec<Arc<Replica>>,
    /// `/{slug}`, what the server's paths lack.
    pub(crate) prefix: HeaderValue,
    /// Whether callers may send their own credential for the server's upstream.
    pub(crate) upstream_authorization: bool,
    /// Which replica holds which session.
    pub(crate) sticky: Arc<Sticky>,
}

impl Route {
    fn new(Server { slug, urls, upstream_authorization }: Server, old: Option<&Arc<Self>>) -> Self {
        let prefix = HeaderValue::from_str(&format!("/{slug}")).expect("slugs are visible ASCII");
        let replica = |url| {
            let same = old.and_then(|old| old.replicas.iter().find(|it| it.url == url));
            same.cloned().unwrap_or_else(|| Arc::new(Replica::new(&slug, url)))
        };
        let replicas = urls.into_iter().map(replica).collect();
        let sticky = old.map(|old| old.sticky.clone()).unwrap_or_default();
        Self { slug, replicas, prefix, upstream_authorization, sticky }
    }

    /// Whether nothing has changed.
    fn is(&self, server: &Server) -> bool {
        self.upstream_authorization == server.upstream_authorization
            && self.replicas.iter().map(|replica| &replica.url).eq(&server.urls)
    }

    /// `Ok` when every replica is up or was never tried; the message says what is known.
    pub(crate) fn state(&self) -> Result<String, String> {
        let down: Vec<_> = self.replicas.iter().filter_map(|it| it.state().err()).collect();
        match (down.as_slice(), self.replicas.as_slice()) {
            ([], [one]) => one.state().map(str::to_owned),
            ([], many) => Ok(format!("none of {} replicas is known to be down", many.len())),
            ([why], [_]) => Err(why.clone()),
            ([why, ..], many) => Err(format!("{} of {} replicas: {why}", down.len(), many.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<Server> {
        crate::config::parse(text).expect("legal")
    }

    #[test]
    fn an_unchanged_route_keeps_what_is_known_of_it() {
        let alpha = "[[server]]\nslug='alpha'\nurl='http://h:1'\n";
        let first = Fleet::new(
            parse(&format!("{alpha}[[server]]\nslug='beta'\nurl='http://h:2'")),
            &Fleet::default(),
        );
        first.routes.iter().for_each(|route| route.replicas[0].down("refused"));
        let second = Fleet::new(parse(&format!("{alpha}[[server]]\nslug='beta'\nurl='http://h:3'")), &first);
        assert!(Arc::ptr_eq(&first.routes[0], &second.routes[0]));
        assert!(second.routes[0].state().expect_err("still down").contains("refused"));
        assert_eq!(second.routes[1].state(), Ok("not tried yet".to_owned()));
        second.routes[0].replicas[0].up();
        assert_eq!(second.routes[0].state(), Ok("took the last connection".to_owned()));
    }

    #[test]
    fn replicas_come_and_go_and_the_others_stay() {
        let first =
            Fleet::new(parse("[[server]]\nslug='a'\nurls=['http://h:1', 'http://h:2']"), &Fleet::default());
        first.routes[0].replicas[1].down("refused");
        assert_eq!(
            first.routes[0].state(),
            Err("1 of 2 replicas: the last connection failed 0 s ago: refused".to_owned())
        );
        let second = Fleet::new(parse("[[server]]\nslug='a'\nurls=['http://h:2', 'http://h:3']"), &first);
        let (before, after) = (&first.routes[0], &second.routes[0]);
        assert!(Arc::ptr_eq(&before.replicas[1], &after.replicas[0]) && after.replicas[0].is_down());
        assert!(Arc::ptr_eq(&before.sticky, &after.sticky), "sessions are still known");
        assert_ne!(after.replicas[1].id, before.replicas[0].id);
    }
}
