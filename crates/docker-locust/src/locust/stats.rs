//! `/stats/requests` as Locust sends it. Fields are named as there.

use serde::Deserialize;

use super::page::State;

/// One report. Locust makes it at most every two seconds.
#[derive(Debug, Deserialize)]
pub(crate) struct Stats {
    pub(crate) state: State,
    #[serde(default)]
    pub(crate) user_count: u32,
    #[serde(default)]
    pub(crate) fail_ratio: f64,
    /// One row for each endpoint, and last the sum.
    pub(crate) stats: Vec<Row>,
    #[serde(default)]
    pub(crate) errors: Vec<Failure>,
    /// Only from a master.
    pub(crate) worker_count: Option<u32>,
    #[serde(default)]
    pub(crate) workers: Vec<Worker>,
}

impl Stats {
    /// The sum of all endpoints, which is Locust's row "Aggregated".
    pub(crate) fn sum(&self) -> Option<&Row> {
        self.stats.last()
    }

    /// The endpoints.
    pub(crate) fn endpoints(&self) -> &[Row] {
        self.stats.split_last().map_or(&[], |(_, endpoints)| endpoints)
    }
}

/// Figures of one endpoint; times in milliseconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Row {
    pub(crate) method: Option<String>,
    pub(crate) name: String,
    pub(crate) num_requests: u64,
    pub(crate) num_failures: u64,
    pub(crate) avg_response_time: f64,
    pub(crate) min_response_time: f64,
    pub(crate) max_response_time: f64,
    pub(crate) median_response_time: f64,
    /// These two are absent when the locustfile asks for other percentiles.
    #[serde(rename = "response_time_percentile_0.95")]
    pub(crate) p95: Option<f64>,
    #[serde(rename = "response_time_percentile_0.99")]
    pub(crate) p99: Option<f64>,
    pub(crate) current_rps: f64,
    pub(crate) total_rps: f64,
}

/// Requests that failed in one way.
#[derive(Debug, Deserialize)]
pub(crate) struct Failure {
    #[serde(default)]
    pub(crate) method: Option<String>,
    pub(crate) name: String,
    pub(crate) error: String,
    pub(crate) occurrences: u64,
}

/// One worker of a master.
#[derive(Debug, Deserialize)]
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) state: State,
    #[serde(default)]
    pub(crate) user_count: u32,
    /// Per cent of one core.
    #[serde(default)]
    pub(crate) cpu_usage: f64,
    #[serde(default)]
    pub(crate) memory_usage: u64,
}
