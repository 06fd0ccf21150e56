//! A Locust with `--web-login`, whose login is a route of its locustfile.

use std::io::Write;

use serde_json::json;

use crate::real::{Locust, Target, USERS, Version};

const LOGIN: &str = r#"
import os
from flask import Blueprint, redirect, request, session, url_for
from flask_login import UserMixin, login_user
from locust import events

class Account(UserMixin):
    def __init__(self, name):
        self.name = name
    def get_id(self):
        return self.name

@events.init.add_listener
def on_init(environment, **_):
    web = environment.web_ui
    web.login_manager.user_loader(Account)
    web.app.secret_key = os.urandom(16)
    web.auth_args = {"username_password_callback": "/sign-in"}
    door = Blueprint("door", __name__)

    @door.route("/sign-in", methods=[METHOD])
    def sign_in():
        given = request.form if METHOD == "POST" else request.args
        if (given.get(USER), given.get("password")) == ("ops", "right"):
            login_user(Account("ops"))
            return redirect(url_for("locust.index"))
        session["auth_error"] = "wrong"
        return redirect(url_for("locust.login"))

    web.app.register_blueprint(door)
"#;

fn locustfile(method: &str, user_field: &str) -> String {
    format!("METHOD = \"{method}\"\nUSER = \"{user_field}\"\n{LOGIN}\n{USERS}")
}

#[test]
fn a_login_opens_the_web_interface() {
    let file = locustfile("POST", "username");
    let Some(mut locust) = Locust::start(Version::V247, &file, &["--web-login"]) else { return };
    let target = Target::start();
    let mut password = tempfile::NamedTempFile::new().unwrap();
    writeln!(password, "right").unwrap();
    let path = password.path().to_str().unwrap();
    let server = locust.server(&["--locust-username", "ops", "--locust-password-file", path]);
    assert_eq!(server.health("locust")["status"], "up");
    server.ok("locust_start_test", &json!({"users": 1, "spawn_rate": 1, "duration": 5, "host": target.url}));
    assert_eq!(server.ok("locust_stop_test", &json!({}))["was_running"], true);

    // A new process knows nothing of the old session.
    locust.restart(&file, &["--web-login"]);
    assert_eq!(server.stats()["state"], "ready");
    assert!(!server.program.log().contains("right"), "a password in the log");
}

#[test]
fn a_login_form_may_be_sent_as_a_get_and_name_its_fields_otherwise() {
    let file = locustfile("GET", "user");
    let Some(locust) = Locust::start(Version::V246, &file, &["--web-login"]) else { return };
    let server = locust.server(&[
        "--locust-username",
        "ops",
        "--locust-password",
        "right",
        "--locust-login-path",
        "/sign-in",
        "--locust-login-fields",
        "user,password",
    ]);
    assert_eq!(server.stats()["state"], "ready");
}

#[test]
fn a_login_that_fails_says_why() {
    let file = locustfile("POST", "username");
    let Some(locust) = Locust::start(Version::V247, &file, &["--web-login"]) else { return };
    for (args, words) in [
        (&[][..], "set LOCUST_USERNAME"),
        (&["--locust-username", "ops", "--locust-password", "hunter2"], "refused the login"),
        (&["--locust-username", "ops", "--locust-password-file", "/nonexistent"], "--locust-password-file"),
        (
            &["--locust-username", "ops", "--locust-password", "hunter2", "--locust-login-path", "/nowhere"],
            "--locust-login-path",
        ),
    ] {
        let server = locust.server(args);
        let (code, message, _) = server.error("locust_get_stats", &json!({}));
        assert!(code == "AUTHENTICATION_ERROR" && message.contains(words), "{code} {message}");
        assert!(!message.contains("hunter2") && !server.program.log().contains("hunter2"));
        assert!(server.health("locust")["message"].as_str().unwrap().contains(words));
    }
}

#[test]
fn a_login_that_the_locustfile_does_not_set_up_is_told() {
    let Some(locust) = Locust::start(Version::V247, USERS, &["--web-login"]) else { return };
    let server = locust.server(&["--locust-username", "ops", "--locust-password", "right"]);
    let (code, message, _) = server.error("locust_get_stats", &json!({}));
    assert!(
        code == "AUTHENTICATION_ERROR" && message.contains("does not set the login up"),
        "{code} {message}"
    );
}
