//! What a program does besides serving, as an operator meets it: the example, run from the command line.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// cargo builds examples for a test of the package.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    test.parent().and_then(|deps| deps.parent()).expect("deps").join("examples/everything")
}

fn run(variables: &[(&str, &str)], args: &[&str]) -> Output {
    Command::new(example()).args(args).envs(variables.iter().copied()).output().expect("it runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn setting(report: &Value, name: &str) -> (Value, Value) {
    let settings = report["settings"].as_array().expect("settings");
    let setting = settings.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    (setting["value"].clone(), setting["source"].clone())
}

#[test]
fn check_tells_every_setting_and_where_it_came_from() {
    let variables = [("GANTRY_API_KEYS", "ci:read:hush-hush-hush-hush"), ("GANTRY_DEADLINE", "1m")];
    for args in
        [["--listen", "127.0.0.1:0", "check", "--json"], ["check", "--json", "--listen", "127.0.0.1:0"]]
    {
        let output = run(&variables, &args);
        let report = json_of(&output);
        assert_eq!(output.status.code(), Some(0), "{report}");
        assert_eq!((&report["status"], &report["error"]), (&json!("ready"), &Value::Null));
        assert_eq!(setting(&report, "--listen"), (json!("127.0.0.1:0"), json!("flag")));
        assert_eq!(setting(&report, "--deadline"), (json!("1m"), json!("GANTRY_DEADLINE")));
        assert_eq!(setting(&report, "--api-keys"), (json!("set"), json!("GANTRY_API_KEYS")));
        assert_eq!(setting(&report, "--sessions"), (json!("on"), json!("default")));
        assert!(!stdout(&output).contains("hush"));
    }
    let output = run(&variables, &["check", "--listen", "127.0.0.1:0"]);
    let text = stdout(&output);
    assert!(text.ends_with("\nready\n"), "{text}");
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn help_shows_what_variables_are_called_and_not_what_they_hold() {
    let variables =
        [("EVERYTHING_UPSTREAM_URL", "http://me:hush@127.0.0.1:9/"), ("GANTRY_PUBLIC_URL", "http://hush")];
    for args in [&["--help"][..], &["-h"], &["check", "--help"], &["man"]] {
        let text = stdout(&run(&variables, args));
        assert!(!text.contains("hush"), "{args:?}: {text}");
        assert!(text.contains("EVERYTHING_UPSTREAM_URL") || args == ["man"], "{args:?}: {text}");
    }
}

#[test]
fn check_refuses_what_a_start_refuses() {
    for (args, words) in [
        (vec!["--deny-tools", "nothing*"], "--deny-tools (GANTRY_DENY_TOOLS): there is no tool nothing*"),
        (vec!["--tls-cert", "x.pem"], "--tls-cert (GANTRY_TLS_CERT) needs --tls-key"),
        (vec!["--api-keys-file", "/nowhere"], "--api-keys-file (GANTRY_API_KEYS_FILE) /nowhere"),
        (vec!["--ca-file", "/nowhere"], "--ca-file"),
        (vec!["--auth", "api-key"], "--auth api-key"),
    ] {
        let output = run(&[], &[&["check", "--json", "--listen", "127.0.0.1:0"], args.as_slice()].concat());
        let report = json_of(&output);
        assert_eq!(
            (output.status.code(), &report["status"]),
            (Some(1), &json!("would_not_start")),
            "{report}"
        );
        assert!(report["error"].as_str().expect("an error").contains(words), "{report}");
        assert_eq!(
            setting(&report, args[0]),
            (json!(args[1]), json!("flag")),
            "the settings are told all the same"
        );
    }
}

#[test]
fn check_beside_a_running_server_says_how() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = run(&[], &["check", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.contains(&format!("would not start: --listen (GANTRY_LISTEN) {address}")), "{text}");
    assert!(text.contains("--listen 127.0.0.1:0"), "{text}");
}

#[test]
fn tools_are_those_of_the_settings() {
    let text = stdout(&run(&[], &["tools"]));
    assert!(text.contains("  echo ") && text.contains("  note "), "{text}");
    let output = run(&[], &["tools", "--json", "--read-only", "--allow-tools", "echo,note"]);
    let tools = json_of(&output);
    let names: Vec<_> = tools.as_array().expect("a list").iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["echo"]);
    assert_eq!(tools[0]["inputSchema"]["properties"]["text"]["type"], "string");
    assert_eq!(tools[0]["annotations"]["readOnlyHint"], true);
}

#[test]
fn configuration_of_agents() {
    let config = |args: &[&str]| run(&[("GANTRY_API_KEYS", "ci:read:hush-hush-hush-hush")], args);
    let one = |args: &[&str]| json_of(&config(&[&["config", "--agent"], args].concat()));
    let url = "https://gantry.example/everything/mcp";
    let public = ["--public-url", "https://gantry.example/everything"];
    let server = |agent| one(&[&[agent], public.as_slice()].concat());
    let claude =
        json!({"type": "http", "url": url, "headers": {"Authorization": "Bearer ${EVERYTHING_KEY}"}});
    assert_eq!(server("claude-json")["mcpServers"]["everything"], claude);
    let vscode = server("vscode");
    assert_eq!(vscode["servers"]["everything"]["headers"]["Authorization"], "Bearer ${input:everything-key}");
    assert_eq!(vscode["inputs"][0]["id"], "everything-key");
    let cursor = json!({"url": url, "headers": {"Authorization": "Bearer ${env:EVERYTHING_KEY}"}});
    assert_eq!(server("cursor")["mcpServers"]["everything"], cursor);
    let line = stdout(&config(&["config", "--agent", "claude", "--listen", "0.0.0.0:9"]));
    let expected = "claude mcp add --transport http everything http://localhost:9/mcp \
                    --header \"Authorization: Bearer $EVERYTHING_KEY\"\n";
    assert_eq!(line, expected);
    let all = stdout(&config(&["config"]));
    assert!(all.contains("# VS Code") && !all.contains("hush"), "{all}");
    let stdio = one(&["generic", "--stdio"]);
    assert_eq!(stdio["mcpServers"]["everything"]["args"], json!(["--transport", "stdio"]));
    let open = json_of(&run(&[], &["config", "--agent", "generic", "--listen", "127.0.0.1:9"]));
    assert_eq!(open["mcpServers"]["everything"], json!({"type": "http", "url": "http://127.0.0.1:9/mcp"}));
}

#[test]
fn configuration_of_agents_that_let_people_sign_in() {
    let sign_in = ["--auth", "oidc", "--oidc-issuer", "https://id.example", "--oidc-audience", "gantry"];
    let config = |args: &[&str]| run(&[], &[&["config"], sign_in.as_slice(), args].concat());
    let known = |agent| json_of(&config(&["--oidc-client-id", "ops", "--agent", agent]));
    let url = "http://127.0.0.1:8010/mcp";
    let claude = json!({"type": "http", "url": url, "oauth": {"clientId": "ops", "callbackPort": 8976}});
    assert_eq!(known("claude-json")["mcpServers"]["everything"], claude);
    assert_eq!(known("vscode")["servers"]["everything"]["oauth"], json!({"clientId": "ops"}));
    assert_eq!(known("cursor")["mcpServers"]["everything"]["auth"], json!({"CLIENT_ID": "ops"}));
    let line = stdout(&config(&["--oidc-client-id", "ops", "--agent", "claude"]));
    assert!(line.ends_with("/mcp --client-id ops --callback-port 8976\n"), "{line}");
    let free = json_of(&config(&["--agent", "generic"]));
    assert_eq!(free["mcpServers"]["everything"], json!({"type": "http", "url": url}));
}

#[test]
fn completions_and_the_manual_know_every_setting() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = stdout(&run(&[], &["completions", shell]));
        assert!(text.contains("gantry-everything") && text.contains("tls-cert"), "{shell}");
    }
    let man = stdout(&run(&[], &["man"]));
    for words in [".TH gantry-everything 1", "GANTRY_LISTEN", "\\fBcompletions\\fR \\fISHELL\\fR"] {
        assert!(man.contains(words), "{words}");
    }
}

#[test]
fn a_typing_error_gets_a_tip() {
    for (args, tip) in [(["chekc"], "'check'"), (["--lisen"], "'--listen'")] {
        let output = run(&[], &args);
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(tip), "{text}");
    }
}
