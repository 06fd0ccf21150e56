//! One server for all inputs, behind no socket. Its clock is stopped and runs only while nothing else does, so that
//! whatever waits costs no time.

use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::answer::Answer;
use crate::server::Fuzzed;

/// Answers that have not ended by then are taken as they are: some are streams without end.
const PATIENCE: Duration = Duration::from_secs(5);

pub static LAB: LazyLock<Lab> = LazyLock::new(Lab::new);

pub struct Lab {
    runtime: Runtime,
    router: Router,
}

impl Lab {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let key = format!("fuzz:admin:{}", crate::KEY);
        let args = ["--api-keys", &key, "--max-sessions", "64"];
        let router = runtime.block_on(kit::testing::router::<Fuzzed>(&args)).expect("a server");
        Self { runtime, router }
    }

    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub async fn open(&self, request: Request<Body>) -> Response<Body> {
        let Ok(response) = self.router.clone().oneshot(request).await;
        response
    }

    /// The answer as far as it comes.
    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let (parts, mut body) = self.open(request).await.into_parts();
        let mut bytes = vec![];
        while let Ok(Some(Ok(frame))) = timeout(PATIENCE, body.frame()).await {
            bytes.extend(frame.into_data().unwrap_or_default());
        }
        Answer { status: parts.status, headers: parts.headers, body: bytes }
    }
}
