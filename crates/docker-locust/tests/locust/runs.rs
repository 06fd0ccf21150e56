//! When tests end: on time, not before, and whatever becomes of the request and the server that began them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::wait;
use crate::real::{Locust, Target, USERS, Version};

const SECOND: Duration = Duration::from_secs(1);

/// How long the test runs on from now.
fn runs_for(locust: &Locust) -> Duration {
    let asked = Instant::now();
    wait("end of the test", 15 * SECOND, || (locust.state() == "stopped").then_some(()));
    asked.elapsed()
}

#[test]
fn a_duration_ends_the_run() {
    for version in Version::BOTH {
        let Some(locust) = Locust::start(version, USERS, &[]) else { continue };
        let target = Target::start();
        let server = locust.server(&[]);
        let asked = Instant::now();
        let arguments = json!({"users": 4, "spawn_rate": 4, "duration": 5, "host": target.url});
        let started = server.ok("locust_start_test", &arguments);
        assert_eq!(
            started,
            json!({"status": "started", "users": 4, "spawn_rate": 4.0, "duration": 5, "state": started["state"],
                   "host": target.url})
        );
        let stats = server.stats();
        assert_eq!((&stats["state"], &stats["host"]), (&started["state"], &json!(target.url)), "{stats}");
        assert!(stats["remaining_seconds"].as_u64().unwrap() <= 5, "{stats}");
        runs_for(&locust);
        let ran = asked.elapsed();
        assert!((5 * SECOND..8 * SECOND).contains(&ran), "{version:?} ran for {ran:?}");
        let requests = target.requests();
        assert!(requests > 20, "{requests}");
        sleep(2 * SECOND);
        assert_eq!(target.requests(), requests, "{version:?}: users run on");
        let stats = server.stats();
        assert_eq!((&stats["state"], stats.get("remaining_seconds")), (&json!("stopped"), None));
    }
}

#[test]
fn an_early_stop_leaves_no_timer_behind() {
    for version in Version::BOTH {
        let Some(locust) = Locust::start(version, USERS, &[]) else { continue };
        let target = Target::start();
        let server = locust.server(&[]);
        server.ok(
            "locust_start_test",
            &json!({"users": 2, "spawn_rate": 2, "duration": 5, "host": target.url}),
        );
        let first = Instant::now();
        let stopped = server.ok("locust_stop_test", &json!({}));
        assert_eq!((&stopped["status"], &stopped["was_running"]), (&json!("stopped"), &json!(true)));
        assert_eq!(locust.state(), "stopped");
        let next = server.ok("locust_start_test", &json!({"users": 2, "spawn_rate": 2}));
        assert_eq!(next["duration"], 0);
        sleep((7 * SECOND).saturating_sub(first.elapsed()));
        assert_eq!(locust.state(), "running", "{version:?}: the first test's timer stopped the second test");
        server.ok("locust_stop_test", &json!({}));
        let idle = server.ok("locust_stop_test", &json!({}));
        assert_eq!((&idle["was_running"], &idle["state"]), (&json!(false), &json!("stopped")));
    }
}

#[test]
fn a_caller_who_leaves_does_not_leave_a_test_without_an_end() {
    for version in Version::BOTH {
        let Some(locust) = Locust::start(version, USERS, &[]) else { continue };
        let target = Target::start();
        let server = locust.server(&[]);
        server.leave(
            "locust_start_test",
            &json!({"users": 1, "spawn_rate": 1, "duration": 3, "host": target.url}),
        );
        wait("test", 5 * SECOND, || (locust.state() == "running").then_some(()));
        let ran = runs_for(&locust);
        assert!(ran < 6 * SECOND, "{version:?} ran for {ran:?}");
    }
}

#[test]
fn a_server_that_ends_leaves_no_bounded_test_without_an_end() {
    for version in Version::BOTH {
        let Some(locust) = Locust::start(version, USERS, &[]) else { continue };
        let target = Target::start();
        let mut server = locust.server(&[]);
        server.ok(
            "locust_start_test",
            &json!({"users": 1, "spawn_rate": 1, "duration": 6, "host": target.url}),
        );
        assert_eq!(server.program.terminate(), Some(0));
        match version {
            // Locust has no timer of ours, so the server ends the test before it goes.
            Version::V246 => assert_eq!(locust.state(), "stopped"),
            Version::V247 => {
                assert_eq!(locust.state(), "running");
                assert!(runs_for(&locust) < 8 * SECOND);
            }
        }
    }
}

#[test]
fn a_server_that_ends_while_it_starts_a_test_ends_that_too() {
    let Some(locust) = Locust::start(Version::V246, USERS, &[]) else { return };
    let target = Target::start();
    let mut server = locust.server(&[]);
    // The caller is gone, and the server is told to end before it has seen users run.
    locust.stats();
    server.leave(
        "locust_start_test",
        &json!({"users": 1, "spawn_rate": 1, "duration": 60, "host": target.url}),
    );
    let asked = Instant::now();
    assert_eq!(server.program.terminate(), Some(0));
    assert!(asked.elapsed() < 20 * SECOND, "{:?}", asked.elapsed());
    assert_eq!(locust.state(), "stopped");
}

#[test]
fn the_operators_cap_ends_what_was_to_run_for_ever() {
    let Some(locust) = Locust::start(Version::V246, USERS, &[]) else { return };
    let target = Target::start();
    let server = locust.server(&["--max-duration", "3s"]);
    let started = server.ok("locust_start_test", &json!({"users": 1, "spawn_rate": 1, "host": target.url}));
    assert_eq!(started["duration"], 3);
    assert!(runs_for(&locust) < 6 * SECOND);
}

#[test]
fn a_resize_keeps_the_end_that_was_promised() {
    for version in Version::BOTH {
        let Some(locust) = Locust::start(version, USERS, &[]) else { continue };
        let target = Target::start();
        let server = locust.server(&[]);
        let asked = Instant::now();
        server.ok(
            "locust_start_test",
            &json!({"users": 1, "spawn_rate": 1, "duration": 6, "host": target.url}),
        );
        let resized = server.ok("locust_start_test", &json!({"users": 5, "spawn_rate": 5, "resize": true}));
        assert_eq!((&resized["status"], &resized["users"]), (&json!("resized"), &json!(5)));
        assert!(resized["duration"].as_u64().unwrap() <= 6, "{resized}");
        wait("users", 3 * SECOND, || (locust.stats()["user_count"] == 5).then_some(()));
        runs_for(&locust);
        let ran = asked.elapsed();
        assert!((5 * SECOND..9 * SECOND).contains(&ran), "{version:?} ran for {ran:?}");
    }
}

#[test]
fn a_resize_in_the_web_interface_does_not_take_the_end_away() {
    let Some(locust) = Locust::start(Version::V247, USERS, &[]) else { return };
    let target = Target::start();
    let server = locust.server(&[]);
    let asked = Instant::now();
    server.ok("locust_start_test", &json!({"users": 1, "spawn_rate": 1, "duration": 4, "host": target.url}));
    // Without run_time this cancels Locust's own timer.
    locust.swarm("user_count=3&spawn_rate=3");
    runs_for(&locust);
    let ran = asked.elapsed();
    assert!((4 * SECOND..8 * SECOND).contains(&ran), "ran for {ran:?}");
}

#[test]
fn a_test_of_somebody_else_is_not_ended_for_ours() {
    let Some(locust) = Locust::start(Version::V246, USERS, &[]) else { return };
    let target = Target::start();
    let server = locust.server(&[]);
    server.ok("locust_start_test", &json!({"users": 1, "spawn_rate": 1, "duration": 8, "host": target.url}));
    let first = Instant::now();
    let (status, _) = crate::program::http(locust.port, "GET", "/stop", "", "").unwrap();
    assert_eq!(status, 200);
    // Long enough for the server to have seen that its test is over.
    sleep(Duration::from_millis(4500));
    locust.swarm("user_count=1&spawn_rate=1");
    sleep((10 * SECOND).saturating_sub(first.elapsed()));
    assert_eq!(locust.state(), "running");
    assert_eq!(server.stats().get("remaining_seconds"), None);
    server.ok("locust_stop_test", &json!({}));
}
