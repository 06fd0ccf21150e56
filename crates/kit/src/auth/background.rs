//! One thread on which everything runs that asks a provider. Neither a caller that leaves nor a runtime that ends
//! takes with it what others wait for.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::ToolError;

/// The thread; it ends with its last owner.
#[derive(Clone)]
pub(super) struct Background(Arc<Owned>);

struct Owned(Option<Runtime>);

impl Background {
    pub(super) fn start() -> std::io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).max_blocking_threads(4).thread_name("identity");
        Ok(Self(Arc::new(Owned(Some(runtime.enable_all().build()?)))))
    }

    /// Runs `work` to its end, whether or not anybody still waits for it.
    pub(super) fn run<T: Send + 'static, F: Future<Output = Result<T, ToolError>> + Send + 'static>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T, ToolError>> + use<T, F> {
        let task = self.0.0.as_ref().map(|runtime| runtime.spawn(work));
        async move {
            match task {
                Some(task) => task.await.unwrap_or_else(|error| Err(ToolError::internal(error.to_string()))),
                None => Err(ToolError::internal("the program is ending")),
            }
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Waiting for it would block, which a thread that serves must not.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
