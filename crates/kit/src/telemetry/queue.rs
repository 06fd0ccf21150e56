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

#[cfg(test)]
mod tests {
    use super::super::span::Tracer;
    use super::super::{Sampler, scope};
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    use opentelemetry::trace::SpanKind;

    fn tracer(most: usize, batch: usize) -> (Arc<Tracer>, Counter) {
        let dropped = Counter::default();
        let queue = Arc::new(Queue::new(most, batch, dropped.clone()));
        (Arc::new(Tracer { queue, sampler: Sampler::all(), scope: scope() }), dropped)
    }

    fn end_spans(tracer: &Arc<Tracer>, count: usize) {
        for number in 0..count {
            let name = || format!("span {number}").into();
            drop(tracer.begin(SpanKind::Internal, name, &Default::default()));
        }
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (tracer, dropped) = tracer(5, 3);
        end_spans(&tracer, 8);
        assert_eq!(dropped.get(), 3);
        let names = || tracer.queue.take().into_iter().map(|span| span.name).collect::<Vec<_>>();
        assert_eq!(names(), ["span 0", "span 1", "span 2"]);
        assert_eq!(names(), ["span 3", "span 4"]);
        assert!(names().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_batch_wakes_its_reader() {
        let (tracer, _) = tracer(100, 10);
        let later = tracer.clone();
        let fill = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                end_spans(&later, 1);
            }
        };
        let begun = tokio::time::Instant::now();
        let (woken, ()) = tokio::join!(
            async {
                tracer.queue.full_batch().await;
                begun.elapsed()
            },
            fill
        );
        assert_eq!(woken, Duration::from_secs(10));
    }
}
