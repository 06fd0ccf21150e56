//! The earlier server's names on a real engine: its shape, and what is really there.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::{IMAGE, Lab};
use crate::proxy::Proxy;
use crate::server::Server;

fn start(lab: &Lab, more: &[&str]) -> Server {
    let proxy = Proxy::start(lab, None);
    Server::start(lab, &format!("unix://{}", proxy.path.display()), more)
}

/// The string that every alias answers with, and nothing beside it.
fn text(server: &Server, alias: &str, arguments: &Value) -> String {
    let answer = server.ok(alias, arguments);
    assert_eq!(answer.as_object().unwrap().len(), 1, "{alias}: {answer}");
    answer["result"].as_str().unwrap().to_owned()
}

fn facts(server: &Server, alias: &str) -> Value {
    serde_json::from_str(&text(server, alias, &json!({}))).unwrap()
}

#[test]
fn aliases_do_what_their_tools_do() {
    let Some(lab) = Lab::new() else { return };
    let web = lab.web();
    let server = start(&lab, &[]);
    lab.wait("log", || text(&server, "get_service_logs", &json!({"service": web})).contains("started good"));
    assert_eq!(text(&server, "get_service_logs", &json!({"service": web, "lines": 1})), "started good\n");
    let listed = facts(&server, "docker_ps");
    assert_eq!((&listed[0]["name"], listed.as_array().unwrap().len()), (&json!(web), 1));

    let before = lab.inspect(&web)["State"]["StartedAt"].clone();
    let told = text(&server, "restart_service", &json!({"service": web}));
    assert_eq!(told, format!("{web} was restarted and is running"));
    assert_ne!(lab.inspect(&web)["State"]["StartedAt"], before);

    let update = json!({"service": web, "key": "MODE", "value": "better-value"});
    let told = text(&server, "update_configuration", &update);
    assert_eq!(lab.env(&web, "MODE"), "better-value");
    assert!(!told.contains("better-value") && !server.log().contains("better-value"), "{told}");
}

#[test]
fn a_failure_is_an_error_that_names_the_field() {
    let Some(lab) = Lab::new() else { return };
    let server = start(&lab, &["--deny-tools", "docker_restart"]);
    for alias in ["get_service_logs", "update_configuration"] {
        let (status, error) = server.call(alias, &json!({"service": "nobody", "key": "A", "value": "b"}));
        assert_eq!((status, &error["error"]), (400, &json!("VALIDATION_ERROR")), "{error}");
        assert_eq!(error["details"]["field"], "service");
        let (_, error) = server.call(alias, &json!({"key": "A", "value": "b"}));
        assert_eq!(error["details"]["field"], "service", "{error}");
    }
    let (status, error) = server.call("restart_service", &json!({"service": "nobody"}));
    assert_eq!((status, &error["error"]), (403, &json!("FORBIDDEN")), "what is denied is denied by any name");
}

#[test]
fn health_and_diagnostics_show_who_is_in_trouble() {
    let Some(lab) = Lab::new() else { return };
    let (fine, broken) = (lab.name("fine"), lab.name("broken"));
    lab.docker(&["run", "-d", "--network", "none", "--name", &fine, IMAGE, "sleep", "1000"]);
    let server = start(&lab, &[]);
    assert_eq!(
        facts(&server, "check_system_health")["containers"],
        json!({"total": 1, "running": 1, "trouble": []})
    );

    lab.docker(&[
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        &broken,
        IMAGE,
        "sh",
        "-c",
        "echo no database >&2; exit 3",
    ]);
    lab.wait("exit", || lab.inspect(&broken)["State"]["Status"] == "exited");
    let health = facts(&server, "check_system_health");
    assert_eq!((&health["status"], &health["docker"]["status"]), (&json!("degraded"), &json!("up")));
    assert_eq!(health["containers"]["trouble"][0]["name"], broken);
    assert!(health["locust"]["message"].as_str().unwrap().contains("LOCUST_URL"), "{health}");
    assert!(health["disk"]["message"].as_str().unwrap().contains("GiB"), "{health}");

    let found = facts(&server, "run_diagnostics");
    assert_eq!(found["states"].as_array().unwrap().len(), 2);
    assert_eq!(found["logs"], json!([{"name": broken, "lines": "no database\n"}]));
    assert!(found["locust"]["error"].as_str().unwrap().contains("LOCUST_URL"), "{found}");
    assert_eq!(found["databases"], json!({"databases": [], "total": 0, "up": 0}));
}

#[test]
fn diagnostics_fit_an_answer_whatever_is_in_the_logs() {
    let Some(lab) = Lab::new() else { return };
    // Quotes are the worst: each is escaped twice.
    let script =
        "line=$(seq -s '\"\"\"\"\"\"\"' 1 2000); for i in $(seq 20); do echo \"$line\"; done; exit 3";
    let name = lab.container("loud", "run -d --network none", &["sh", "-c", script]);
    lab.wait("exit", || lab.inspect(&name)["State"]["Status"] == "exited");
    let server = start(&lab, &[]);
    let found = facts(&server, "run_diagnostics");
    assert!(found["logs"][0]["lines"].as_str().unwrap().ends_with("2000\n"), "the end is what tells");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no clap arguments")]
fn databases_are_found_among_the_containers() {
    let Some(lab) = Lab::new() else { return };
    if !Path::new("/usr/bin/redis-server").exists() {
        assert!(std::env::var("CI").is_err(), "redis in a container: redis-server is not installed");
        println!("skipped: redis in a container: redis-server is not installed");
        return;
    }
    // This machine's own Redis, because no image can be taken for granted.
    let front = lab.front();
    let redis = |name: &str, more: &[&str]| {
        let name = lab.name(name);
        let folders =
            ["-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro", "-v", "/etc:/etc:ro"];
        let command =
            [IMAGE, "/usr/bin/redis-server", "--protected-mode", "no", "--save", "", "--dir", "/tmp"];
        let args = [
            &["run", "-d", "--network", &front, "--name", &name, "--expose", "6379"],
            &folders[..],
            more,
            &command,
        ]
        .concat();
        lab.docker(&args);
        name
    };
    let (inner, published) = (redis("inner", &[]), redis("published", &["-p", "127.0.0.1::6379"]));
    lab.docker(&[
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        &lab.name("web"),
        "--expose",
        "80",
        IMAGE,
        "sleep",
        "1000",
    ]);
    let server = start(&lab, &[]);
    lab.wait("databases", || facts(&server, "check_database_status")["up"] == 2);
    let found = facts(&server, "check_database_status");
    let of =
        |name: &str| found["databases"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
    assert!(of(&published)["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{found}");
    let own =
        lab.inspect(&inner)["NetworkSettings"]["Networks"][&front]["IPAddress"].as_str().unwrap().to_owned();
    assert_eq!(of(&inner)["address"], format!("{own}:6379"));
    assert!(of(&inner)["version"].is_string() && of(&inner)["latency_ms"].is_f64(), "{found}");
    lab.docker(&["pause", &inner]);
    let asked = std::time::Instant::now();
    let found = facts(&server, "check_database_status");
    assert!(asked.elapsed() < Duration::from_secs(4));
    assert_eq!(
        (&found["up"], &found["total"]),
        (&json!(1), &json!(1)),
        "a paused container does not run: {found}"
    );
}
