//! One thread's way to a server: which of its replicas a request goes to, and to which next when that is down.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, header, request};
use tokio::task::spawn_local;

use crate::dial::Dialer;
use crate::error::Error;
use crate::fleet::Route;
use crate::pool::{Called, Limits, Lost, Pool};
use crate::relay::Relay;
use crate::replica::Replica;
use crate::sticky::{self, Scout};
use crate::tally::{Board, Tally};
use crate::upload::Upload;
use crate::{grpc, path};

const MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

pub(crate) struct Upstream {
    pub(crate) route: Arc<Route>,
    /// In the route's order.
    pools: Vec<Rc<Pool>>,
    /// Where the search for the least busy begins, so that equals take turns.
    turn: Cell<usize>,
    pub(crate) tally: Arc<Tally>,
}

/// What a thread makes its ways to servers from.
pub(crate) struct Terms {
    pub(crate) dialer: Rc<Dialer>,
    pub(crate) limits: Limits,
    pub(crate) board: Board,
}

impl Upstream {
    /// Takes over the connections to replicas that `before` had, too.
    pub(crate) fn new(route: Arc<Route>, before: Option<&Self>, terms: &Terms) -> Self {
        let tally = before.map_or_else(|| terms.board.tally(&route.slug), |it| it.tally.clone());
        let pool = |replica: &Arc<Replica>| {
            let kept = before.and_then(|it| it.pools.iter().find(|it| Arc::ptr_eq(&it.replica, replica)));
            let pool = || Pool::new(replica.clone(), terms.dialer.clone(), terms.limits, tally.clone());
            kept.cloned().unwrap_or_else(|| Rc::new(pool()))
        };
        let pools = route.replicas.iter().map(pool).collect();
        Self { route, pools, turn: Cell::default(), tally }
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
        let (mut index, mut tried) = (first, 0);
        loop {
            let pool = &self.pools[index];
            match pool.send(request, self.has_choice()).await {
                Ok(response) => return Ok((response, &pool.replica)),
                Err(lost) => (request, index) = self.next(lost, index, &mut tried)?,
            }
            let replica = self.replica(index);
            *request.uri_mut() = target(replica, rest)?;
            request.headers_mut().insert(header::HOST, replica.host.clone());
        }
    }

    /// Sends a call to a replica, and on to others where it can be.
    pub(crate) async fn call(
        &self,
        target: &PathAndQuery,
        mut request: Request<Upload>,
    ) -> Result<Response<Called>, Error> {
        let (mut index, mut tried) = (self.least_busy(0).unwrap_or(0), 0);
        loop {
            *request.uri_mut() = grpc::target(self.replica(index), target)?;
            match self.pools[index].call(request).await {
                Ok(response) => return Ok(response),
                Err(lost) => (request, index) = self.next(lost, index, &mut tried)?,
            }
        }
    }

    /// What to ask which replica after `index` has failed, among those not `tried`.
    fn next(&self, lost: Lost, index: usize, tried: &mut u64) -> Result<(Request<Upload>, usize), Error> {
        *tried |= 1 << index;
        match (lost.again, self.least_busy(*tried)) {
            (Some(request), Some(next)) => Ok((*request, next)),
            _ => Err(lost.error),
        }
    }

    /// The session that a request belongs to, where that matters. Who is asked to end one that is not theirs may say
    /// that it is gone.
    pub(crate) fn session_of(&self, parts: &request::Parts) -> Option<HeaderValue> {
        let matters = self.has_choice() && parts.method != Method::DELETE;
        parts.headers.get(MCP_SESSION_ID).filter(|_| matters).cloned()
    }

    /// Notes which replica has opened a session, where that matters, or knows the one it was `asked` in: an edge that
    /// was started anew has forgotten.
    pub(crate) fn note_session<B>(
        &self,
        asked: Option<HeaderValue>,
        response: &Response<B>,
        replica: &Replica,
    ) {
        let known = asked.filter(|_| response.status().is_success());
        if self.has_choice()
            && let Some(session) = response.headers().get(MCP_SESSION_ID).or(known.as_ref())
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
