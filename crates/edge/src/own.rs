//! What the edge answers itself: health, metrics, its version, and the list of servers.

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use kit::health::{self, Finding};
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::error::Error;
use crate::path;
use crate::tally;
use crate::worker::Worker;

type Own = Option<Result<Response<Answer>, Error>>;

/// The routes that probes ask by address, so that no `Host` is checked.
pub(crate) fn health_route<B>(worker: &Worker, request: &Request<B>) -> Own {
    let answer: fn(&Worker) -> (StatusCode, Value) = match request.uri().path().strip_prefix("/health")? {
        "" => summary,
        "/live" => live,
        "/ready" => ready,
        _ => return None,
    };
    Some(get(request).map(|()| {
        let (status, body) = answer(worker);
        answer::json(status, body.to_string())
    }))
}

/// The other routes.
pub(crate) fn page<B>(worker: &Worker, request: &Request<B>) -> Own {
    let body = match request.uri().path() {
        "/metrics" => return Some(get(request).map(|()| metrics(worker))),
        "/" => index(worker),
        "/version" => json!({"name": "gantry-edge", "version": kit::VERSION}),
        _ => return None,
    };
    Some(get(request).map(|()| answer::json(StatusCode::OK, body.to_string())))
}

/// Where to get a token for the server that the path `asked` for names, where the edge takes such tokens; `None`
/// where that is the server's to say.
pub(crate) fn document<B>(worker: &Worker, asked: &str, request: &Request<B>) -> Own {
    if !worker.identity().is_on() {
        return None;
    }
    let (slug, rest) = path::split(asked).unwrap_or_default();
    let document = || {
        get(request)?;
        worker.upstream(slug)?;
        let document = worker.identity().document(slug, request.uri(), request.headers());
        let document = document.filter(|_| rest == "/mcp").ok_or(Error::NoDocument)?;
        Ok(answer::json(StatusCode::OK, document.to_string()))
    };
    Some(document())
}

fn metrics(worker: &Worker) -> Response<Answer> {
    let mut response = answer::json(StatusCode::OK, worker.metrics());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(tally::CONTENT_TYPE));
    response
}

fn get<B>(request: &Request<B>) -> Result<(), Error> {
    if matches!(*request.method(), Method::GET | Method::HEAD) { Ok(()) } else { Err(Error::Method) }
}

fn live(_: &Worker) -> (StatusCode, Value) {
    (StatusCode::OK, health::live())
}

fn ready(worker: &Worker) -> (StatusCode, Value) {
    health::ready(&findings(worker), worker.is_stopping())
}

fn summary(worker: &Worker) -> (StatusCode, Value) {
    (StatusCode::OK, health::summary(&findings(worker), worker.is_stopping()))
}

/// What is known without asking anyone: how the last connection to each server went, and the file.
fn findings(worker: &Worker) -> Vec<Finding> {
    let optional = |name: String, result| Finding { name: name.into(), required: false, result };
    let fleet = worker.fleet();
    let servers = fleet.routes.iter().map(|it| optional(it.slug.clone(), it.state()));
    // No slug has an underscore.
    servers.chain([optional("fleet_file".into(), worker.file_state())]).collect()
}

fn index(worker: &Worker) -> Value {
    let fleet = worker.fleet();
    let servers = fleet.slugs().into_iter().map(|slug| {
        let href = format!("{slug}/");
        json!({"slug": slug, "href": href})
    });
    json!({"servers": servers.collect::<Vec<_>>()})
}
