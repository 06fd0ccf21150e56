//! `docker_update_env` on a real engine: what stays, what comes back, what is refused.

use std::thread::{scope, sleep};
use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::{IMAGE, Lab};
use crate::proxy::Proxy;
use crate::server::Server;

fn start(lab: &Lab, more: &[&str]) -> Server {
    let proxy = Proxy::start(lab, None);
    Server::start(lab, &format!("unix://{}", proxy.path.display()), more)
}

fn set(service: &str, value: &str) -> Value {
    json!({"service_name": service, "key": "MODE", "value": value})
}

#[test]
fn keeps_everything() {
    let Some(lab) = Lab::new() else { return };
    let web = lab.web();
    let (before, old) = (lab.everything(&web), lab.inspect(&web));
    let server = start(&lab, &[]);

    let answer = server.ok("docker_update_env", &set(&web, "better-value"));
    assert_eq!(
        (&answer["changed"], &answer["was_set"], &answer["value"]),
        (&json!(true), &json!(true), &json!("***"))
    );
    assert_eq!(answer["previous_container_id"], old["Id"]);
    assert_eq!(answer["verified"], "its health check passed");
    assert_eq!(answer.get("kept"), None, "{answer}");
    assert_eq!(lab.env(&web, "MODE"), "better-value");
    assert_eq!(lab.env(&web, "OTHER"), "kept");
    assert_eq!(lab.everything(&web), before);
    assert_eq!(lab.containers().len(), 1);

    // Its address, both aliases and the published port work, not only stand in the configuration.
    let ask = |network: &str, host: &str| {
        let url = format!("http://{host}/file");
        lab.docker(&[
            "run",
            "--rm",
            "--network",
            network,
            "--name",
            &lab.name("ask"),
            IMAGE,
            "wget",
            "-qO-",
            &url,
        ])
    };
    assert_eq!(ask(&lab.front(), &lab.address), "named");
    assert_eq!(ask(&lab.front(), &web), "named");
    assert_eq!(
        lab.inspect(&web)["NetworkSettings"]["Networks"][lab.front()]["IPAddress"],
        json!(lab.address)
    );

    // The same value again changes nothing.
    let again = server.ok("docker_update_env", &set(&web, "better-value"));
    assert_eq!((&again["changed"], &again["container_id"]), (&json!(false), &answer["container_id"]));
    // A second real change finds the anonymous volume again, and the journal's labels do not pile up.
    server.ok("docker_update_env", &set(&web, "best"));
    assert_eq!(lab.everything(&web), before);
    let labels = lab.inspect(&web)["Config"]["Labels"].as_object().unwrap().len();
    assert_eq!(labels, 1 + 5);
    assert!(!server.log().contains("better-value"), "a value is in the log");
}

#[test]
fn an_unhealthy_value_brings_the_old_one_back() {
    let Some(lab) = Lab::new() else { return };
    let web = lab.web();
    let (before, old) = (lab.everything(&web), lab.inspect(&web)["Id"].clone());
    let server = start(&lab, &[]);
    let (status, answer) = server.call("docker_update_env", &set(&web, "bad"));
    assert_eq!((status, &answer["error"]), (502, &json!("SERVICE_ERROR")));
    assert_eq!(answer["details"]["rolled_back"], true);
    assert_eq!(answer["details"]["logs"], json!(["started bad"]));
    assert_eq!(lab.inspect(&web)["Id"], old, "the very same container");
    assert_eq!(lab.everything(&web), before);
    assert_eq!(lab.env(&web, "MODE"), "good");
    assert_eq!(lab.containers().len(), 1);
}

#[test]
fn one_that_ends_at_once_or_cannot_start_brings_the_old_one_back() {
    let Some(lab) = Lab::new() else { return };
    let script = "case $MODE in bad) exit 3;; esac; exec sleep 1000";
    let words = "run -d --stop-timeout 1 --restart on-failure:5 -e MODE=good";
    let name = lab.container("app", words, &["sh", "-c", script]);
    let server = start(&lab, &[]);
    let (status, answer) = server.call("docker_update_env", &set(&name, "bad"));
    assert_eq!(status, 502, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("code 3"), "{answer}");
    assert_eq!(
        lab.inspect(&name)["HostConfig"]["RestartPolicy"],
        json!({"Name": "on-failure", "MaximumRetryCount": 5})
    );
    assert_eq!(lab.env(&name, "MODE"), "good");
    // Without a health check it has to run for 5 seconds.
    let answer = server.ok("docker_update_env", &set(&name, "fine"));
    assert_eq!(answer["verified"], "it ran for 5 seconds");
}

#[test]
fn an_old_one_that_cannot_run_twice_is_back_all_the_same() {
    let Some(lab) = Lab::new() else { return };
    let script =
        "case $MODE in bad) exit 3;; esac; test -e /tmp/ran && exit 4; touch /tmp/ran; exec sleep 1000";
    let name = lab.container("once", "run -d --stop-timeout 1 -e MODE=good", &["sh", "-c", script]);
    let old = lab.inspect(&name)["Id"].clone();
    let server = start(&lab, &[]);
    let (status, answer) = server.call("docker_update_env", &set(&name, "bad"));
    assert_eq!((status, &answer["details"]["rolled_back"]), (502, &json!(true)), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("ended by itself"), "{answer}");
    assert_eq!(lab.inspect(&name)["Id"], old);
    assert_eq!(lab.containers().len(), 1, "nothing is left to be undone");
}

#[test]
fn a_container_in_another_ones_network_may_have_an_image_with_ports() {
    let Some(lab) = Lab::new() else { return };
    let sleep = &["sleep", "1000"];
    let base = lab.container("base", &format!("run -d --network {}", lab.front()), sleep);
    let image = lab.name("image");
    lab.docker(&["commit", "--change", "EXPOSE 80", &base, &image]);
    let (name, network) = (lab.name("joined"), format!("container:{base}"));
    lab.docker(&[
        "run",
        "-d",
        "--stop-timeout",
        "1",
        "--network",
        &network,
        "--name",
        &name,
        &image,
        "sleep",
        "1000",
    ]);
    let before = lab.inspect(&name)["Config"]["ExposedPorts"].clone();
    let server = start(&lab, &[]);
    server.ok("docker_update_env", &set(&name, "set"));
    let after = lab.inspect(&name);
    assert_eq!((&after["Config"]["ExposedPorts"], &before), (&json!({"80/tcp": {}}), &json!({"80/tcp": {}})));
    assert_eq!(lab.env(&name, "MODE"), "set");
    lab.docker(&["rm", "-f", &name]);
    lab.docker(&["rmi", &image]);
}

#[test]
fn a_client_that_leaves_changes_nothing_about_it() {
    let Some(lab) = Lab::new() else { return };
    let web = lab.web();
    let before = lab.everything(&web);
    let server = start(&lab, &[]);
    for (value, expected, word) in
        [("better", "better", "change ended well"), ("bad", "better", "change failed after")]
    {
        let request = server.send("docker_update_env", &set(&web, value));
        lab.wait("stopped container", || lab.containers().keys().any(|name| name.contains("-gantry-old-")));
        drop(request);
        lab.wait("end", || server.log().contains(word));
        assert_eq!(lab.env(&web, "MODE"), expected);
        assert_eq!(lab.everything(&web), before);
        assert_eq!(lab.containers().len(), 1);
    }
}

#[test]
fn two_changes_at_once_follow_each_other() {
    let Some(lab) = Lab::new() else { return };
    let web = lab.web();
    let before = lab.everything(&web);
    let (one, two) = (start(&lab, &[]), start(&lab, &[]));
    scope(|threads| {
        for (server, key) in [(&one, "A"), (&one, "B"), (&two, "C")] {
            let change = json!({"service_name": web, "key": key, "value": "set"});
            threads.spawn(move || server.ok("docker_update_env", &change));
        }
        // A restart in between waits as well.
        threads.spawn(|| one.ok("docker_restart", &json!({"service_name": web})));
    });
    assert_eq!(lab.env(&web, "A$B$C"), "setsetset");
    assert_eq!(lab.everything(&web), before);
    assert_eq!(lab.containers().len(), 1);
}

#[test]
fn what_cannot_be_replaced_is_refused_and_stays() {
    let Some(lab) = Lab::new() else { return };
    let sleep = &["sleep", "1000"];
    let run = format!("run -d --network {}", lab.front());
    let gone = lab.container("gone", &format!("{run} --rm"), sleep);
    let paused = lab.container("paused", &run, sleep);
    lab.docker(&["pause", &paused]);
    let base = lab.container("base", &run, sleep);
    lab.container("joined", &format!("run -d --network container:{base}"), sleep);
    let linked = lab.container("linked", "create", sleep);
    lab.container("linking", &format!("create --link {linked}"), sleep);
    let swarm = lab.container("swarm", "create -l com.docker.swarm.service.id=x", sleep);
    let before = lab.containers();
    let server = start(&lab, &[]);
    for (name, word) in
        [(gone, "--rm"), (paused, "unpause"), (base, "joined"), (linked, "linking"), (swarm, "swarm")]
    {
        let (status, answer) = server.call("docker_update_env", &set(&name, "x"));
        assert_eq!((status, &answer["error"]), (400, &json!("VALIDATION_ERROR")), "{answer}");
        assert_eq!(answer["details"]["field"], "service_name");
        assert!(answer["message"].as_str().unwrap().contains(word), "{answer}");
    }
    assert_eq!(lab.containers(), before);
}

#[test]
fn changed_files_are_listed_and_their_container_is_kept_for_its_time() {
    let Some(lab) = Lab::new() else { return };
    let web = lab.web();
    lab.docker(&["exec", &web, "touch", "/tmp/written"]);
    let old = lab.inspect(&web)["Id"].clone();
    let server = start(&lab, &["--keep-replaced", "12s"]);
    let answer = server.ok("docker_update_env", &set(&web, "better"));
    assert_eq!(answer["kept"]["changes"], json!(["C /tmp", "A /tmp/written"]));
    assert_eq!(answer["kept"]["changes_total"], 2);
    let kept = answer["kept"]["name"].as_str().unwrap();
    let inspected = lab.inspect(kept);
    assert_eq!((&inspected["Id"], &inspected["State"]["Running"]), (&old, &json!(false)));
    assert_eq!(inspected["HostConfig"]["RestartPolicy"]["Name"], "no", "an engine that starts must leave it");
    assert_eq!(lab.inspect(&web)["Config"]["Labels"]["io.gantry.replace.old"], old);
    let (status, refused) = server.call("docker_update_env", &set(kept, "x"));
    assert_eq!(status, 400, "{refused}");
    lab.wait("end of its time", || !lab.containers().contains_key(kept));
    assert_eq!(lab.docker(&["exec", &web, "cat", "/anon/file"]), "anonymous", "its volume lives on");
}

#[test]
fn compose_is_mentioned_and_a_stopped_container_stays_stopped() {
    let Some(lab) = Lab::new() else { return };
    let service = lab.name("api");
    let words = format!("create -l com.docker.compose.service={service} --restart always -e MODE=a");
    let name = lab.container("shop-api-1", &words, &["sleep", "1000"]);
    let server = start(&lab, &[]);
    let answer = server.ok("docker_update_env", &set(&service, "b"));
    assert_eq!(answer["service_name"], name);
    let notes = answer["notes"].to_string();
    assert!(notes.contains("docker compose up") && notes.contains("stays so"), "{notes}");
    let after = lab.inspect(&name);
    assert_eq!(
        (&after["State"]["Status"], &after["Config"]["Env"][0]),
        (&json!("created"), &json!("MODE=b"))
    );
    assert_eq!(after["HostConfig"]["RestartPolicy"]["Name"], "always");
    assert_eq!(lab.containers().len(), 1);
}

#[test]
fn the_server_does_not_touch_its_own_container() {
    let Some(lab) = Lab::new() else { return };
    let proxy = Proxy::start(&lab, None);
    let front = lab.front();
    let other =
        lab.container("other", &format!("run -d --network {front} --stop-timeout 1"), &["sleep", "1000"]);
    let program = env!("CARGO_BIN_EXE_gantry-docker-locust");
    let folder = lab.folder.path().display();
    let socket = format!("unix:///lab/{}", proxy.path.file_name().unwrap().to_str().unwrap());
    let port = 24_000 + std::process::id() % 1000;
    let libraries = "-v /lib:/lib:ro -v /lib64:/lib64:ro -v /usr:/usr:ro";
    let name = lab.container(
        "self",
        &format!("run -d --network {front} -p 127.0.0.1:{port}:8002 {libraries} -v {program}:/gantry:ro -v {folder}:/lab"),
        &["/gantry", "--docker-host", &socket, "--listen", "0.0.0.0:8002", "--auth", "none", "--allowed-hosts", "*", "--state-dir", "/lab/inner"],
    );
    let server = Server::inside(([127, 0, 0, 1], u16::try_from(port).unwrap()).into());
    lab.wait("server inside", || server.answers());
    for (tool, more) in
        [("docker_restart", json!({})), ("docker_update_env", json!({"key": "A", "value": "b"}))]
    {
        let mut arguments = more;
        arguments["service_name"] = json!(name);
        let (status, answer) = server.call(tool, &arguments);
        assert_eq!((status, &answer["error"]), (403, &json!("FORBIDDEN")), "{tool}: {answer}");
    }
    sleep(Duration::from_millis(100));
    assert_eq!(lab.containers()[&name], "running");
    server.ok("docker_restart", &json!({"service_name": other, "timeout": 1}));
}
