//! Health, metrics, version, and what is no route.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::grpc;
use crate::app::{Admitted, App};
use crate::service::Service;
use crate::text::clip;
use crate::{Code, ToolError, health, metrics};

pub(super) async fn live() -> Json<Value> {
    Json(health::live())
}

pub(super) async fn ready<S: Service>(State(app): State<Arc<App<S>>>) -> Response {
    let (status, body) = app.health.ready(&app.findings().await);
    (status, Json(body)).into_response()
}

pub(super) async fn summary<S: Service>(State(app): State<Arc<App<S>>>) -> Json<Value> {
    Json(app.health.summary(&app.findings().await))
}

/// Where clients get a token (RFC 9728): for strangers, so without a key. 404 where there is no provider.
pub(super) async fn resource<S: Service>(State(app): State<Arc<App<S>>>, request: Request) -> Response {
    let resource = app.resource(request.uri(), request.headers());
    match resource.and_then(|resource| app.auth.resource_metadata(&resource)) {
        Some(document) => Json(document).into_response(),
        None => {
            ToolError::new(Code::NotFound, "callers of this server get no tokens elsewhere").into_response()
        }
    }
}

pub(super) async fn metrics<S: Service>(State(app): State<Arc<App<S>>>, _: Admitted) -> Response {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], app.metrics.render()).into_response()
}

pub(super) async fn version<S: Service>(_: State<Arc<App<S>>>, _: Admitted) -> Json<Value> {
    Json(json!({"name": format!("gantry-{}", S::SLUG), "version": crate::VERSION}))
}

pub(super) async fn not_found<S: Service>(State(app): State<Arc<App<S>>>, request: Request) -> Response {
    if grpc::speaks(request.headers()) {
        return grpc::no_service(&app, request).await;
    }
    let (mut parts, _) = request.into_parts();
    if let Err(refusal) = app.admit(&mut parts).await {
        return refusal.into_response();
    }
    let message = format!("there is nothing at {}; see /docs", clip(parts.uri.path()));
    ToolError::new(Code::NotFound, message).into_response()
}

pub(super) async fn wrong_method<S: Service>(State(app): State<Arc<App<S>>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    if let Err(refusal) = app.admit(&mut parts).await {
        return refusal.into_response();
    }
    let message = format!("{} does not take {}", clip(parts.uri.path()), parts.method);
    let mut response = ToolError::new(Code::ValidationError, message).into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    if !response.headers().contains_key(ALLOW) {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}
