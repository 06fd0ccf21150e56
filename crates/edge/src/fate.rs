//! What became of a request: the one place where its server, its status and who gave it are known.

use std::rc::Rc;

use http::Response;

use crate::answer::Answer;
use crate::upstream::Upstream;
use crate::worker::Worker;

/// Filled in on the way of a request.
#[derive(Default)]
pub(crate) struct Fate {
    upstream: Option<Rc<Upstream>>,
}

impl Fate {
    /// The request is for this server.
    pub(crate) fn is_for(&mut self, upstream: &Rc<Upstream>) {
        self.upstream = Some(upstream.clone());
    }

    /// The answer's head is there; dropped without that, the client has gone.
    pub(crate) fn answered(self, worker: &Worker, response: &Response<Answer>) {
        let tally = self.upstream.as_ref().map_or(&worker.tally, |upstream| &upstream.tally);
        tally.answered(response.status(), matches!(response.body(), Answer::Own(_)));
    }
}
