//! What is refused, by us or by Locust, and what is said when Locust is not there.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::spawn;

use serde_json::{Value, json};

use crate::program::free_port;
use crate::real::{Locust, Target, USERS, Version};
use crate::server::Server;

const TOOLS: [&str; 3] = ["locust_start_test", "locust_get_stats", "locust_stop_test"];
const SHAPE: &str = r#"
from locust import HttpUser, LoadTestShape, task

class Visitor(HttpUser):
    @task
    def index(self):
        self.client.get("/")

class Steps(LoadTestShape):
    def tick(self):
        return (50, 50)
"#;

/// Arguments that each tool can work with.
fn arguments(tool: &str) -> Value {
    if tool == "locust_start_test" { json!({"users": 1, "spawn_rate": 1}) } else { json!({}) }
}

#[test]
fn bad_arguments_name_their_field() {
    let Some(locust) = Locust::start(Version::V247, USERS, &[]) else { return };
    let server = locust.server(&["--max-users", "20", "--max-duration", "10s"]);
    for (arguments, field) in [
        (json!({}), "users"),
        (json!({"users": 0, "spawn_rate": 1}), "users"),
        (json!({"users": -1, "spawn_rate": 1}), "users"),
        (json!({"users": 21, "spawn_rate": 1}), "users"),
        (json!({"users": 1.5, "spawn_rate": 1}), "users"),
        (json!({"users": 1}), "spawn_rate"),
        (json!({"users": 1, "spawn_rate": 0}), "spawn_rate"),
        (json!({"users": 1, "spawn_rate": 1e300}), "spawn_rate"),
        (json!({"users": 1, "spawn_rate": "2"}), "spawn_rate"),
        (json!({"users": 1, "spawn_rate": 1, "duration": -1}), "duration"),
        (json!({"users": 1, "spawn_rate": 1, "duration": 11}), "duration"),
        (json!({"users": 1, "spawn_rate": 1, "host": "shop"}), "host"),
        (json!({"users": 1, "spawn_rate": 1, "host": "file:///etc/passwd"}), "host"),
        (json!({"users": 1, "spawn_rate": 1, "host": "http://u:p@shop.example"}), "host"),
        (json!({"users": 1, "spawn_rate": 1, "host": "x".repeat(1_000_000)}), "host"),
        (json!({"users": 1, "spawn_rate": 1, "host": "http://a\u{0}b"}), "host"),
        (json!({"users": 1, "spawn_rate": 1, "user_classes": ["Visitor"]}), "user_classes"),
        (json!({"users": 1, "spawn_rate": 1, "user_classes": vec!["x"; 101]}), "user_classes"),
        (json!({"users": 1, "spawn_rate": 1, "run_time": 5}), "run_time"),
    ] {
        let (code, message, named) = server.error("locust_start_test", &arguments);
        assert_eq!((code.as_str(), named), ("VALIDATION_ERROR", json!(field)), "{message}");
        assert!(message.len() < 500, "{message:.100}");
    }
    let (_, _, named) = server.error("locust_get_stats", &json!({"rows": 501}));
    assert_eq!(named, "rows");
    assert_eq!(locust.state(), "ready", "nothing of this may start anything");
}

#[test]
fn a_running_test_is_not_changed_by_accident() {
    let Some(locust) = Locust::start(Version::V247, USERS, &[]) else { return };
    let target = Target::start();
    let server = locust.server(&[]);
    server.ok("locust_start_test", &json!({"users": 3, "spawn_rate": 3, "duration": 8, "host": target.url}));
    let (code, message, field) = server.error("locust_start_test", &json!({"users": 9, "spawn_rate": 9}));
    assert_eq!((code.as_str(), field), ("VALIDATION_ERROR", json!("resize")));
    assert!(message.contains("already running with 3 users"), "{message}");
    let (_, _, field) = server.error(
        "locust_start_test",
        &json!({"users": 9, "spawn_rate": 9, "resize": true, "host": "http://127.0.0.1:1"}),
    );
    assert_eq!(field, "host");
    assert_eq!(locust.stats()["user_count"], 3);
    server.ok("locust_stop_test", &json!({}));
}

#[test]
fn a_test_that_does_not_run_is_no_success() {
    for version in Version::BOTH {
        // No host anywhere: Locust says "Swarming started" and stops.
        let Some(locust) = Locust::start(version, USERS, &[]) else { continue };
        let server = locust.server(&[]);
        let (code, message, _) = server.error("locust_start_test", &arguments("locust_start_test"));
        assert!(code == "SERVICE_ERROR" && message.contains("pass host"), "{code} {message}");
    }
}

#[test]
fn a_load_shape_is_refused() {
    let Some(locust) = Locust::start(Version::V247, SHAPE, &[]) else { return };
    let target = Target::start();
    let server = locust.server(&[]);
    let (code, message, _) =
        server.error("locust_start_test", &json!({"users": 1, "spawn_rate": 1, "host": target.url}));
    assert!(code == "VALIDATION_ERROR" && message.contains("load shape"), "{code} {message}");
    assert_eq!((locust.state().as_str(), target.requests()), ("ready", 0));
}

#[test]
fn only_listed_targets_are_loaded() {
    let target = Target::start();
    let Some(locust) = Locust::start(Version::V247, USERS, &["--host", &target.url]) else { return };
    let plan = json!({"users": 1, "spawn_rate": 1, "duration": 5});
    {
        let server = locust.server(&["--allow-target-hosts", "*.staging.example,127.0.0.1:1"]);
        let (code, message, field) = server.error("locust_start_test", &plan);
        assert_eq!(
            (code.as_str(), field),
            ("FORBIDDEN", json!("host")),
            "Locust's own default is no way round"
        );
        assert!(message.contains("--allow-target-hosts"), "{message}");
        let elsewhere = json!({"users": 1, "spawn_rate": 1, "host": target.url});
        assert_eq!(server.error("locust_start_test", &elsewhere).0, "FORBIDDEN");
        assert_eq!((locust.state().as_str(), target.requests()), ("ready", 0));
    }
    let server = locust.server(&["--allow-target-hosts", "127.0.0.*"]);
    assert_eq!(server.ok("locust_start_test", &plan)["host"], json!(target.url));
    server.ok("locust_stop_test", &json!({}));
}

#[test]
fn a_locust_that_is_not_there_is_named() {
    let unset = Server::start(&[]);
    let port = free_port();
    let closed = Server::start(&["--locust-url", &format!("http://u:hunter2@127.0.0.1:{port}")]);
    for tool in TOOLS {
        let (code, message, _) = unset.error(tool, &arguments(tool));
        assert!(code == "SERVICE_ERROR" && message.contains("set LOCUST_URL"), "{code} {message}");
        let (code, message, _) = closed.error(tool, &arguments(tool));
        assert!(
            code == "SERVICE_ERROR" && message.contains(&format!("127.0.0.1:{port}")),
            "{code} {message}"
        );
    }
    assert_eq!(
        (&unset.health("locust")["status"], &unset.health("locust")["required"]),
        (&json!("down"), &json!(false))
    );
    assert_eq!(closed.health("locust")["status"], "down");
    assert!(!closed.program.log().contains("hunter2"), "a password in the log");
}

/// Answers every request with this text; a fake, because no real Locust answers so.
fn answers_with(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(move || {
        for mut client in listener.incoming().flatten() {
            spawn(move || {
                let _read = client.read(&mut [0; 4096]);
                let _written = client.write_all(answer.as_bytes());
            });
        }
    });
    port
}

#[test]
fn what_is_not_locust_is_told_from_it() {
    for (answer, code, words) in [
        ("HTTP/1.0 200 OK\r\n\r\n<html>welcome</html>", "SERVICE_ERROR", "does not answer as locust does"),
        ("HTTP/1.0 200 OK\r\n\r\n{\"state\": \"ready\"}", "SERVICE_ERROR", "does not answer as locust does"),
        ("HTTP/1.0 404 Not Found\r\n\r\nno such page", "VALIDATION_ERROR", "answered 404"),
        ("HTTP/1.0 503 Busy\r\n\r\n", "SERVICE_ERROR", "answered 503"),
        ("HTTP/1.0 401 Unauthorized\r\n\r\n", "AUTHENTICATION_ERROR", "answered 401"),
        (
            "HTTP/1.0 301 Moved\r\nLocation: https://elsewhere.example/\r\n\r\n",
            "SERVICE_ERROR",
            "redirects to",
        ),
        ("nonsense\r\n\r\n", "SERVICE_ERROR", "broke off"),
    ] {
        let server = Server::start(&["--locust-url", &format!("http://127.0.0.1:{}", answers_with(answer))]);
        for tool in TOOLS {
            let (found, message, _) = server.error(tool, &arguments(tool));
            assert!(found == code && message.contains(words), "{tool} {answer:?}: {found} {message}");
        }
    }
}
