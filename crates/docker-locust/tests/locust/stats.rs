//! The figures: Locust's own, in the original's fields and more.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{free_port, wait};
use crate::real::{Locust, Target, USERS, Version};

/// What Locust calls each of our sums.
const SUMS: [(&str, &str); 9] = [
    ("total_requests", "num_requests"),
    ("total_failures", "num_failures"),
    ("requests_per_second", "current_rps"),
    ("average_requests_per_second", "total_rps"),
    ("average_response_time", "avg_response_time"),
    ("p50", "median_response_time"),
    ("p95", "response_time_percentile_0.95"),
    ("p99", "response_time_percentile_0.99"),
    ("max_response_time", "max_response_time"),
];

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn assert_same(ours: &Value, theirs: &Value) {
    let rows = theirs["stats"].as_array().unwrap();
    let sum = rows.last().unwrap();
    for (our, their) in SUMS {
        assert!((number(&ours[our]) - number(&sum[their])).abs() < 1e-9, "{our}: {ours} and {sum}");
    }
    assert_eq!(ours["state"], theirs["state"]);
    assert_eq!(ours["users"], theirs["user_count"]);
    assert_eq!(number(&ours["fail_ratio"]), number(&theirs["fail_ratio"]));
    assert_eq!(ours["endpoints_total"], rows.len() - 1);
    for (endpoint, row) in ours["endpoints"].as_array().unwrap().iter().zip(rows) {
        assert_eq!((&endpoint["method"], &endpoint["name"]), (&row["method"], &row["name"]));
        assert_eq!(
            (&endpoint["requests"], &endpoint["failures"]),
            (&row["num_requests"], &row["num_failures"])
        );
    }
    let errors = theirs["errors"].as_array().unwrap();
    assert_eq!(ours["errors"].as_array().unwrap().len(), errors.len());
    for (our, their) in ours["errors"].as_array().unwrap().iter().zip(errors) {
        assert_eq!((&our["error"], &our["occurrences"]), (&their["error"], &their["occurrences"]));
    }
}

#[test]
fn figures_are_locusts_own() {
    for version in Version::BOTH {
        let Some(locust) = Locust::start(version, USERS, &[]) else { continue };
        let target = Target::start();
        let server = locust.server(&[]);
        server.ok("locust_start_test", &json!({"users": 10, "spawn_rate": 10, "host": target.url}));
        sleep(Duration::from_secs(3));
        // Locust makes them every two seconds: of three tries one at least falls between two of these moments.
        let same = (0..3).any(|_| {
            let (before, ours, after) = (locust.stats(), server.stats(), locust.stats());
            let same = before == after;
            if same {
                assert_same(&ours, &after);
            }
            same
        });
        assert!(same, "{version:?}: never the same figures twice");
        let stopped = server.ok("locust_stop_test", &json!({}));
        assert_same(&server.stats(), &locust.stats());
        // Requests that a stop cuts off were made, but Locust does not count them: one of each user at most.
        let uncounted = target.requests() - stopped["total_requests"].as_u64().unwrap();
        assert!(uncounted <= 10, "{version:?}: locust missed {uncounted} requests");
        assert!(
            number(&stopped["total_failures"]) > 0.0 && number(&stopped["fail_ratio"]) > 0.0,
            "{stopped}"
        );
        let few = server.ok("locust_get_stats", &json!({"rows": 1}));
        assert_eq!((few["endpoints"].as_array().unwrap().len(), &few["endpoints_total"]), (1, &json!(2)));
    }
}

#[test]
fn workers_are_told() {
    let master = free_port().to_string();
    let args =
        ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", &master, "--class-picker"];
    let Some(locust) = Locust::start(Version::V247, USERS, &args) else { return };
    let target = Target::start();
    let server = locust.server(&[]);
    let plan =
        json!({"users": 2, "spawn_rate": 2, "duration": 6, "host": target.url, "user_classes": ["Visitor"]});
    let (code, message, _) = server.error("locust_start_test", &plan);
    assert!(code == "SERVICE_ERROR" && message.contains("no worker is connected"), "{code} {message}");
    assert_eq!(locust.state(), "ready");

    let _worker = locust.worker(USERS, master.parse().unwrap());
    wait("worker", Duration::from_secs(20), || (server.stats()["worker_count"] == 1).then_some(()));
    let (code, message, field) =
        server.error("locust_start_test", &json!({"users": 1, "spawn_rate": 1, "user_classes": ["Nobody"]}));
    assert_eq!((code.as_str(), field), ("VALIDATION_ERROR", json!("user_classes")));
    assert!(message.contains("Buyer, Visitor"), "{message}");

    assert_eq!(server.ok("locust_start_test", &plan)["workers"], 1);
    let stats = wait("figures of the worker", Duration::from_secs(5), || {
        Some(server.stats()).filter(|stats| stats["total_requests"] != 0)
    });
    assert_eq!(stats["workers"][0]["users"], 2, "{stats}");
    let names: Vec<_> = stats["endpoints"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["/"], "only visitors");
    let stopped = server.ok("locust_stop_test", &json!({}));
    assert_eq!(stopped["was_running"], true);
    assert_eq!(locust.state(), "stopped");
}
