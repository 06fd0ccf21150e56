//! Containers on the engine of the test runner, made with the `docker` program and removed when dropped.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A static busybox, made by the test runner.
pub const IMAGE: &str = "gantry/busybox:1";

/// The engine under test.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Its `DOCKER_HOST`.
    pub host: String,
}

/// A container that lives as long as this value, and so do its anonymous volumes.
#[derive(Debug)]
pub struct Container {
    /// The name it was made with.
    pub name: String,
    engine: Engine,
}

impl Engine {
    /// The runner's engine, or `None` once `test` has been reported as skipped.
    #[must_use]
    pub fn find(test: &str) -> Option<Self> {
        crate::fixture(test, "GANTRY_TEST_DOCKER_HOST").map(|host| Self { host })
    }

    /// Runs `docker` with these arguments and returns what it printed.
    pub fn docker(&self, args: &[&str]) -> Result<String> {
        let output = Command::new("docker").args(["--host", &self.host]).args(args).output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "docker {}: {errors}", args.join(" "));
        Ok(String::from_utf8(output.stdout).context("docker prints text")?.trim().to_owned())
    }

    /// `docker run -d --name NAME OPTIONS IMAGE COMMAND`.
    pub fn run(&self, name: &str, options: &[&str], command: &[&str]) -> Result<Container> {
        let args = [&["run", "-d", "--name", name], options, &[IMAGE], command].concat();
        self.docker(&args)?;
        Ok(Container { name: name.to_owned(), engine: self.clone() })
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.engine.docker(&["rm", "--force", "--volumes", &self.name]);
    }
}
