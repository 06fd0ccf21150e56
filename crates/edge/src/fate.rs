//! What became of a request: the one place where its server, its status and who gave it are known. Its span, where
//! traces are exported, lasts until the head of the answer.

use std::rc::Rc;

use http::Response;
use http::request::Parts;
use kit::telemetry::Exchange;

use crate::answer::Answer;
use crate::upstream::Upstream;
use crate::worker::Worker;

/// Filled in on the way of a request.
#[derive(Default)]
pub(crate) struct Fate {
    upstream: Option<Rc<Upstream>>,
    exchange: Option<Exchange>,
}

impl Fate {
    /// The request is for this server, which finds its trace in the headers.
    pub(crate) fn is_for(&mut self, worker: &Worker, upstream: &Rc<Upstream>, parts: &mut Parts) {
        self.upstream = Some(upstream.clone());
        let route = || format!("/{}/*", upstream.route.slug);
        self.exchange = worker.telemetry().hop(&parts.method, route, &mut parts.headers);
    }

    /// The answer's head is there; dropped without that, the client has gone.
    pub(crate) fn answered(self, worker: &Worker, response: &Response<Answer>) {
        let tally = self.upstream.as_ref().map_or(&worker.tally, |upstream| &upstream.tally);
        tally.answered(response.status(), matches!(response.body(), Answer::Own(_)));
        if let Some(exchange) = self.exchange {
            exchange.answered(response.status());
        }
    }
}
