//! `grpc.health.v1` from the server's own health: the same facts as `/health/ready`.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use http::StatusCode;
use proto::gantry::tool::v1::tool_service_server::SERVICE_NAME;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::app::App;
use crate::service::Service;
use crate::{Code, ToolError};

/// Most watchers at once: they need no key.
const WATCHERS: usize = 256;
/// How often watchers look.
const LOOK: Duration = Duration::from_secs(2);

/// The service, and room for watchers.
pub(super) struct Probes<S: Service> {
    app: Arc<App<S>>,
    watchers: Arc<Semaphore>,
}

impl<S: Service> Probes<S> {
    pub(super) fn new(app: Arc<App<S>>) -> Self {
        Self { app, watchers: Arc::new(Semaphore::new(WATCHERS)) }
    }
}

#[tonic::async_trait]
impl<S: Service> Health for Probes<S> {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if is_ours(request.get_ref()) {
            Ok(Response::new(answer(state(&self.app).await)))
        } else {
            Err(Status::from(&ToolError::new(Code::NotFound, "there is no such service")))
        }
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let Ok(permit) = self.watchers.clone().try_acquire_owned() else {
            let error = ToolError::new(Code::RateLimited, "too many watchers; ask again, or use Check");
            return Err(Status::from(&error));
        };
        let ended = self.app.streams.clone().cancelled_owned();
        let watch =
            Watch { app: self.app.clone(), known: is_ours(request.get_ref()), last: None, _permit: permit };
        Ok(Response::new(stream::unfold(watch, Watch::next).take_until(ended).boxed()))
    }
}

/// One watcher.
struct Watch<S: Service> {
    app: Arc<App<S>>,
    known: bool,
    /// What it was told last.
    last: Option<ServingStatus>,
    _permit: OwnedSemaphorePermit,
}

impl<S: Service> Watch<S> {
    /// Waits for another state than the last.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Self)> {
        loop {
            let now = if self.known { state(&self.app).await } else { ServingStatus::ServiceUnknown };
            if self.last.replace(now) != Some(now) {
                return Some((Ok(answer(now)), self));
            }
            self.pause().await;
        }
    }

    /// A stop is told at once. After that, and of a service that is not here, there is nothing more to tell.
    async fn pause(&self) {
        match self.last {
            Some(ServingStatus::ServiceUnknown) => std::future::pending().await,
            Some(ServingStatus::NotServing) => tokio::time::sleep(LOOK).await,
            _ => tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.app.health.stopped() => {}
            },
        }
    }
}

fn is_ours(request: &HealthCheckRequest) -> bool {
    matches!(&*request.service, "" | SERVICE_NAME)
}

async fn state<S: Service>(app: &App<S>) -> ServingStatus {
    match app.health.ready(&app.findings().await).0 {
        StatusCode::OK => ServingStatus::Serving,
        _ => ServingStatus::NotServing,
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
