//! The doors of a server, all on one port.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get, post};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::app::App;
use crate::auth::WELL_KNOWN;
use crate::service::Service;
use crate::{Code, ToolError};

mod answers;
mod batch;
pub(crate) mod direct;
pub(crate) mod grpc;
mod mcp;
mod openapi;
mod operations;
mod outcome;
mod plain;
mod rest;
pub(crate) mod sessions;
pub(crate) mod sse;

/// Every route of a server. What is neither health nor for strangers passes [`App::admit`] first.
///
/// # Errors
/// When the descriptors that gRPC reflection shows cannot be read.
pub(crate) fn router<S: Service>(app: Arc<App<S>>, legacy_sse: bool) -> anyhow::Result<Router> {
    let mut router = Router::new()
        .route("/mcp", any(mcp::serve::<S>))
        .route("/tools", get(rest::list::<S>))
        .route("/tools/{name}", get(rest::show::<S>).post(rest::call::<S>))
        .route("/openapi.json", get(openapi::serve::<S>))
        .route("/docs", get(rest::docs::<S>))
        .route("/metrics", get(operations::metrics::<S>))
        .route("/version", get(operations::version::<S>))
        .route(WELL_KNOWN, get(operations::resource::<S>))
        .route(&format!("{WELL_KNOWN}/mcp"), get(operations::resource::<S>))
        .route("/health", get(operations::summary::<S>))
        .route("/health/live", get(operations::live))
        .route("/health/ready", get(operations::ready::<S>));
    if legacy_sse {
        router = router.route("/sse", get(sse::open::<S>)).route("/messages", post(sse::message::<S>));
    }
    Ok(router
        .merge(grpc::routes(&app)?)
        .fallback(operations::not_found::<S>)
        .method_not_allowed_fallback(operations::wrong_method::<S>)
        .with_state(app))
}

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// A client that sends too much is heard out this far and this long: it reads no answer before it has sent.
const HEARD_OUT_BYTES: usize = 64 * 1024 * 1024;
const HEARD_OUT_TIME: Duration = Duration::from_secs(5);

/// Reads a request's body.
///
/// # Errors
/// `VALIDATION_ERROR`, with status 413 when the body is larger than `limit`; `TIMEOUT_ERROR` with status 408.
async fn read(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let whole = Limited::new(&mut body, limit).collect();
    let Ok(whole) = tokio::time::timeout(BODY_TIME, whole).await else { return Err(BodyError::TooSlow) };
    match whole {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let rest = async {
                let mut heard = 0;
                while let Some(Ok(frame)) = body.frame().await {
                    heard += frame.data_ref().map_or(0, Bytes::len);
                    if heard > HEARD_OUT_BYTES {
                        break;
                    }
                }
            };
            let _in_time = tokio::time::timeout(HEARD_OUT_TIME, rest).await;
            Err(BodyError::TooLarge(limit))
        }
        Err(error) => Err(BodyError::Broken(error.to_string())),
    }
}

/// A body that could not be taken.
enum BodyError {
    TooLarge(usize),
    TooSlow,
    Broken(String),
}

impl From<BodyError> for ToolError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(limit) => {
                Self::new(Code::ValidationError, format!("the body is larger than {limit} bytes"))
                    .with("limit", limit)
            }
            BodyError::TooSlow => {
                let message = format!("the body did not arrive within {} s", BODY_TIME.as_secs());
                Self::new(Code::TimeoutError, message)
            }
            BodyError::Broken(reason) => {
                Self::new(Code::ValidationError, format!("the body did not arrive whole: {reason}"))
            }
        }
    }
}

impl axum::response::IntoResponse for BodyError {
    fn into_response(self) -> axum::response::Response {
        let status = match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
        };
        let mut response = ToolError::from(self).into_response();
        *response.status_mut() = status;
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let body = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let error = read(body, 10).await.expect_err("too slow");
        let response = error.into_response();
        assert_eq!(response.status(), http::StatusCode::REQUEST_TIMEOUT);
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert!(body.starts_with(b"{\"error\":\"TIMEOUT_ERROR\""), "{body:?}");
    }
}
