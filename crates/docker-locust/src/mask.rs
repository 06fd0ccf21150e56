//! What of a container's configuration is secret: every value of its environment, and elsewhere whatever has
//! a secret's name or place (`--password x`, `token=x`, `://user:x@`), or is the value of a variable that has.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "***";
/// A shorter value of a variable is not looked for elsewhere: it would be found everywhere.
const TELLING: usize = 6;

const NAMES: &str =
    r"(?i:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|(?:api|private|access|account)[_-]?key|auth)";

/// `--db-password=x`, `API_TOKEN: x`, `"password":"x"`, `Authorization: Bearer x`, `--token x` within a longer text.
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    let separator = r#"["']?\s*[=:]\s*(?:(?i:basic|bearer|digest|token)\s+)?"#;
    let value = r#""[^"]*"|'[^']*'|[^\s"',;&]+"#;
    let (name, flag) = (format!(r"[\w.-]*{NAMES}[\w.-]*"), format!(r"(?:^|\s)--?[\w.-]*{NAMES}[\w.-]*"));
    compiled(&format!(r"((?:{name}){separator}|{flag}\s+)({value})"))
});
/// A flag whose value is the next argument.
static FLAG: LazyLock<Regex> = LazyLock::new(|| compiled(&format!(r"^--?[\w.-]*{NAMES}[\w.-]*$")));
/// The password in a URL.
static USERINFO: LazyLock<Regex> = LazyLock::new(|| compiled(r"(://[^/\s:@]*:)[^/\s@]+@"));
static NAME: LazyLock<Regex> = LazyLock::new(|| compiled(NAMES));

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant and a test compiles it")
}

/// Masks an inspected container.
pub(crate) fn inspected(container: &mut Value) {
    let secrets = secrets(&container["Config"]["Env"]);
    if let Some(Value::Array(env)) = container.pointer_mut("/Config/Env") {
        for entry in env.iter_mut() {
            if let Some((key, _)) = entry.as_str().and_then(|text| text.split_once('=')) {
                *entry = format!("{key}={MASK}").into();
            }
        }
    }
    let env = container.pointer_mut("/Config/Env").map(Value::take);
    walk(container, &secrets);
    if let Some(env) = env {
        container["Config"]["Env"] = env;
    }
}

/// Takes a secret out of a text.
pub(crate) fn hide(text: &str, secret: &str) -> String {
    if secret.len() < TELLING { text.to_owned() } else { text.replace(secret, MASK) }
}

/// The values of variables with a secret's name.
fn secrets(env: &Value) -> Vec<String> {
    let pairs = env.as_array().into_iter().flatten().filter_map(|entry| entry.as_str()?.split_once('='));
    let secret = pairs.filter(|(key, value)| value.len() >= TELLING && NAME.is_match(key));
    secret.map(|(_, value)| value.to_owned()).collect()
}

fn walk(value: &mut Value, secrets: &[String]) {
    match value {
        Value::String(text) => *text = masked(text, secrets),
        Value::Array(items) => {
            let mut after_flag = false;
            for item in items {
                let is_flag = item.as_str().is_some_and(|text| FLAG.is_match(text));
                match item {
                    Value::String(text) if after_flag && !text.starts_with('-') => *text = MASK.to_owned(),
                    other => walk(other, secrets),
                }
                after_flag = is_flag;
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if NAME.is_match(key) && !text.is_empty() => *text = MASK.to_owned(),
                    other => walk(other, secrets),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn masked(text: &str, secrets: &[String]) -> String {
    let text = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK));
    let text = USERINFO.replace_all(&text, |found: &Captures<'_>| format!("{}{MASK}@", &found[1]));
    ASSIGNED.replace_all(&text, |found: &Captures<'_>| format!("{}{MASK}", &found[1])).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_secret_is_left() {
        let mut container = json!({
            "Name": "/db",
            "Path": "postgres",
            "Args": ["--db-password", "hunter22", "-c", "log=all", "--token=hunter22", "sh -c 'PASSWORD=hunter22 run'",
                "curl -H 'Authorization: Bearer hunter22'", "{\"password\":\"hunter22\"}", "--pwd=hunter22"],
            "Config": {
                "Env": ["PATH=/bin", "DB_PASSWORD=hunter22", "EMPTY=", "ODD"],
                "Cmd": ["serve", "amqp://user:hunter22@queue/", "hunter22"],
                "Labels": {"my.api-key": "hunter22", "app": "shop", "url": "http://u:hunter22@x/"},
                "Healthcheck": {"Test": ["CMD-SHELL", "check -p hunter22; login --token hunter33"]},
            },
            "HostConfig": {"LogConfig": {"Config": {"splunk-token": "hunter22", "max-size": "10m"}}},
        });
        inspected(&mut container);
        let text = container.to_string();
        assert!(!text.contains("hunter22") && !text.contains("hunter33"), "{text}");
        assert_eq!(container["Config"]["Env"], json!(["PATH=***", "DB_PASSWORD=***", "EMPTY=***", "ODD"]));
        assert_eq!(container["Config"]["Labels"]["app"], "shop");
        assert_eq!(container["Args"][3], "log=all");
        assert_eq!(container["HostConfig"]["LogConfig"]["Config"]["max-size"], "10m");
        assert_eq!(container["Config"]["Cmd"][0], "serve");
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in ["/usr/bin/passwd", "author", "http://host:80/path", "a:b@c", "sha256:abc", "tokens"] {
            assert_eq!(masked(text, &[]), text);
        }
    }

    #[test]
    fn a_secret_is_hidden_in_a_message() {
        assert_eq!(hide("bad value hunter22", "hunter22"), "bad value ***");
        assert_eq!(hide("bad value 1", "1"), "bad value 1");
    }
}
