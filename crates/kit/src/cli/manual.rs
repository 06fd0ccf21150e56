//! `man`: one page for the whole program, its subcommands included.

use std::io::{Result, Write};

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

/// Writes the page as roff.
pub(super) fn render(command: Command, to: &mut dyn Write) -> Result<()> {
    let subcommands = subcommands(&command);
    let man = Man::new(command);
    man.render_title(to)?;
    man.render_name_section(to)?;
    man.render_synopsis_section(to)?;
    man.render_description_section(to)?;
    subcommands.to_writer(to)?;
    man.render_options_section(to)?;
    man.render_version_section(to)
}

/// clap_mangen would only name a page for each.
fn subcommands(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SUBCOMMANDS"]);
    for subcommand in command.get_subcommands() {
        let mut head = vec![bold(subcommand.get_name())];
        for argument in subcommand.get_arguments() {
            head.extend([roman(" "), usage(argument)]);
        }
        let about = subcommand.get_long_about().or(subcommand.get_about());
        roff.control("TP", []).text(head).text([roman(about.unwrap_or_default().to_string())]);
    }
    roff
}

fn usage(argument: &Arg) -> clap_mangen::roff::Inline {
    match argument.get_long() {
        Some(long) => italic(format!("[--{long}]")),
        None => italic(argument.get_id().as_str().to_uppercase()),
    }
}
