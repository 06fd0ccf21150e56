//! A setting as it is now, and where its value came from. What must not be shown in `--help` is not shown here.

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error};
use serde::Serialize;

use crate::audit;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The flag, as `--listen`.
    pub name: String,
    /// The topic it is found under in `--help`.
    pub topic: String,
    /// Its value in the words of the command line; `None` when it has none, `set` when it is secret.
    pub value: Option<String>,
    /// `flag`, the name of the variable, or `default`.
    pub source: String,
    /// Whether the value is kept back.
    pub secret: bool,
}

impl Setting {
    /// All settings, in the order of `--help`. Names of earlier programs are among them when they are used.
    pub(super) fn all(command: &Command, matches: &ArgMatches) -> Vec<Self> {
        let all = command.get_arguments().filter(|argument| argument.get_env().is_some());
        all.filter_map(|argument| Self::of(argument, matches)).collect()
    }

    fn of(argument: &Arg, matches: &ArgMatches) -> Option<Self> {
        let id = argument.get_id().as_str();
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "flag".to_owned(),
            Some(ValueSource::EnvVariable) => argument.get_env()?.to_string_lossy().into_owned(),
            _ if argument.is_hide_set() => return None,
            _ => "default".to_owned(),
        };
        let values = matches.get_raw(id).map(|values| {
            let values: Vec<_> = values.map(|value| shown(&value.to_string_lossy())).collect();
            values.join(",")
        });
        let secret = argument.is_hide_env_values_set();
        Some(Self {
            name: format!("--{}", argument.get_long()?),
            topic: argument.get_help_heading().unwrap_or("Options").to_owned(),
            value: if secret { values.map(|_| "set".to_owned()) } else { values },
            source,
            secret,
        })
    }
}

/// The same error, without what people write into addresses though it is secret.
pub(super) fn masked_in(mut error: Error) -> Error {
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        let value = ContextValue::String(shown(value));
        error.insert(ContextKind::InvalidValue, value);
    }
    error
}

/// A value without what people write into addresses though it is secret, and without what disturbs a terminal.
fn shown(value: &str) -> String {
    let text = match url::Url::parse(value) {
        Ok(url) => masked(url).unwrap_or_else(|| value.to_owned()),
        Err(_) => without_credentials(value),
    };
    text.replace(char::is_control, "\u{fffd}")
}

/// What was meant to be an address and is none, without what is before its host.
fn without_credentials(value: &str) -> String {
    let parts = value.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1)));
    parts.map_or_else(|| value.to_owned(), |(scheme, rest)| format!("{scheme}://{}@{rest}", audit::MASK))
}

/// An address with its secrets masked; `None` for one that holds none.
fn masked(mut url: url::Url) -> Option<String> {
    let has_credentials = url.password().is_some() || !url.username().is_empty();
    let in_query = url.query_pairs().any(|(name, _)| audit::is_secret(&name));
    if has_credentials {
        // Both fail for addresses that have no place for them, which have none to hide.
        let _ = url.set_password(None);
        let _ = url.set_username(audit::MASK);
    }
    if in_query {
        url.set_query(Some(audit::MASK));
    }
    (has_credentials || in_query).then(|| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(args: &[&str]) -> Vec<Setting> {
        let command = Command::new("test")
            .arg(
                Arg::new("plain")
                    .long("plain")
                    .env("KIT_TEST_PLAIN")
                    .default_value("1")
                    .help_heading("Topic"),
            )
            .arg(Arg::new("many").long("many").env("KIT_TEST_MANY").value_delimiter(','))
            .arg(Arg::new("secret").long("secret").env("KIT_TEST_SECRET").hide_env_values(true))
            .arg(Arg::new("old").long("old").env("KIT_TEST_OLD").hide(true))
            .arg(Arg::new("path").long("path").env("PATH"))
            .subcommand(Command::new("verb"));
        let mut command = crate::cli::everywhere(command);
        let matches = command.try_get_matches_from_mut([&["test"], args].concat()).expect("arguments");
        Setting::all(&command, &matches)
    }

    fn facts(setting: &Setting) -> (&str, Option<&str>, &str) {
        (&setting.name, setting.value.as_deref(), &setting.source)
    }

    #[test]
    fn tells_where_a_value_came_from_on_either_side_of_a_subcommand() {
        for args in [
            ["--plain", "2", "verb", "--many", "a,b"],
            ["verb", "--plain", "2", "--many", "a,b"],
            ["--many", "a,b", "--plain", "2", "verb"],
        ] {
            let settings = settings(&args);
            assert_eq!(facts(&settings[0]), ("--plain", Some("2"), "flag"));
            assert_eq!(facts(&settings[1]), ("--many", Some("a,b"), "flag"));
            assert_eq!(facts(&settings[2]), ("--secret", None, "default"));
            assert_eq!((facts(&settings[3]).0, facts(&settings[3]).2), ("--path", "PATH"));
            assert_eq!(settings.len(), 4, "what is hidden and unused is left out");
        }
        assert_eq!(facts(&settings(&[])[0]), ("--plain", Some("1"), "default"));
    }

    #[test]
    fn secrets_do_not_show() {
        let settings = settings(&["--secret", "hush", "--plain", "https://me:hush@host/x", "--old", "1"]);
        assert_eq!(facts(&settings[0]), ("--plain", Some("https://***@host/x"), "flag"));
        assert_eq!(facts(&settings[2]), ("--secret", Some("set"), "flag"));
        assert_eq!(facts(&settings[3]), ("--old", Some("1"), "flag"));
        assert!(!format!("{settings:?}").contains("hush"));
        assert_eq!(shown("https://host/x?a=1&api_key=hush"), "https://host/x?***");
        assert_eq!(shown("https://host/x?a=1"), "https://host/x?a=1");
        assert_eq!(shown("https://me:hush@host:port/x"), "https://***@host:port/x");
    }

    #[test]
    fn an_address_that_is_refused_does_not_show_its_secrets() {
        let refuse = |_: &str| Err::<String, _>("no".to_owned());
        for (value, shown) in
            [("https://me:hush@host", "https://***@host"), ("https://me:hush@host:port", "***@host:port")]
        {
            let command = Command::new("test").arg(Arg::new("host").long("host").value_parser(refuse));
            let error = command.try_get_matches_from(["test", "--host", value]).unwrap_err();
            let told = masked_in(error).to_string();
            assert!(told.contains(shown) && told.contains("--host") && !told.contains("hush"), "{told}");
        }
    }
}
