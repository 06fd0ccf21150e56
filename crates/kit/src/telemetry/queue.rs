//! The spans that wait to be exported: a bounded number. A caller never waits for room; what finds none is dropped
//! and counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry_sdk::trace::SpanData;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;

/// A bounded queue.
pub(super) struct Queue {
    spans: Mutex<VecDeque<SpanData>>,
    /// Told when a whole batch is there. Each single span would cost a system call to wake its reader.
    enough: Notify,
    most: usize,
    batch: usize,
    dropped: Counter,
}

impl Queue {
    pub(super) fn new(most: usize, batch: usize, dropped: Counter) -> Self {
        let batch = batch.min(most);
        Self { spans: Mutex::default(), enough: Notify::new(), most, batch, dropped }
    }

    fn spans(&self) -> MutexGuard<'_, VecDeque<SpanData>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, span: SpanData) {
        let waiting = {
            let mut spans = self.spans();
            if spans.len() < self.most {
                spans.push_back(span);
                spans.len()
            } else {
                drop(spans);
                self.dropped.inc();
                return;
            }
        };
        if waiting == self.batch {
            self.enough.notify_one();
        }
    }

    /// The most that [`Queue::take`] gives.
    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// Resolves when there is a whole batch.
    pub(super) async fn full_batch(&self) {
        while self.spans().len() < self.batch {
            self.enough.notified().await;
        }
    }

    /// The next batch, which may be small.
    pub(super) fn take(&self) -> Vec<SpanData> {
        let mut spans = self.spans();
        let count = spans.len().min(self.batch);
        let batch = spans.drain(..count).collect();
        if spans.is_empty() {
            // What a burst took is given back.
            spans.shrink_to(self.batch);
        }
        batch
    }
}
