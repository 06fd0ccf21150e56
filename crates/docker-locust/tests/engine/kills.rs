//! SIGKILL of the server at every call that changes the engine: before it, in the middle of it, after it; on
//! the way there, on the way back, and while an earlier kill is being repaired.

use std::sync::Mutex;
use std::sync::mpsc::RecvTimeoutError;
use std::thread::{scope, sleep, spawn};
use std::time::Duration;

use serde_json::json;

use crate::lab::Lab;
use crate::proxy::{Moment, Proxy};
use crate::server::Server;

/// Kills under way at the same time; most of one is waiting.
const AT_ONCE: usize = 8;

#[test]
fn a_good_change_survives_a_kill_at_every_step() {
    every_kill("better", &["good", "better"]);
}

#[test]
fn a_rollback_survives_a_kill_at_every_step() {
    every_kill("bad", &["good"]);
}

#[test]
fn a_lost_state_folder_loses_nothing() {
    let Some(lab) = Lab::new() else { return };
    let web = lab.web();
    let before = lab.everything(&web);
    // The fourth call is the first after the container was stopped.
    assert!(kill_at(
        &lab,
        (Moment::Before, 4),
        Some(json!({"service_name": web, "key": "MODE", "value": "better"}))
    ));
    std::fs::remove_dir_all(lab.folder.path().join("state")).unwrap();
    let proxy = Proxy::start(&lab, None);
    let server = Server::start(&lab, &format!("unix://{}", proxy.path.display()), &["--keep-replaced", "2s"]);
    lab.wait("notice", || server.log().contains("found an unfinished replacement of another server"));
    // It could be another server's: whoever wants to change the container is told to wait.
    let (status, busy) = server.call("docker_restart", &json!({"service_name": web}));
    assert_eq!((status, &busy["error"]), (400, &json!("VALIDATION_ERROR")), "{busy}");
    assert_eq!(proxy.calls(), Vec::<String>::new());
    lab.wait("rest", || lab.containers() == [(web.clone(), "running".to_owned())].into());
    assert_eq!(lab.everything(&web), before);
    assert_eq!(lab.env(&web, "MODE"), "good");
}

/// One kill: of the server at a call, and for some of the next server at one of its calls too.
#[derive(Debug, Clone, Copy)]
struct Kill {
    moment: Moment,
    at: usize,
    again: Option<usize>,
}

fn every_kill(value: &str, allowed: &[&str]) {
    let Some(lab) = Lab::new() else { return };
    let calls = untouched(&lab, value);
    drop(lab);
    let slow = |at: &usize| ["create", "stop", "start"].iter().any(|verb| calls[at - 1].contains(verb));
    let all = 1..=calls.len();
    let kills = all.clone().map(|at| Kill { moment: Moment::Before, at, again: None });
    let kills = kills.chain(all.clone().map(|at| Kill { moment: Moment::After, at, again: None }));
    let kills =
        kills.chain(all.clone().filter(slow).map(|at| Kill { moment: Moment::During, at, again: None }));
    let kills =
        kills.chain(all.step_by(3).map(|at| Kill { moment: Moment::After, at, again: Some(1 + at % 4) }));
    let kills = Mutex::new(kills.collect::<Vec<_>>());
    println!("{value}: {} kills at {} calls: {calls:#?}", kills.lock().unwrap().len(), calls.len());
    scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                while let Some(kill) = { kills.lock().unwrap().pop() } {
                    survive(kill, value, allowed);
                }
            });
        }
    });
}

/// The change without a kill, to know its calls.
fn untouched(lab: &Lab, value: &str) -> Vec<String> {
    let web = lab.web();
    let proxy = Proxy::start(lab, None);
    let server = Server::start(lab, &format!("unix://{}", proxy.path.display()), &[]);
    let (status, _) =
        server.call("docker_update_env", &json!({"service_name": web, "key": "MODE", "value": value}));
    assert_eq!(status == 200, value != "bad");
    let calls = proxy.calls();
    assert!(calls.len() >= 9, "{calls:#?}");
    calls
}

fn survive(kill: Kill, value: &str, allowed: &[&str]) {
    let lab = Lab::new().expect("the engine was there before");
    let web = lab.web();
    let before = lab.everything(&web);

    let change = json!({"service_name": web, "key": "MODE", "value": value});
    let touched = kill_at(&lab, (kill.moment, kill.at), Some(change));
    assert!(touched, "{kill:?} was never reached");
    if let Some(again) = kill.again {
        kill_at(&lab, (Moment::After, again), None);
    }
    let proxy = Proxy::start(&lab, None);
    let server = Server::start(&lab, &format!("unix://{}", proxy.path.display()), &["--keep-replaced", "2s"]);
    lab.wait(&format!("rest after {kill:?}\n{}", server.log()), || {
        let containers = lab.containers();
        containers.len() == 1 && containers.get(&web).is_some_and(|state| state == "running")
    });

    if kill.moment == Moment::During {
        // The engine goes on with what it was asked for: the rest must be one that stays.
        sleep(Duration::from_secs(3));
    }
    let mode = lab.env(&web, "MODE");
    assert!(allowed.contains(&mode.as_str()), "{kill:?}: MODE is {mode}");
    assert_eq!(lab.everything(&web), before, "{kill:?} with MODE {mode}\n{}", server.log());
    let found = server.log().contains("found an unfinished replacement");
    if found {
        lab.wait("word of the end", || {
            ["undid it", "finished it"].iter().any(|word| server.log().contains(word))
        });
    }
    // The next server is the one that repaired it, unless the kill came before or after all that matters.
    if kill.again.is_none() && kill.moment != Moment::During && mode == "good" {
        let nothing_began = kill.moment == Moment::Before && kill.at == 1;
        let all_ended = !found && !proxy.calls().iter().any(|call| call.contains("rename"));
        assert!(found || nothing_began || (value == "bad" && all_ended), "{kill:?}: {}", server.log());
    }
    // It is usable again at once.
    let again = json!({"service_name": web, "key": "OTHER", "value": "again"});
    assert_eq!(server.ok("docker_update_env", &again)["changed"], true);
}

/// Starts a server, holds it at one of its calls, and kills it there. Whether it got there.
fn kill_at(lab: &Lab, freeze: (Moment, usize), change: Option<serde_json::Value>) -> bool {
    let proxy = Proxy::start(lab, Some(freeze));
    let mut server = Server::start(lab, &format!("unix://{}", proxy.path.display()), &[]);
    let patience = if change.is_some() { Duration::from_secs(40) } else { Duration::from_secs(6) };
    // The answer never comes; reading it ends when the server is killed.
    let call = change
        .map(|change| server.send("docker_update_env", &change))
        .map(|mut stream| spawn(move || std::io::copy(&mut stream, &mut std::io::sink()).is_ok()));
    let reached = match proxy.frozen.recv_timeout(patience) {
        Ok(()) => true,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
    };
    server.kill();
    if let Some(call) = call {
        // A connection that a killed server left may end in an error as well.
        let _ended = call.join();
    }
    reached
}
