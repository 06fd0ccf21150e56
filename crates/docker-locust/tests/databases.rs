//! `check_database_status` against real databases on loopback: Debian's PostgreSQL, MariaDB and Redis, each with
//! an empty folder of its own. One that is not installed is reported as skipped.

#![expect(clippy::unwrap_used, reason = "a test's functions fail by panicking, outside of #[test] too")]
#![expect(dead_code, reason = "the modules are shared with the Locust tests, which use more of them")]

#[path = "locust/program.rs"]
mod program;
#[path = "locust/server.rs"]
mod server;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::spawn;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use program::{Program, free_port, missing, wait};
use server::Server;

/// What the check says of the databases, by name.
fn check(server: &Server) -> Value {
    let answer = server.ok("check_database_status", &json!({}));
    serde_json::from_str(answer["result"].as_str().unwrap()).unwrap()
}

fn of<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["databases"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap()
}

/// The program, from PATH or from where Debian keeps it.
fn installed(what: &str, names: &[&str]) -> Option<PathBuf> {
    let postgres = (10..30).rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let folders: Vec<PathBuf> =
        ["/usr/sbin", "/usr/bin"].into_iter().map(PathBuf::from).chain(postgres).collect();
    let found =
        names.iter().flat_map(|name| folders.iter().map(move |it| it.join(name))).find(|it| it.exists());
    if found.is_none() {
        missing(what, &format!("{} is not installed", names[0]));
    }
    found
}

/// A folder that the unprivileged user below can use, and a command as that user: databases refuse to be root.
fn unprivileged(program: &Path, folder: &TempDir) -> Command {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    if id != b"0\n" {
        return Command::new(program);
    }
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]).arg(program);
    command
}

fn run(mut command: Command, folder: &TempDir) {
    let output = command.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// PostgreSQL with this way to log in (`trust` asks for nothing).
fn postgres(auth: &str) -> Option<(Program, u16)> {
    let program = installed("postgresql", &["postgres"])?;
    let folder = tempfile::tempdir().unwrap();
    let mut init = unprivileged(&program.with_file_name("initdb"), &folder);
    std::fs::write(folder.path().join("password"), "hunter2").unwrap();
    init.args([
        "-D",
        "data",
        "-U",
        "postgres",
        "-A",
        auth,
        "--pwfile",
        "password",
        "--no-sync",
        "--locale",
        "C",
    ]);
    run(init, &folder);
    let port = free_port();
    let mut command = unprivileged(&program, &folder);
    command.args(["-D", "data", "-h", "127.0.0.1", "-p", &port.to_string(), "-k"]).arg(folder.path());
    Some((Program::start(command, folder), port))
}

fn mariadb() -> Option<(Program, u16, PathBuf)> {
    let program = installed("mariadb", &["mariadbd"])?;
    let folder = tempfile::tempdir().unwrap();
    let mut init = unprivileged(Path::new("/usr/bin/mariadb-install-db"), &folder);
    let data = format!("--datadir={}", folder.path().join("data").display());
    init.args(["--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"]);
    run(init, &folder);
    let port = free_port();
    let socket = folder.path().join("socket");
    let mut command = unprivileged(&program, &folder);
    command.args(["--no-defaults", &data, "--bind-address=127.0.0.1", "--max-connect-errors=2"]);
    command.arg(format!("--port={port}")).arg(format!("--socket={}", socket.display()));
    Some((Program::start(command, folder), port, socket))
}

fn redis(more: &[&str]) -> Option<(Program, u16)> {
    let program = installed("redis", &["redis-server"])?;
    let port = free_port();
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]).args(more);
    Some((Program::start(command, tempfile::tempdir().unwrap()), port))
}

/// Waits until the database is up and gives what was said of it.
fn up(server: &Server, name: &str) -> Value {
    wait(name, Duration::from_secs(30), || {
        let found = of(&check(server), name).clone();
        (found["reachable"] == true && found.get("error").is_none()).then_some(found)
    })
}

#[test]
fn postgres_is_known_with_and_without_a_password() {
    let (Some((locked, port)), Some((_open, open_port))) = (postgres("scram-sha-256"), postgres("trust"))
    else {
        return;
    };
    let databases = format!(
        "locked=postgres://app:hunter2@127.0.0.1:{port}/orders,open=postgresql://127.0.0.1:{open_port}"
    );
    let server = Server::start(&["--database", &databases]);
    let found = up(&server, "locked");
    assert_eq!(
        (&found["kind"], &found["address"]),
        (&json!("postgres"), &json!(format!("127.0.0.1:{port}")))
    );
    assert!(found["latency_ms"].as_f64().unwrap() > 0.0 && found.get("version").is_none(), "{found}");
    assert!(up(&server, "open")["version"].as_str().unwrap().starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(check(&server)["up"], 2);
    let log = locked.log();
    let told = |line: &str| line.contains("FATAL: ") && !line.contains("starting up");
    assert!(!log.lines().any(told), "the check shows in the database's log:\n{log}");
    assert!(!check(&server).to_string().contains("hunter2") && !server.program.log().contains("hunter2"));
}

#[test]
fn mariadb_is_known_and_counts_no_broken_handshakes() {
    let Some((mut mariadb, port, socket)) = mariadb() else { return };
    let server = Server::start(&["--database", &format!("orders=mariadb://127.0.0.1:{port}")]);
    let found = up(&server, "orders");
    assert_eq!(found["kind"], "mysql");
    assert!(found["version"].as_str().unwrap().contains("MariaDB"), "{found}");
    // A client that leaves after the greeting is counted here; so would we be, and be blocked in the end.
    for _ in 0..5 {
        check(&server);
    }
    let status = Command::new("/usr/bin/mariadb")
        .args([
            "--no-defaults",
            "-uroot",
            "-N",
            "-e",
            "show global status like 'Aborted_connects_preauth'",
            "-S",
        ])
        .arg(&socket)
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    assert_eq!(String::from_utf8_lossy(&status.stdout).trim(), "Aborted_connects_preauth\t0");
    mariadb.terminate();
    assert_eq!(of(&check(&server), "orders")["reachable"], false);
}

#[test]
fn redis_is_known_with_and_without_a_password() {
    let (Some((_open, open)), Some((_locked, locked))) = (redis(&[]), redis(&["--requirepass", "hunter2"]))
    else {
        return;
    };
    let databases = format!("open=redis://127.0.0.1:{open},locked=redis://:hunter2@127.0.0.1:{locked}");
    let server = Server::start(&["--database", &databases]);
    assert!(up(&server, "open")["version"].as_str().unwrap().contains('.'));
    assert_eq!(up(&server, "locked").get("version"), None);
}

#[test]
fn what_is_no_database_is_told_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let echo = TcpListener::bind("127.0.0.1:0").unwrap();
    let (silent_port, echo_port) = (silent.local_addr().unwrap().port(), echo.local_addr().unwrap().port());
    spawn(move || {
        for mut client in echo.incoming().flatten() {
            spawn(move || std::io::copy(&mut client.try_clone().unwrap(), &mut client));
        }
    });
    let closed = free_port();
    let mut databases = vec![];
    for kind in ["postgres", "mysql", "redis"] {
        for (name, port) in [("closed", closed), ("silent", silent_port), ("echo", echo_port)] {
            databases.push(format!("{kind}-{name}={kind}://127.0.0.1:{port}"));
        }
    }
    let server = Server::start(&["--database", &databases.join(",")]);
    let asked = Instant::now();
    let report = check(&server);
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!((&report["total"], &report["up"]), (&json!(9), &json!(0)));
    assert!(report["containers_error"].as_str().unwrap().contains("unreachable"), "there is no engine here");
    for kind in ["postgres", "mysql", "redis"] {
        let error = |name: &str| of(&report, &format!("{kind}-{name}"))["error"].as_str().unwrap().to_owned();
        assert!(error("closed").contains("refused"), "{}", error("closed"));
        assert!(error("silent").contains("no answer within 2 s"), "{}", error("silent"));
        if kind != "mysql" {
            // A MySQL client is silent until it is spoken to.
            assert!(error("echo").contains("does not speak as"), "{}", error("echo"));
        }
    }
    drop(silent);
}

#[test]
fn without_engine_and_configuration_it_is_an_error() {
    let server = Server::start(&[]);
    let (code, message, _) = server.error("check_database_status", &json!({}));
    assert!(code == "SERVICE_ERROR" && message.contains("docker engine"), "{code} {message}");
}
