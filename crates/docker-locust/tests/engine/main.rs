//! The Docker tools against a real engine, through the real program. `GANTRY_TEST_DOCKER_HOST` names the
//! engine (`unix://…`); without it every test says that it is skipped.

#![expect(clippy::unwrap_used, reason = "a test's functions fail by panicking, outside of #[test] too")]

mod aliases;
mod kills;
mod lab;
mod proxy;
mod server;
mod tools;
mod update_env;
