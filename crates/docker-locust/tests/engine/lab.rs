//! A corner of a real engine for one test: containers, volumes and addresses under a name of its own, taken
//! down when the test ends, however it ends.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const IMAGE: &str = "gantry/busybox:test";
const BUSYBOX: &str = "/bin/busybox";
const COMMANDS: [&str; 10] =
    ["sh", "sleep", "cat", "echo", "test", "httpd", "wget", "nslookup", "touch", "seq"];

/// How many labs use the shared networks, and the networks' subnet.
static NETWORKS: Mutex<(usize, u8)> = Mutex::new((0, 0));
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The engine to test with, or why there is none. With `CI=true` there must be one.
#[expect(clippy::disallowed_methods, reason = "a test has no clap arguments")]
pub(crate) fn socket() -> Option<&'static str> {
    static SOCKET: OnceLock<Result<String, String>> = OnceLock::new();
    let found = SOCKET.get_or_init(|| {
        let host =
            std::env::var("GANTRY_TEST_DOCKER_HOST").map_err(|_| "GANTRY_TEST_DOCKER_HOST is not set")?;
        let socket =
            host.strip_prefix("unix://").ok_or("GANTRY_TEST_DOCKER_HOST must be unix://…")?.to_owned();
        if !Path::new(BUSYBOX).exists() {
            return Err(format!("there is no static {BUSYBOX}"));
        }
        make_image(&socket);
        Ok(socket)
    });
    match found {
        Ok(socket) => Some(socket),
        Err(reason) => {
            skip(&format!("skipped: docker engine: {reason}"));
            None
        }
    }
}

/// Told past the test harness, which swallows what a passing test prints, and to the runner's list of skips.
#[expect(clippy::disallowed_methods, reason = "a test has no clap arguments")]
fn skip(line: &str) {
    if let Ok(list) = std::env::var("GANTRY_TEST_SKIPS") {
        let list = std::fs::OpenOptions::new().append(true).create(true).open(list);
        list.and_then(|mut list| writeln!(list, "{line}")).unwrap();
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{line}");
    let _unheard = writeln!(std::io::stderr(), "{line}");
}

fn make_image(socket: &str) {
    let root = tempfile::tempdir().unwrap();
    let bin = root.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir_all(root.path().join("tmp")).unwrap();
    std::fs::copy(BUSYBOX, bin.join("busybox")).unwrap();
    for command in COMMANDS {
        std::os::unix::fs::symlink("busybox", bin.join(command)).unwrap();
    }
    let tar = Command::new("tar").arg("-C").arg(root.path()).args(["-c", "."]).output().unwrap();
    let mut import = docker_command(socket, &["import", "-", IMAGE]).stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(&tar.stdout).unwrap();
    assert!(import.wait().unwrap().success());
}

fn docker_command(socket: &str, args: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command
        .args(["-H", &format!("unix://{socket}")])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// One test's part of the engine.
pub(crate) struct Lab {
    pub(crate) socket: &'static str,
    /// What every container and volume of the test begins with.
    pub(crate) scope: String,
    pub(crate) folder: TempDir,
    pub(crate) address: String,
    number: u32,
}

impl Lab {
    /// `None` when there is no engine; the reason has been told.
    pub(crate) fn new() -> Option<Self> {
        let socket = socket()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let scope = format!("gt{}x{number:03}", std::process::id());
        let mut networks = NETWORKS.lock().unwrap_or_else(PoisonError::into_inner);
        if networks.0 == 0 {
            networks.1 = make_networks(socket);
        }
        networks.0 += 1;
        let address = format!("10.{}.{}.{}", networks.1, number / 200, 10 + number % 200);
        drop(networks);
        Some(Self { socket, scope, folder: tempfile::tempdir().unwrap(), address, number })
    }

    /// The docker program; its output, trimmed. It must succeed.
    pub(crate) fn docker(&self, args: &[&str]) -> String {
        run(self.socket, args).unwrap_or_else(|error| panic!("docker {args:?}: {error}"))
    }

    /// A container of the test image, by the words of a `docker run -d` or `docker create`; its name.
    pub(crate) fn container(&self, name: &str, words: &str, command: &[&str]) -> String {
        let name = self.name(name);
        let words: Vec<_> = words.split_whitespace().chain(["--name", &name, IMAGE]).collect();
        self.docker(&[&words, command].concat());
        name
    }

    /// A container's name in this lab.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.scope)
    }

    pub(crate) fn front(&self) -> String {
        format!("gt{}-front", std::process::id())
    }

    pub(crate) fn back(&self) -> String {
        format!("gt{}-back", std::process::id())
    }

    /// A running container with everything that a careless replacement would lose.
    pub(crate) fn web(&self) -> String {
        let name = self.name("web");
        let port = format!("127.0.0.1:{}:80", 21_000 + self.number);
        let volume = format!("{}:/named", self.name("named"));
        self.docker(&[
            "run",
            "-d",
            "--name",
            &name,
            "--network",
            &self.front(),
            "--ip",
            &self.address,
            "--network-alias",
            "www",
            "--network-alias",
            "shop",
            "-p",
            &port,
            "-v",
            &volume,
            "-v",
            "/anon",
            "-m",
            "64m",
            "--cpus",
            "0.5",
            "--restart",
            "always",
            "--stop-timeout",
            "1",
            "-l",
            "app=shop",
            "-e",
            "MODE=good",
            "-e",
            "OTHER=kept",
            "--health-cmd",
            "test \"$MODE\" != bad",
            "--health-interval",
            "1s",
            "--health-retries",
            "1",
            IMAGE,
            "sh",
            "-c",
            "echo started $MODE; exec httpd -f -h /named",
        ]);
        self.docker(&["network", "connect", "--alias", "api", &self.back(), &name]);
        self.docker(&["exec", &name, "sh", "-c", "echo named > /named/file; echo anonymous > /anon/file"]);
        name
    }

    pub(crate) fn inspect(&self, name: &str) -> Value {
        let found: Value =
            serde_json::from_str(&self.docker(&["inspect", "--type", "container", name])).unwrap();
        found[0].clone()
    }

    /// All of this lab's containers, as name and state.
    pub(crate) fn containers(&self) -> BTreeMap<String, String> {
        let filter = format!("name={}", self.scope);
        let listed = self.docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}} {{.State}}"]);
        listed
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect()
    }

    /// A variable as the container's processes see it.
    pub(crate) fn env(&self, name: &str, key: &str) -> String {
        self.docker(&["exec", name, "sh", "-c", &format!("echo ${key}")])
    }

    /// What must be the same before and after, in the engine's raw JSON. Whether the volumes still hold their data
    /// is asked of the running container.
    pub(crate) fn everything(&self, name: &str) -> Value {
        let mut it = self.inspect(name);
        let short = it["Id"].as_str().unwrap()[..12].to_owned();
        let mut config = it["Config"].take();
        config["Env"].take();
        if config["Hostname"] == short {
            config["Hostname"].take();
        }
        config["Labels"].as_object_mut().unwrap().retain(|key, _| !key.starts_with("io.gantry."));
        let mut host = it["HostConfig"].take();
        // Anonymous volumes are named there now; what is mounted is compared instead.
        host["Mounts"].take();
        let mut mounts: Vec<_> = it["Mounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| [&it["Type"], &it["Name"], &it["Destination"], &it["RW"]].map(Value::to_string))
            .collect();
        mounts.sort();
        let networks: BTreeMap<_, _> = it["NetworkSettings"]["Networks"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(network, endpoint)| {
                let mut aliases = endpoint["Aliases"].clone();
                if let Some(aliases) = aliases.as_array_mut() {
                    aliases.retain(|alias| *alias != short);
                }
                (network.clone(), json!([aliases, endpoint["IPAMConfig"], endpoint["DriverOpts"]]))
            })
            .collect();
        let running = it["State"]["Running"] == true;
        let data = if running {
            self.docker(&["exec", name, "cat", "/named/file", "/anon/file"])
        } else {
            String::new()
        };
        json!({
            "config": config, "host": host, "mounts": mounts, "networks": networks, "running": running,
            "data": data, "ports": it["NetworkSettings"]["Ports"], "image": it["Image"],
        })
    }

    /// Waits for a condition, and says which one when it does not come.
    pub(crate) fn wait(&self, what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(90), "no {what} in 90 s: {:?}", self.containers());
            sleep(Duration::from_millis(400));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // What is not there any more cannot be removed; that is no failure of the test.
        let filter = format!("name={}", self.scope);
        let ids = run(self.socket, &["ps", "-aq", "--filter", &filter]).unwrap_or_default();
        let named = run(self.socket, &["volume", "ls", "-q", "--filter", &filter]).unwrap_or_default();
        // Anonymous volumes that were reattached are nobody's to remove with a container.
        let mounted = ["inspect", "-f", "{{range .Mounts}}{{.Name}} {{end}}"].into_iter().chain(ids.lines());
        let mounted = run(self.socket, &mounted.collect::<Vec<_>>()).unwrap_or_default();
        for id in ids.lines() {
            let _gone = run(self.socket, &["rm", "-f", "-v", id]);
        }
        for volume in mounted.split_whitespace().chain(named.lines()) {
            let _gone = run(self.socket, &["volume", "rm", volume]);
        }
        let mut networks = NETWORKS.lock().unwrap_or_else(PoisonError::into_inner);
        networks.0 -= 1;
        if networks.0 == 0 {
            let _gone = run(self.socket, &["network", "rm", &self.front(), &self.back()]);
        }
    }
}

fn make_networks(socket: &str) -> u8 {
    let names = ["front", "back"].map(|name| format!("gt{}-{name}", std::process::id()));
    run(socket, &["network", "create", &names[1]]).unwrap();
    let free = (200..250).find(|octet| {
        run(socket, &["network", "create", "--subnet", &format!("10.{octet}.0.0/16"), &names[0]]).is_ok()
    });
    free.expect("a free subnet")
}

fn run(socket: &str, args: &[&str]) -> Result<String, String> {
    let output = docker_command(socket, args).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
