//! The settings, under the names that users of the official server know where it has them.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::BoolishValueParser;
use glob::Pattern;
use url::Url;

/// Where the forge is, and what may be done there.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Gitea")]
pub struct Args {
    /// Address of the Gitea or Forgejo server, with its sub-path if it has one
    #[arg(long, env = "GITEA_HOST", value_name = "URL", default_value = "https://gitea.com", value_parser = address)]
    pub gitea_host: Url,

    /// Access token of the server's own; without one it sees what is public
    #[arg(long, env = "GITEA_ACCESS_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub gitea_access_token: Option<String>,

    /// File with that token; read again when it changes
    #[arg(long, env = "GITEA_ACCESS_TOKEN_FILE", value_name = "FILE")]
    pub gitea_access_token_file: Option<PathBuf>,

    /// Reach the server through this Unix socket; the address still names it
    #[arg(long, env = "GITEA_UNIX_SOCKET", value_name = "FILE")]
    pub gitea_unix_socket: Option<PathBuf>,

    /// Do not verify the server's certificate
    #[arg(long, env = "GITEA_INSECURE", value_parser = BoolishValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub insecure: bool,

    /// List only tools that read, and send nothing but GET; the same as --read-only, under the official server's name
    #[arg(long, env = "GITEA_READONLY", value_parser = BoolishValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub gitea_readonly: bool,

    /// How long one request to the server may take
    #[arg(long, env = "GITEA_TIMEOUT", value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub gitea_timeout: Duration,

    /// Which names are listed; those of the other style work all the same when called
    #[arg(long, env = "GANTRY_TOOL_STYLE", value_enum, default_value = "grouped")]
    pub tool_style: ToolStyle,

    /// Owners that tools may touch, as globs, separated by commas [default: all]
    #[arg(long, env = "GANTRY_ALLOW_OWNERS", value_delimiter = ',', value_name = "GLOB")]
    pub allow_owners: Vec<Pattern>,

    /// Repositories that tools may touch, as globs over owner/name, separated by commas [default: all]
    #[arg(long, env = "GANTRY_ALLOW_REPOS", value_delimiter = ',', value_name = "GLOB")]
    pub allow_repos: Vec<Pattern>,

    /// Let api_request send more than GET
    #[arg(long, env = "GANTRY_ALLOW_API_WRITES", value_parser = BoolishValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub allow_api_writes: bool,

    /// Most items of a list that is asked for as a whole
    #[arg(long, env = "GANTRY_MAX_ITEMS", value_name = "N", default_value = "1000")]
    pub max_items: NonZeroUsize,

    /// For how many days report_failure reopens a closed issue instead of opening another
    #[arg(long, env = "GANTRY_REOPEN_DAYS", value_name = "DAYS", default_value = "14")]
    pub reopen_days: u32,

    /// Most bytes of diffs and logs that are kept in temporary files, of all callers together
    #[arg(long, env = "GANTRY_SPOOL_BYTES", value_name = "BYTES", default_value = "268435456")]
    pub spool_bytes: u64,

    /// Folder that downloads go to, and nothing outside it [default: none, so no downloads to disk]
    #[arg(long, env = "GANTRY_DOWNLOAD_DIR", value_name = "FOLDER")]
    pub download_dir: Option<PathBuf>,

    /// Largest download to disk
    #[arg(long, env = "GANTRY_MAX_DOWNLOAD_BYTES", value_name = "BYTES", default_value = "1073741824")]
    pub max_download_bytes: u64,

    /// Largest attachment that is answered inline
    #[arg(long, env = "GITEA_MAX_INLINE_ATTACHMENT_BYTES", value_name = "BYTES", default_value = "5242880")]
    pub max_inline_attachment_bytes: usize,
}

/// Which of two names for the same work are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ToolStyle {
    /// Few tools, each with several methods
    Grouped,
    /// One tool for each kind of call, as the official server had them before
    Classic,
}

/// The base that paths are put behind.
fn address(text: &str) -> Result<Url, String> {
    let mut url: Url = text.parse().map_err(|_| "not in the form https://HOST[:PORT][/PATH]".to_owned())?;
    let plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    if !plain || !url.has_host() {
        return Err("not in the form https://HOST[:PORT][/PATH]".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold no credentials; use GITEA_ACCESS_TOKEN".to_owned());
    }
    // Some paste the API's address.
    if let Some(site) = url.path().trim_end_matches('/').strip_suffix("/api/v1").map(str::to_owned) {
        url.set_path(&site);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_is_the_forges_own() {
        for (given, is) in [
            ("https://forge.example", "https://forge.example/"),
            ("https://forge.example/sub/", "https://forge.example/sub/"),
            ("https://forge.example/api/v1/", "https://forge.example/"),
            ("https://forge.example/sub/api/v1", "https://forge.example/sub"),
        ] {
            assert_eq!(address(given).unwrap().as_str(), is);
        }
        for bad in ["forge.example", "ftp://forge.example", "https://a:b@forge.example", "https://x/?a=b"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
