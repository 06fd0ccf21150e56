//! What a program does besides serving: it tells about itself on stdout and ends.

use std::io::{ErrorKind, Write};

use clap::{ArgMatches, Command, FromArgMatches, Subcommand};
use clap_complete::Shell;

pub(crate) mod agents;
mod catalogue;
mod manual;
mod report;
mod setting;
mod table;

pub(crate) use catalogue::catalogue;
pub use report::Report;
pub use setting::Setting;

use crate::settings;

/// What a server can be asked for instead of serving.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Verb {
    /// Show every setting and where it came from, try them as a start would, and ask each upstream
    ///
    /// Exit code 0 when a server started like this would be ready, 1 when it would not start or a required upstream
    /// does not answer.
    Check {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List the tools as these settings offer them; asks no upstream
    Tools {
        /// As JSON: the very definitions that `tools/list` gives
        #[arg(long)]
        json: bool,
    },
    /// Print ready-made configuration of agents for this server
    Config(agents::ConfigArgs),
    #[command(flatten)]
    Common(Common),
}

/// What every program can be asked for.
#[derive(Debug, Clone, Subcommand)]
pub enum Common {
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, as roff
    Man,
}

impl Common {
    /// The text asked for, of the program that this command describes.
    ///
    /// # Errors
    /// None that is known: writing to memory does not fail.
    pub fn text(&self, command: Command) -> anyhow::Result<Vec<u8>> {
        let mut text = vec![];
        match self {
            Self::Completions { shell } => {
                let (name, mut command) = (command.get_name().to_owned(), everywhere(command));
                clap_complete::generate(*shell, &mut command, name, &mut text);
            }
            Self::Man => manual::render(command, &mut text)?,
        }
        Ok(text)
    }
}

/// Lets every setting stand before a subcommand and after it. Settings must not be `required`, nor `requires`
/// others: each side would be looked at alone.
fn everywhere(command: Command) -> Command {
    command.mut_args(|argument| argument.global(true))
}

/// A program as it was called. A variable that is set to nothing counts as not set.
pub struct Invocation {
    command: Command,
    matches: ArgMatches,
    unknown: Vec<String>,
}

impl Invocation {
    /// Reads the command line and the environment; ends the program when they cannot be read, or ask for help.
    pub fn read(command: Command) -> Self {
        let (command, unknown) = settings::tidy(command);
        let command = everywhere(command);
        // Help is for everyone's eyes; what people write into their variables is for `check`, which masks it.
        let matches = command.clone().mut_args(|argument| argument.hide_env_values(true)).try_get_matches();
        let matches = matches.unwrap_or_else(|error| setting::masked_in(error).exit());
        Self { command, matches, unknown }
    }

    /// The arguments; ends the program when they cannot be.
    pub fn arguments<A: FromArgMatches>(&self) -> A {
        A::from_arg_matches(&self.matches).unwrap_or_else(|error| error.exit())
    }

    /// Tells of variables that mean nothing here.
    pub fn warn(&self) {
        settings::warn_of(&self.unknown);
    }

    /// Every setting, and where it came from.
    pub fn settings(&self) -> Vec<Setting> {
        Setting::all(&self.command, &self.matches)
    }
}

/// Writes to stdout; a reader that has read enough is no error.
///
/// # Errors
/// When stdout cannot be written to.
pub fn print(text: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
