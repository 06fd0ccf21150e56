//! One thread's way to a server: which of its replicas a request goes to, and to which next when that is down.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderName, Method, Request, Response, Uri, header, request};
use tokio::task::spawn_local;

use crate::error::Error;
use crate::fleet::Route;
use crate::path;
use crate::pool::{Limits, Pool};
use crate::relay::Relay;
use crate::replica::Replica;
use crate::sticky::{self, Scout};
use crate::upload::Upload;

const MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

pub(crate) struct Upstream {
    pub(crate) route: Arc<Route>,
    /// In the route's order.
    pools: Vec<Rc<Pool>>,
    /// Where the search for the least busy begins, so that equals take turns.
    turn: Cell<usize>,
}

impl Upstream {
    /// Takes over the connections to replicas that `before` had, too.
    pub(crate) fn new(route: Arc<Route>, before: Option<&Self>, limits: Limits) -> Self {
        let pool = |replica: &Arc<Replica>| {
            let kept = before.and_then(|it| it.pools.iter().find(|it| Arc::ptr_eq(&it.replica, replica)));
            kept.cloned().unwrap_or_else(|| Rc::new(Pool::new(replica.clone(), limits)))
        };
        let pools = route.replicas.iter().map(pool).collect();
        Self { route, pools, turn: Cell::default() }
    }

    /// Whether there is a choice.
    pub(crate) fn has_choice(&self) -> bool {
        self.pools.len() > 1
    }

    /// The replica for a request: the one that holds its session, else the least busy. `rest` is what follows
    /// the slug in the request's target.
    pub(crate) fn pick(&self, parts: &request::Parts, rest: &str) -> usize {
        if !self.has_choice() {
            return 0;
        }
        self.holder(parts, rest).or_else(|| self.least_busy(0)).unwrap_or(0)
    }

    pub(crate) fn replica(&self, index: usize) -> &Arc<Replica> {
        &self.pools[index].replica
    }

    /// Sends `request` to the replica `first`, and on to others where it can be. Gives the answer's head and
    /// the replica that gave it.
    pub(crate) async fn send(
        &self,
        first: usize,
        rest: &str,
        mut request: Request<Upload>,
    ) -> Result<(Response<Relay>, &Arc<Replica>), Error> {
        let (mut index, mut tried) = (first, 0_u64);
        loop {
            let pool = &self.pools[index];
            match pool.send(request, self.has_choice()).await {
                Ok(response) => return Ok((response, &pool.replica)),
                Err(lost) => {
                    tried |= 1 << index;
                    let (Some(again), Some(next)) = (lost.again, self.least_busy(tried)) else {
                        return Err(lost.error);
                    };
                    index = next;
                    request = *again;
                    let replica = self.replica(index);
                    *request.uri_mut() = target(replica, rest)?;
                    request.headers_mut().insert(header::HOST, replica.host.clone());
                }
            }
        }
    }

    /// Notes which replica has opened a session, where that matters.
    pub(crate) fn note_session<B>(&self, response: &Response<B>, replica: &Replica) {
        if self.has_choice()
            && let Some(session) = response.headers().get(MCP_SESSION_ID)
        {
            self.route.sticky.remember(session.as_bytes(), replica.id);
        }
    }

    /// Notes the session of an event stream, where that matters.
    pub(crate) fn scout(&self, replica: &Replica) -> Option<Box<Scout>> {
        self.has_choice().then(|| Box::new(Scout::new(self.route.sticky.clone(), replica.id)))
    }

    /// Closes connections of no more use, and looks after replicas that are down.
    pub(crate) fn tidy(&self) {
        for pool in &self.pools {
            pool.tidy();
            if self.has_choice() && pool.replica.is_down() {
                spawn_local(pool.clone().probe());
            }
        }
    }

    fn holder(&self, parts: &request::Parts, rest: &str) -> Option<usize> {
        let session = match parts.headers.get(MCP_SESSION_ID) {
            Some(session) => session.as_bytes(),
            None if parts.method == Method::POST => sticky::address(rest)?.as_bytes(),
            None => return None,
        };
        let id = self.route.sticky.replica(session)?;
        self.pools.iter().position(|pool| pool.replica.id == id)
    }

    /// Among those not `tried`; one that is known to be down only if all are.
    fn least_busy(&self, tried: u64) -> Option<usize> {
        let count = self.pools.len();
        let first = self.turn.replace(self.turn.get().wrapping_add(1)) % count;
        (first..count)
            .chain(0..first)
            .filter(|index| tried & (1 << index) == 0)
            .min_by_key(|index| (self.pools[*index].replica.is_down(), self.pools[*index].busy()))
    }
}

/// What to ask a replica for.
pub(crate) fn target(replica: &Replica, rest: &str) -> Result<Uri, Error> {
    path::join(&replica.url.base, rest).parse::<PathAndQuery>().map(Uri::from).map_err(|_| Error::Climbs)
}
