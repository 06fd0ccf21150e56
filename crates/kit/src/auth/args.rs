//! The settings that say who may call, the same for servers and for the edge.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Who may call. Some of it is secret, so it is not printable.
#[derive(Clone, Default, Args)]
pub struct AuthArgs {
    /// Who may call, one or several of these [default: none on loopback, elsewhere api-key with a key made at
    /// start]
    #[arg(
        long,
        env = "GANTRY_AUTH",
        value_enum,
        value_delimiter = ',',
        value_name = "MODE",
        help_heading = "Who may call"
    )]
    pub(crate) auth: Vec<AuthMode>,

    /// Keys as NAME:ROLE:KEY, or NAME:ROLE:sha256:HEX; roles are read, write, admin
    #[arg(
        long,
        env = "GANTRY_API_KEYS",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "KEY",
        help_heading = "Who may call"
    )]
    pub(crate) api_keys: Vec<String>,

    /// File with one key a line, in the form of --api-keys; read again when it changes
    #[arg(long, env = "GANTRY_API_KEYS_FILE", value_name = "FILE", help_heading = "Who may call")]
    pub(crate) api_keys_file: Option<PathBuf>,
}

impl AuthArgs {
    /// Whether any key is configured.
    pub(crate) fn has_keys(&self) -> bool {
        !self.api_keys.is_empty() || self.api_keys_file.is_some()
    }
}

/// A way to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthMode {
    /// Everyone who can connect
    None,
    /// Holders of a key from --api-keys or --api-keys-file
    ApiKey,
    /// Whoever the upstream accepts: the bearer token is the upstream's own
    Upstream,
}
