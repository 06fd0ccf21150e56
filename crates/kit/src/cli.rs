//! What a program does besides serving: it tells about itself on stdout and ends.

use std::io::{ErrorKind, Write};

use clap::{Command, Subcommand};
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
    pub fn text(&self, mut command: Command) -> anyhow::Result<Vec<u8>> {
        let mut text = vec![];
        match self {
            Self::Completions { shell } => {
                let name = command.get_name().to_owned();
                clap_complete::generate(*shell, &mut command, name, &mut text);
            }
            Self::Man => manual::render(command, &mut text)?,
        }
        Ok(text)
    }
}

/// Lets every setting stand before a subcommand and after it. Settings must not be `required`, nor `requires`
/// others: each side would be looked at alone.
pub fn everywhere(command: Command) -> Command {
    command.mut_args(|argument| argument.global(true))
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
