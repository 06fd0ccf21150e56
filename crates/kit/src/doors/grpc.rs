//! gRPC on the same port: any tool, health and reflection. What calls a tool takes the same way as through every
//! other door; what fails carries our error in the details of its status.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode, Version};
use proto::gantry::tool::v1::tool_service_server::ToolServiceServer;
use tonic::Status;
use tonic_health::pb::health_server::HealthServer;
use tonic_reflection::server::Builder;

use crate::app::App;
use crate::service::Service;
use crate::text::clip;
use crate::{Code, ToolError};

mod deadline;
mod health;
mod message;
mod status;
mod stream;
mod structure;
mod tools;

pub(crate) use stream::Reports;

/// What comes before the one message of a request: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The services. A credential is needed for all but health: reflection shows no tool, but a stranger has no use for it.
pub(super) fn routes<S: Service>(app: &Arc<App<S>>) -> anyhow::Result<Router<Arc<App<S>>>> {
    let reflection = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = reflection().build_v1().context("descriptors")?;
    let v1alpha = reflection().build_v1alpha().context("descriptors")?;
    // The whole request is read before, and bounded.
    let tools = ToolServiceServer::new(tools::Tools(app.clone())).max_decoding_message_size(usize::MAX);
    let tools = Router::new()
        .route_service("/gantry.tool.v1.ToolService/{method}", tools)
        .route_layer(from_fn_with_state(app.clone(), whole::<S>));
    let reflection = Router::new()
        .route_service("/grpc.reflection.v1.ServerReflection/{method}", v1)
        .route_service("/grpc.reflection.v1alpha.ServerReflection/{method}", v1alpha)
        .route_layer(from_fn_with_state(app.clone(), until_the_end::<S>));
    let health = HealthServer::new(health::Probes::new(app.clone()));
    Ok(tools
        .merge(reflection)
        .route_layer(from_fn_with_state(app.clone(), admitted::<S>))
        .route_service("/grpc.health.v1.Health/{method}", health)
        .route_layer(from_fn(spoken)))
}

/// Whether a request is gRPC, with messages as this server reads them.
pub(super) fn speaks(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/grpc" || kind == "application/grpc+proto")
}

/// The answer to a call of a service that is not here.
pub(super) async fn no_service<S: Service>(app: &App<S>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match app.admit(&mut parts).await {
        Ok(_) => status::unimplemented(parts.uri.path(), "").into_http(),
        Err(refusal) => Status::from(&refusal.0).into_http(),
    }
}

/// Refuses what is not gRPC, and gives tonic's own refusals our error.
async fn spoken(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let asks = request.method() == Method::POST && request.version() == Version::HTTP_2;
    if !asks || !speaks(request.headers()) {
        let message = format!("{} takes gRPC only: POST of application/grpc over HTTP/2", clip(&path));
        let mut response = ToolError::new(Code::ValidationError, message).into_response();
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    let mut response = next.run(request).await;
    if let Some(status) = status::explained(response.headers(), &path)
        && status.add_header(response.headers_mut()).is_err()
    {
        tracing::error!("a status could not be written");
    }
    response
}

async fn admitted<S: Service>(State(app): State<Arc<App<S>>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match app.admit(&mut parts).await {
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => Status::from(&refusal.0).into_http(),
    }
}

/// Reads the whole of a request that is one message, within the bounds of every door.
async fn whole<S: Service>(State(app): State<Arc<App<S>>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match super::read(body, app.max_body_bytes.saturating_add(PREFIX)).await {
        Ok(body) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(error) => Status::from(&error.into()).into_http(),
    }
}

/// A conversation that its client leaves open ends with the server.
async fn until_the_end<S: Service>(State(app): State<Arc<App<S>>>, request: Request, next: Next) -> Response {
    let ended = app.streams.clone().cancelled_owned();
    let open = |body: Body| Body::from_stream(body.into_data_stream().take_until(ended));
    next.run(request.map(open)).await
}
