//! The program `gantry-gitea`.

fn main() -> std::process::ExitCode {
    kit::run::<gantry_gitea::Gitea>()
}
