//! The program is its library; see there.

use clap::Parser;

fn main() -> anyhow::Result<()> {
    edge::run(edge::Args::parse())
}
