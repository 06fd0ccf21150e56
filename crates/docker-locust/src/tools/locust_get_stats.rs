//! `locust_get_stats`: how the load test goes, in Locust's own figures.

use kit::{Json, Parameters, Result, ToolError};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DockerLocust;
use crate::locust::{Failure, Row, Stats, Worker};

/// Locust itself tells no more.
const MAX_ROWS: u32 = 500;

/// How much to tell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocustGetStatsInput {
    /// At most how many endpoints, errors and workers to list, 0 to 500. The sums always count all of them.
    #[serde(default = "fifty")]
    pub rows: u32,
}

/// The test that runs, or ran last.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LocustGetStatsOutput {
    /// The sums.
    #[serde(flatten)]
    pub figures: Figures,
    /// What is tested; only of a running test that this server started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// In how many seconds this server stops the test; absent when it runs until somebody stops it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_seconds: Option<u64>,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
    /// How many endpoints there are.
    pub endpoints_total: usize,
    /// The kinds of failures.
    pub errors: Vec<FailureKind>,
    /// How many kinds of failures there are.
    pub errors_total: usize,
    /// How many workers share the load; absent when Locust runs without workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_count: Option<u32>,
    /// The workers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<WorkerState>,
}

/// The sums over all endpoints; times in milliseconds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Figures {
    /// What Locust does: ready, spawning, running, cleanup, stopping, stopped or missing.
    pub state: String,
    /// How many users run now.
    pub users: u32,
    /// How many requests were made.
    pub total_requests: u64,
    /// How many of them failed.
    pub total_failures: u64,
    /// The share that failed, 0 to 1.
    pub fail_ratio: f64,
    /// Requests per second over the last ten seconds.
    pub requests_per_second: f64,
    /// Requests per second over the whole test.
    pub average_requests_per_second: f64,
    /// The average.
    pub average_response_time: f64,
    /// The median.
    pub p50: f64,
    /// What 95 % of the requests stay under; absent when the locustfile asks for other percentiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    /// What 99 % of the requests stay under; absent when the locustfile asks for other percentiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
    /// The shortest.
    pub min_response_time: f64,
    /// The longest.
    pub max_response_time: f64,
}

/// The figures of one endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Endpoint {
    pub method: String,
    pub name: String,
    pub requests: u64,
    pub failures: u64,
    pub requests_per_second: f64,
    pub average_response_time: f64,
    pub p50: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
    pub max_response_time: f64,
}

/// Requests to one endpoint that failed in the same way.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct FailureKind {
    pub method: String,
    pub name: String,
    /// What went wrong, cut short.
    pub error: String,
    pub occurrences: u64,
}

/// One worker.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct WorkerState {
    pub id: String,
    pub state: String,
    pub users: u32,
    /// Per cent of one core.
    pub cpu_usage: f64,
    /// In bytes.
    pub memory_usage: u64,
}

fn fifty() -> u32 {
    50
}

#[tool_router(router = locust_get_stats_router, vis = "pub(crate)")]
impl DockerLocust {
    /// Shows how the load test in Locust goes, or how the last one ended: requests, failures, rates, response times
    /// with percentiles, per endpoint, and errors. Locust makes the figures afresh every two seconds.
    #[tool(
        title = "Read load test figures",
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = true
        )
    )]
    pub(crate) async fn locust_get_stats(
        &self,
        Parameters(input): Parameters<LocustGetStatsInput>,
    ) -> Result<Json<LocustGetStatsOutput>> {
        if input.rows > MAX_ROWS {
            return Err(ToolError::invalid("rows", format!("rows must be between 0 and {MAX_ROWS}")));
        }
        let report = self.locust().report().await?;
        let stats = &report.stats;
        let rows = input.rows as usize;
        Ok(Json(LocustGetStatsOutput {
            figures: Figures::from(stats),
            host: report.host,
            remaining_seconds: report.remaining.map(|remaining| remaining.as_secs()),
            endpoints: stats.endpoints().iter().take(rows).map(Endpoint::from).collect(),
            endpoints_total: stats.endpoints().len(),
            errors: stats.errors.iter().take(rows).map(FailureKind::from).collect(),
            errors_total: stats.errors.len(),
            worker_count: stats.worker_count,
            workers: stats.workers.iter().take(rows).map(WorkerState::from).collect(),
        }))
    }
}

impl From<&Stats> for Figures {
    fn from(stats: &Stats) -> Self {
        let nothing = Row::default();
        let sum = stats.sum().unwrap_or(&nothing);
        Self {
            state: stats.state.0.clone(),
            users: stats.user_count,
            total_requests: sum.num_requests,
            total_failures: sum.num_failures,
            fail_ratio: stats.fail_ratio,
            requests_per_second: sum.current_rps,
            average_requests_per_second: sum.total_rps,
            average_response_time: sum.avg_response_time,
            p50: sum.median_response_time,
            p95: sum.p95,
            p99: sum.p99,
            min_response_time: sum.min_response_time,
            max_response_time: sum.max_response_time,
        }
    }
}

impl From<&Row> for Endpoint {
    fn from(row: &Row) -> Self {
        Self {
            method: row.method.clone().unwrap_or_default(),
            name: short(&row.name),
            requests: row.num_requests,
            failures: row.num_failures,
            requests_per_second: row.current_rps,
            average_response_time: row.avg_response_time,
            p50: row.median_response_time,
            p95: row.p95,
            p99: row.p99,
            max_response_time: row.max_response_time,
        }
    }
}

impl From<&Failure> for FailureKind {
    fn from(failure: &Failure) -> Self {
        Self {
            method: failure.method.clone().unwrap_or_default(),
            name: short(&failure.name),
            error: short(&failure.error),
            occurrences: failure.occurrences,
        }
    }
}

impl From<&Worker> for WorkerState {
    fn from(worker: &Worker) -> Self {
        Self {
            id: short(&worker.id),
            state: worker.state.0.clone(),
            users: worker.user_count,
            cpu_usage: worker.cpu_usage,
            memory_usage: worker.memory_usage,
        }
    }
}

/// Names are URLs and errors are sentences: long enough to tell apart, and no longer.
fn short(text: &str) -> String {
    text.chars().take(300).collect()
}
