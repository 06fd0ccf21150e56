//! The settings of asking back.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

/// What an operator says of questions.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Asking back")]
pub(crate) struct AskArgs {
    /// Have every call that may destroy something confirmed: by the user where the client can ask, else by the
    /// argument confirm
    #[arg(
        long,
        env = "GANTRY_CONFIRM_DESTRUCTIVE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) confirm_destructive: bool,

    /// File with the keys, one a line and at least 32 bytes each, that seal what a client carries between a question
    /// and its answer: the first seals, all open. Replicas share it; read again when it changes [default: a key made
    /// at start]
    #[arg(long, env = "GANTRY_STATE_KEY_FILE", value_name = "FILE")]
    pub(crate) state_key_file: Option<PathBuf>,

    /// Folder, shared by replicas, that remembers which answers were used; without it each replica knows only those
    /// it saw itself
    #[arg(long, env = "GANTRY_USED_STATES_DIR", value_name = "FOLDER")]
    pub(crate) used_states_dir: Option<PathBuf>,

    /// How long a question may stay without an answer; over a session the call waits as long, past its deadline
    #[arg(
        long,
        env = "GANTRY_ASK_TIMEOUT",
        value_parser = humantime::parse_duration,
        value_name = "TIME",
        default_value = "10m"
    )]
    pub(crate) ask_timeout: Duration,
}
