//! Health: what a probe, a person and the earlier servers' clients are told, from checks cached for a second.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, join_all};
use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// No check may take longer than this.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Probes within this time of the last checks get their result again.
const CACHE: Duration = Duration::from_secs(1);

/// The present time as RFC 3339 in UTC, to the millisecond.
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// A look at one thing a server depends on.
pub struct Check<'a> {
    name: &'static str,
    required: bool,
    look: BoxFuture<'a, Result<String, String>>,
}

impl<'a> Check<'a> {
    /// Without this the server is not ready. `look` gives a message either way.
    pub fn required(
        name: &'static str,
        look: impl Future<Output = Result<String, String>> + Send + 'a,
    ) -> Self {
        Self { name, required: true, look: Box::pin(look) }
    }

    /// Without this the server is degraded.
    pub fn optional(
        name: &'static str,
        look: impl Future<Output = Result<String, String>> + Send + 'a,
    ) -> Self {
        Self { name, required: false, look: Box::pin(look) }
    }
}

/// What one check found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The dependency's name.
    pub name: Cow<'static, str>,
    /// Whether the program cannot work without it.
    pub required: bool,
    /// What was found, or what is wrong.
    pub result: Result<String, String>,
}

/// The state a program answers probes with.
#[derive(Default)]
pub(crate) struct Health {
    stopping: CancellationToken,
    last: Mutex<Option<(Instant, Arc<Vec<Finding>>)>>,
}

impl Health {
    /// From now on the program is not ready.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }

    /// Resolves when [`Health::stop`] was called.
    pub(crate) async fn stopped(&self) {
        self.stopping.cancelled().await;
    }

    /// Runs the checks, or gives the last findings when they are fresh.
    pub(crate) async fn look<'a>(&self, checks: impl FnOnce() -> Vec<Check<'a>>) -> Arc<Vec<Finding>> {
        let mut last = self.last.lock().await;
        if let Some((at, findings)) = last.as_ref()
            && at.elapsed() < CACHE
        {
            return findings.clone();
        }
        let findings = Arc::new(join_all(checks().into_iter().map(run)).await);
        *last = Some((Instant::now(), findings.clone()));
        findings
    }

    /// The answer of `/health/ready`.
    pub(crate) fn ready(&self, findings: &[Finding]) -> (StatusCode, Value) {
        ready(findings, self.stopping.is_cancelled())
    }

    /// The answer of `/health`.
    pub(crate) fn summary(&self, findings: &[Finding]) -> Value {
        summary(findings, self.stopping.is_cancelled())
    }
}

/// The answer of `/health/live`.
pub fn live() -> Value {
    json!({"status": "alive", "timestamp": now(), "service_version": crate::VERSION})
}

/// The answer of `/health/ready`: 503 without a required dependency, or when the program is stopping.
pub fn ready(findings: &[Finding], stopping: bool) -> (StatusCode, Value) {
    let (status, code) = if stopping || findings.iter().any(|it| it.required && it.result.is_err()) {
        ("not_ready", StatusCode::SERVICE_UNAVAILABLE)
    } else if findings.iter().any(|it| it.result.is_err()) {
        ("degraded", StatusCode::OK)
    } else {
        ("ready", StatusCode::OK)
    };
    let mut body = json!({"status": status, "timestamp": now(), "dependencies": describe(findings)});
    if stopping {
        body["message"] = "shutting down".into();
    }
    (code, body)
}

/// The answer of `/health`, always with 200: the same facts in the words of the earlier servers.
pub fn summary(findings: &[Finding], stopping: bool) -> Value {
    let (_, ready) = ready(findings, stopping);
    let status = match ready["status"].as_str() {
        Some("ready") => "healthy",
        Some("degraded") => "degraded",
        _ => "unhealthy",
    };
    json!({
        "status": status,
        "timestamp": ready["timestamp"],
        "service_version": crate::VERSION,
        "checks": ready["dependencies"],
    })
}

async fn run(check: Check<'_>) -> Finding {
    let result = match tokio::time::timeout(CHECK_TIMEOUT, check.look).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())),
    };
    Finding { name: check.name.into(), required: check.required, result }
}

fn describe(findings: &[Finding]) -> Map<String, Value> {
    let entry = |finding: &Finding| {
        let (status, message) = match &finding.result {
            Ok(message) => ("up", message),
            Err(message) => ("down", message),
        };
        (
            finding.name.to_string(),
            json!({"status": status, "required": finding.required, "message": message}),
        )
    };
    findings.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn finding(required: bool, up: bool) -> Finding {
        Finding {
            name: "x".into(),
            required,
            result: if up { Ok("fine".into()) } else { Err("gone".into()) },
        }
    }

    #[test]
    fn only_a_required_dependency_makes_it_unready() {
        let health = Health::default();
        assert_eq!(health.ready(&[finding(true, true)]).1["status"], "ready");
        assert_eq!(health.ready(&[finding(false, false)]).0, StatusCode::OK);
        assert_eq!(health.summary(&[finding(false, false)])["status"], "degraded");
        assert_eq!(health.ready(&[finding(true, false)]).0, StatusCode::SERVICE_UNAVAILABLE);
        health.stop();
        assert_eq!(health.ready(&[finding(true, true)]).0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn probes_do_not_become_load() {
        let health = Health::default();
        let runs = AtomicUsize::new(0);
        for _ in 0..10 {
            health
                .look(|| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    vec![Check::required("x", async { Ok("fine".to_owned()) })]
                })
                .await;
        }
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    }
}
