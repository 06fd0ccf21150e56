//! The program `gantry-docker-locust`.

fn main() -> std::process::ExitCode {
    kit::run::<gantry_docker_locust::DockerLocust>()
}
