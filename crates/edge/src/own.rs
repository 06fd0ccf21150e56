//! What the edge answers itself: health, its version, and the list of servers.

use http::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::answer::{self, Answer};
use crate::error::Error;
use crate::worker::Worker;

type Own = Option<Result<Response<Answer>, Error>>;

/// The routes that probes ask by address, so that no `Host` is checked.
pub(crate) fn health<B>(worker: &Worker, request: &Request<B>) -> Own {
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
        "/" => index(worker),
        "/version" => json!({"name": "gantry-edge", "version": kit::VERSION}),
        _ => return None,
    };
    Some(get(request).map(|()| answer::json(StatusCode::OK, body.to_string())))
}

fn get<B>(request: &Request<B>) -> Result<(), Error> {
    if matches!(*request.method(), Method::GET | Method::HEAD) { Ok(()) } else { Err(Error::Method) }
}

fn live(_: &Worker) -> (StatusCode, Value) {
    let body = json!({"status": "alive", "timestamp": kit::health::now(), "service_version": kit::VERSION});
    (StatusCode::OK, body)
}

fn ready(worker: &Worker) -> (StatusCode, Value) {
    let (dependencies, sound) = dependencies(worker);
    let (status, code) = if worker.is_stopping() {
        ("not_ready", StatusCode::SERVICE_UNAVAILABLE)
    } else if sound {
        ("ready", StatusCode::OK)
    } else {
        ("degraded", StatusCode::OK)
    };
    let body = json!({"status": status, "timestamp": kit::health::now(), "dependencies": dependencies});
    (code, body)
}

fn summary(worker: &Worker) -> (StatusCode, Value) {
    let (_, ready) = ready(worker);
    let status = match ready["status"].as_str() {
        Some("ready") => "healthy",
        Some("degraded") => "degraded",
        _ => "unhealthy",
    };
    let body = json!({
        "status": status,
        "timestamp": ready["timestamp"],
        "service_version": kit::VERSION,
        "checks": ready["dependencies"],
    });
    (StatusCode::OK, body)
}

/// What is known without asking anyone: how the last connection to each server went, and the file.
fn dependencies(worker: &Worker) -> (Map<String, Value>, bool) {
    let fleet = worker.fleet();
    let servers = fleet.routes.iter().map(|route| (route.slug.clone(), route.state().map(str::to_owned)));
    // No slug has an underscore.
    let file = std::iter::once(("fleet_file".to_owned(), worker.file_state()));
    let mut sound = true;
    let entries = servers.chain(file).map(|(name, state)| {
        sound &= state.is_ok();
        let (status, message) = match state {
            Ok(message) => ("up", message),
            Err(message) => ("down", message),
        };
        (name, json!({"status": status, "required": false, "message": message}))
    });
    let entries = entries.collect();
    (entries, sound)
}

fn index(worker: &Worker) -> Value {
    let fleet = worker.fleet();
    let servers = fleet.slugs().into_iter().map(|slug| {
        let href = format!("{slug}/");
        json!({"slug": slug, "href": href})
    });
    json!({"servers": servers.collect::<Vec<_>>()})
}
