//! What is counted: each thread counts on its own, a scrape adds up.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;

/// Content type of [`Board::render`].
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Classes of statuses, `1xx` to `5xx`.
const CLASSES: usize = 5;

/// One thread's counts for one server, on cache lines of their own. Only that thread writes.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Tally {
    /// Answers of the server, by the class of their status.
    relayed: [AtomicU64; CLASSES],
    /// Answers of the edge instead of the server.
    own: [AtomicU64; CLASSES],
    /// Attempts to connect that failed.
    unreached: AtomicU64,
    /// Connections to the server.
    open: AtomicU64,
}

/// An addition without a lock on the bus.
fn add(counter: &AtomicU64, more: i64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add_signed(more), Ordering::Relaxed);
}

impl Tally {
    /// An answer has begun, the edge's `own` or the server's.
    pub(crate) fn answered(&self, status: StatusCode, own: bool) {
        let class = usize::from(status.as_u16() / 100 - 1).min(CLASSES - 1);
        add(if own { &self.own[class] } else { &self.relayed[class] }, 1);
    }

    pub(crate) fn unreached(&self) {
        add(&self.unreached, 1);
    }

    /// A connection is open until what this gives is dropped.
    pub(crate) fn opened(self: &Arc<Self>) -> Opened {
        add(&self.open, 1);
        Opened(self.clone())
    }
}

/// One open connection.
pub(crate) struct Opened(Arc<Tally>);

impl Drop for Opened {
    fn drop(&mut self) {
        add(&self.0.open, -1);
    }
}

/// All tallies there ever were, so that no count goes back when a server goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board(Arc<Mutex<Vec<Entry>>>);

/// A slug and what one thread counts for it.
type Entry = (String, Arc<Tally>);

impl Board {
    /// A new tally of the calling thread; the slug is empty for what concerns no server.
    pub(crate) fn tally(&self, slug: &str) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((slug.to_owned(), tally.clone()));
        tally
    }

    /// The text a scraper reads; `connections` are the clients' open ones, `dropped` is what telemetry lost.
    pub(crate) fn render(&self, connections: usize, dropped: &[(&str, u64)]) -> String {
        let sums = self.sums();
        let servers = || sums.iter().filter(|(slug, _)| !slug.is_empty());
        let mut text = Text::default();
        text.family(
            "gantry_edge_requests_total",
            "counter",
            "Answered requests; an empty slug is the edge itself",
        );
        for (slug, sum) in &sums {
            for (by, classes) in [("server", &sum.relayed), ("edge", &sum.own)] {
                for (class, count) in (1..).zip(classes) {
                    text.line(&format!("slug=\"{slug}\",by=\"{by}\",status=\"{class}xx\""), *count);
                }
            }
        }
        text.family(
            "gantry_edge_connect_failures_total",
            "counter",
            "Attempts to connect to a server that failed",
        );
        servers().for_each(|(slug, sum)| text.line(&format!("slug=\"{slug}\""), sum.unreached));
        text.family("gantry_edge_server_connections", "gauge", "Open connections to a server");
        servers().for_each(|(slug, sum)| text.line(&format!("slug=\"{slug}\""), sum.open));
        text.family("gantry_edge_client_connections", "gauge", "Open connections of clients");
        text.line("", connections as u64);
        text.family("gantry_telemetry_dropped_total", "counter", "Spans that no collector took");
        dropped.iter().for_each(|(signal, count)| text.line(&format!("signal=\"{signal}\""), *count));
        text.lines
    }

    fn sums(&self) -> BTreeMap<String, Sum> {
        let mut sums = BTreeMap::<String, Sum>::new();
        for (slug, tally) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            sums.entry(slug.clone()).or_default().add(tally);
        }
        sums
    }
}

/// The counts of all threads for one server.
#[derive(Default)]
struct Sum {
    relayed: [u64; CLASSES],
    own: [u64; CLASSES],
    unreached: u64,
    open: u64,
}

impl Sum {
    fn add(&mut self, tally: &Tally) {
        let add =
            |sum: &mut u64, counter: &AtomicU64| *sum = sum.wrapping_add(counter.load(Ordering::Relaxed));
        for class in 0..CLASSES {
            add(&mut self.relayed[class], &tally.relayed[class]);
            add(&mut self.own[class], &tally.own[class]);
        }
        add(&mut self.unreached, &tally.unreached);
        add(&mut self.open, &tally.open);
    }
}

/// The text as it is written, a family at a time.
#[derive(Default)]
struct Text {
    family: &'static str,
    lines: String,
}

impl Text {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        let _infallible = writeln!(self.lines, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, labels: &str, value: u64) {
        let (name, braces) = (self.family, !labels.is_empty());
        let (open, close) = if braces { ("{", "}") } else { ("", "") };
        let _infallible = writeln!(self.lines, "{name}{open}{labels}{close} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_added_up() {
        let board = Board::default();
        let (one, two) = (board.tally("alpha"), board.tally("alpha"));
        one.answered(StatusCode::OK, false);
        two.answered(StatusCode::NO_CONTENT, false);
        two.answered(StatusCode::BAD_GATEWAY, true);
        two.unreached();
        board.tally("").answered(StatusCode::NOT_FOUND, true);
        let open = one.opened();
        drop(two.opened());
        let text = board.render(3, &[("traces", 7)]);
        for line in [
            "gantry_edge_requests_total{slug=\"alpha\",by=\"server\",status=\"2xx\"} 2",
            "gantry_edge_requests_total{slug=\"alpha\",by=\"edge\",status=\"5xx\"} 1",
            "gantry_edge_requests_total{slug=\"\",by=\"edge\",status=\"4xx\"} 1",
            "gantry_edge_connect_failures_total{slug=\"alpha\"} 1",
            "gantry_edge_server_connections{slug=\"alpha\"} 1",
            "gantry_edge_client_connections 3",
            "gantry_telemetry_dropped_total{signal=\"traces\"} 7",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in {text}");
        }
        drop(open);
        assert!(board.render(0, &[]).contains("gantry_edge_server_connections{slug=\"alpha\"} 0"));
    }
}
