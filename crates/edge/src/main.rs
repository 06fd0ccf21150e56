//! The program is its library; see there.

fn main() -> std::process::ExitCode {
    edge::run()
}
