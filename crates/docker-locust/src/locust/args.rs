//! The settings of the Locust half, as flags and environment variables.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use reqwest::Url;

/// How to reach Locust, and how large a test may be.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Locust")]
pub struct LocustArgs {
    /// Address of Locust's web interface, such as http://localhost:8089; without it the locust tools say so
    #[arg(long, env = "LOCUST_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) locust_url: Option<Secret>,

    /// User for a Locust with --web-login
    #[arg(long, env = "LOCUST_USERNAME", value_name = "NAME")]
    pub(crate) locust_username: Option<String>,

    /// Password for a Locust with --web-login; better is --locust-password-file
    #[arg(
        long,
        env = "LOCUST_PASSWORD",
        value_name = "PASSWORD",
        group = "password",
        hide_env_values = true
    )]
    pub(crate) locust_password: Option<Secret>,

    /// File with the password for a Locust with --web-login, read at each login
    #[arg(long, env = "LOCUST_PASSWORD_FILE", value_name = "FILE", group = "password")]
    pub(crate) locust_password_file: Option<PathBuf>,

    /// Path that takes the login form; default: the one that Locust's login page names
    #[arg(long, env = "LOCUST_LOGIN_PATH", value_name = "PATH")]
    pub(crate) locust_login_path: Option<String>,

    /// Names of the login form's two fields
    #[arg(
        long,
        env = "LOCUST_LOGIN_FIELDS",
        value_name = "USER,PASSWORD",
        default_value = "username,password",
        value_parser = two_names
    )]
    pub(crate) locust_login_fields: (String, String),

    /// Most users that one test may have
    #[arg(
        long,
        env = "GANTRY_MAX_USERS",
        value_name = "N",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) max_users: u32,

    /// Longest time that one test may run, such as 30m; it also ends tests of duration 0; default: no limit
    #[arg(long, env = "GANTRY_MAX_DURATION", value_name = "TIME", value_parser = whole_seconds)]
    pub(crate) max_duration: Option<Duration>,

    /// Hosts a test may be aimed at, such as *.staging.example or 127.0.0.1:8080, repeated or with commas; default: any
    #[arg(long, env = "GANTRY_ALLOW_TARGET_HOSTS", value_name = "GLOB", value_delimiter = ',')]
    pub(crate) allow_target_hosts: Vec<String>,
}

impl LocustArgs {
    /// The address as a folder: joining a route to it must not replace a base path's last segment.
    pub(super) fn url(&self) -> anyhow::Result<Option<Url>> {
        anyhow::ensure!(
            self.locust_username.is_none()
                || self.locust_password.is_some()
                || self.locust_password_file.is_some(),
            "LOCUST_USERNAME (--locust-username): needs --locust-password or --locust-password-file"
        );
        let Some(text) = &self.locust_url else { return Ok(None) };
        let mut url: Url = text.reveal().parse().context("LOCUST_URL (--locust-url)")?;
        anyhow::ensure!(
            matches!(url.scheme(), "http" | "https") && url.has_host(),
            "LOCUST_URL (--locust-url): must be an http or https URL"
        );
        url.set_query(None);
        url.set_fragment(None);
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Some(url))
    }
}

/// What is or may hold a password: it has no `Display`, its `Debug` does not show it, and clap, which repeats bad
/// values, never finds it bad.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

fn two_names(text: &str) -> Result<(String, String), String> {
    match text.split_once(',') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() && !password.contains(',') => {
            Ok((user.trim().to_owned(), password.trim().to_owned()))
        }
        _ => Err("must be two names with a comma between them".into()),
    }
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time.as_secs() == 0 {
        Err("must be at least 1s".into())
    } else {
        Ok(Duration::from_secs(time.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        locust: LocustArgs,
    }

    fn parse(args: &[&str]) -> Result<LocustArgs, String> {
        Program::try_parse_from(std::iter::once(&"program").chain(args))
            .map(|program| program.locust)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_base_path_stays_a_folder() {
        let args = parse(&["--locust-url", "http://localhost:8089/load?x#y"]).unwrap();
        let url = args.url().unwrap().unwrap();
        assert_eq!(url.join("swarm").unwrap().as_str(), "http://localhost:8089/load/swarm");
    }

    #[test]
    fn bad_values_name_their_setting() {
        for args in [["--locust-login-fields", "username"], ["--max-users", "0"], ["--max-duration", "10ms"]]
        {
            assert!(parse(&args).unwrap_err().contains(args[0]), "{args:?}");
        }
        let args = parse(&["--locust-username", "ops"]).unwrap();
        assert!(args.url().unwrap_err().to_string().contains("--locust-password"));
    }

    #[test]
    fn a_password_is_not_shown() {
        let args = parse(&["--locust-username", "ops", "--locust-password", "hunter2"]).unwrap();
        assert!(!format!("{args:?}").contains("hunter2"));
        for url in ["u:hunter2@localhost", "ftp://u:hunter2@localhost", "http://u:hunter2@a:b", "http://"] {
            let args = parse(&["--locust-url", url]).unwrap();
            let error = format!("{:#}", args.url().unwrap_err());
            assert!(error.contains("--locust-url") && !error.contains("hunter2"), "{error}");
        }
    }
}
