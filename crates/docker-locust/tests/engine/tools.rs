//! The other Docker tools on a real engine.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::thread::{sleep, spawn};
use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::{IMAGE, Lab};
use crate::proxy::Proxy;
use crate::server::Server;

fn start(lab: &Lab, more: &[&str]) -> Server {
    let proxy = Proxy::start(lab, None);
    Server::start(lab, &format!("unix://{}", proxy.path.display()), more)
}

#[test]
fn lists_what_there_is() {
    let Some(lab) = Lab::new() else { return };
    let web = lab.web();
    let idle = lab.container("idle", "create -l tier=back", &["sleep", "1"]);
    let server = start(&lab, &[]);
    lab.wait("health", || lab.inspect(&web)["State"]["Health"]["Status"] == "healthy");
    let all = server.ok("docker_container_list", &json!({}));
    assert_eq!(all["total"], 2);
    let listed = all["containers"].as_array().unwrap().iter().find(|it| it["name"] == web).unwrap();
    assert_eq!(
        (&listed["status"], &listed["health"], &listed["image"]),
        (&json!("running"), &json!("healthy"), &json!(IMAGE))
    );
    assert_eq!(listed["ports"]["80/tcp"][0]["HostIp"], "127.0.0.1");
    assert_eq!(listed["ports"], lab.inspect(&web)["NetworkSettings"]["Ports"], "in the shape of the engine");
    let names = |input: Value| server.ok("docker_container_list", &input)["containers"].to_string();
    assert!(!names(json!({"all": false})).contains(&idle));
    assert!(!names(json!({"status": "created"})).contains(&web));
    assert!(names(json!({"label": "tier=back"})).contains(&idle));
}

#[test]
fn reads_logs_of_both_kinds() {
    let Some(lab) = Lab::new() else { return };
    let server = start(&lab, &[]);
    let script = "for i in $(seq 1 300); do echo out $i; echo err $i >&2; done; exec sleep 1000";
    for (name, tty) in [("plain", "false"), ("terminal", "true")] {
        let words = format!("run -d --network {} --tty={tty}", lab.front());
        let name = lab.container(name, &words, &["sh", "-c", script]);
        let logs = |mut input: Value| {
            input["service_name"] = json!(name);
            server.ok("docker_logs", &input)
        };
        lab.wait("log", || logs(json!({"grep": " 300$"}))["lines"] == 2);
        let last = logs(json!({"lines": 3}));
        assert_eq!((&last["lines"], last["logs"]["text"].as_str().unwrap().lines().count()), (&json!(3), 3));
        let grep = logs(json!({"grep": "^err (7|29)$"}));
        assert_eq!(grep["logs"]["text"], "err 7\nerr 29\n");
        assert_eq!(logs(json!({"since": "1h"}))["lines"], 100);
        assert_eq!(logs(json!({"until": "1h"}))["lines"], 0);
        let stamped = logs(json!({"lines": 1, "timestamps": true}));
        assert!(stamped["logs"]["text"].as_str().unwrap().starts_with("20"), "{stamped}");
        if tty == "false" {
            assert_eq!(logs(json!({"stream": "stderr", "lines": 10_000}))["lines"], 300);
            assert!(!logs(json!({"stream": "stdout"}))["logs"].to_string().contains("err"));
        }
    }
}

#[test]
fn a_huge_log_is_cut_and_says_so() {
    let Some(lab) = Lab::new() else { return };
    let name = lab.container("loud", "run -d --network none", &["sh", "-c", "seq 1 400000; exec sleep 1000"]);
    let server = start(&lab, &["--max-output-bytes", "20000"]);
    let input = json!({"service_name": name, "lines": 10_000, "grep": "[0-9]"});
    lab.wait("log", || {
        server.ok("docker_logs", &input)["logs"]["text"].as_str().unwrap().ends_with("400000\n")
    });
    let answer = server.ok("docker_logs", &input);
    let (kept, left) =
        (answer["lines"].as_u64().unwrap(), answer["logs"]["truncated"]["lines"].as_u64().unwrap());
    assert_eq!(kept + left, 10_000, "{}", answer["logs"]["truncated"]);
    assert!(answer.to_string().len() < 20_000);
}

#[test]
fn restarts_and_sees_it_running() {
    let Some(lab) = Lab::new() else { return };
    let web = lab.web();
    let before = lab.inspect(&web)["State"]["StartedAt"].clone();
    let server = start(&lab, &[]);
    let answer = server.ok("docker_restart", &json!({"service_name": web, "timeout": 1}));
    assert_eq!((&answer["status"], &answer["previously_started_at"]), (&json!("running"), &before));
    assert_eq!(lab.inspect(&web)["State"]["StartedAt"], answer["started_at"]);

    let broken = lab.container("broken", "create --network none", &["sh", "-c", "exit 7"]);
    let (status, answer) = server.call("docker_restart", &json!({"service_name": broken}));
    assert_eq!(status, 502);
    assert!(answer["message"].as_str().unwrap().contains("exit code 7"), "{answer}");
}

#[test]
fn a_restart_goes_on_when_its_caller_leaves() {
    let Some(lab) = Lab::new() else { return };
    let words = format!("run -d --network {}", lab.front());
    let script = "trap '' TERM; while true; do sleep 1; done";
    let name = lab.container("deaf", &words, &["sh", "-c", script]);
    let server = start(&lab, &[]);
    let before = lab.inspect(&name)["State"]["StartedAt"].clone();
    let request = server.send("docker_restart", &json!({"service_name": name, "timeout": 3}));
    sleep(Duration::from_secs(1));
    drop(request);
    // What comes next waits for it.
    server.ok("docker_restart", &json!({"service_name": name, "timeout": 0}));
    assert!(server.log().contains("change ended well after its caller had left"), "{}", server.log());
    assert_ne!(lab.inspect(&name)["State"]["StartedAt"], before);
}

#[test]
fn inspects_without_secrets() {
    let Some(lab) = Lab::new() else { return };
    let words = "create -e DB_PASSWORD=hunter22 -l api-token=hunter22";
    let name = lab.container("db", words, &["serve", "--password", "hunter22"]);
    let server = start(&lab, &[]);
    let answer = server.ok("docker_inspect", &json!({"service_name": name}));
    assert!(!answer.to_string().contains("hunter22"), "{answer}");
    assert_eq!(answer["container"]["Config"]["Env"], json!(["DB_PASSWORD=***"]));
    let open = start(&lab, &["--reveal-env"]).ok("docker_inspect", &json!({"service_name": name}));
    assert_eq!(open["container"], lab.inspect(&name), "whole");
}

#[test]
fn bad_arguments_are_named_by_every_tool() {
    let Some(lab) = Lab::new() else { return };
    let pair = |name| lab.container(name, "create -l com.docker.compose.service=pair", &["sleep", "1"]);
    let (one, two) = (pair("pair-1"), pair("pair-2"));
    let server = start(&lab, &[]);
    let long = "x".repeat(1 << 20);
    for tool in ["docker_logs", "docker_restart", "docker_inspect", "docker_update_env"] {
        for name in [
            json!(""),
            json!("../../images/json"),
            json!("a/b"),
            json!("a\nb"),
            json!("a\u{0}b"),
            json!(long),
            json!(7),
            Value::Null,
            json!("nosuch"),
        ] {
            let (status, answer) =
                server.call(tool, &json!({"service_name": name, "key": "A", "value": "b"}));
            // A tool without these arguments names the first that it does not know.
            let field = answer["details"]["field"].as_str().unwrap_or_default();
            assert_eq!((status, &answer["error"]), (400, &json!("VALIDATION_ERROR")), "{tool}: {answer}");
            assert!(["service_name", "key", "value"].contains(&field), "{tool}: {answer}");
            assert!(answer.to_string().len() < 1000, "{tool}");
        }
        let mut arguments = json!({"service_name": "pair"});
        if tool == "docker_update_env" {
            arguments = json!({"service_name": "pair", "key": "A", "value": "b"});
        }
        let (status, answer) = server.call(tool, &arguments);
        assert_eq!((status, &answer["details"]["field"]), (400, &json!("service_name")), "{tool}: {answer}");
        let mut candidates: Vec<_> = answer["details"]["candidates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap())
            .collect();
        candidates.sort_unstable();
        assert_eq!(candidates, [&one, &two]);
    }
    for (tool, arguments, field) in [
        ("docker_logs", json!({"service_name": one, "lines": 0}), "lines"),
        ("docker_logs", json!({"service_name": one, "grep": "("}), "grep"),
        ("docker_logs", json!({"service_name": one, "since": "later"}), "since"),
        ("docker_restart", json!({"service_name": one, "timeout": 301}), "timeout"),
        ("docker_update_env", json!({"service_name": one, "key": "A=B", "value": ""}), "key"),
        ("docker_update_env", json!({"service_name": one, "key": "A", "value": long}), "value"),
        ("docker_container_list", json!({"status": "happy"}), "status"),
    ] {
        let (status, answer) = server.call(tool, &arguments);
        assert_eq!((status, &answer["details"]["field"]), (400, &json!(field)), "{tool}: {answer}");
    }
    server.ok("docker_container_list", &json!({}));
}

#[test]
fn a_missing_engine_is_named() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::start(&lab, "unix:///nonexistent/docker.sock", &[]);
    let named = json!({"service_name": "web"});
    let change = json!({"service_name": "web", "key": "A", "value": "b"});
    for (tool, arguments) in [
        ("docker_container_list", &json!({})),
        ("docker_logs", &named),
        ("docker_inspect", &named),
        ("docker_restart", &named),
        ("docker_update_env", &change),
    ] {
        let (status, answer) = server.call(tool, arguments);
        assert_eq!((status, &answer["error"]), (502, &json!("SERVICE_ERROR")), "{tool}: {answer}");
        assert_eq!(answer["details"]["setting"], "DOCKER_HOST");
    }
    let (status, ready) = server.get("/health/ready");
    assert_eq!(status, 503);
    assert!(ready["dependencies"]["docker"]["message"].as_str().unwrap().contains("DOCKER_HOST"), "{ready}");
}

#[test]
fn an_engine_on_tcp_works_too() {
    let Some(lab) = Lab::new() else { return };
    let proxy = Proxy::start(&lab, None);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut engine = UnixStream::connect(&proxy.path).unwrap();
            let (mut back, mut answer) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
            spawn(move || pump(&mut answer, &mut back));
            spawn(move || {
                pump(&mut client, &mut engine);
                engine.shutdown(std::net::Shutdown::Both)
            });
        }
    });
    let server = Server::start(&lab, &format!("tcp://{address}"), &[]);
    assert_eq!(server.ok("docker_container_list", &json!({}))["total"], 0);
    let (status, ready) = server.get("/health/ready");
    assert_eq!((status, &ready["dependencies"]["docker"]["status"]), (200, &json!("up")), "{ready}");
}

/// Copies until either side ends; ends come as errors too.
fn pump(from: &mut impl Read, to: &mut impl Write) {
    let _ended = std::io::copy(from, to);
}
