//! The Locust tools against real Locusts, through the real program over REST. `GANTRY_TEST_LOCUST_246` and
//! `GANTRY_TEST_LOCUST_247` name the two programs; a test whose Locust is missing says that it is skipped.
//! All load goes to a server of the test on loopback: at most 20 users, for at most 10 seconds.

#![expect(clippy::unwrap_used, reason = "a test's functions fail by panicking, outside of #[test] too")]

mod login;
mod program;
mod real;
mod refusals;
mod runs;
mod server;
mod stats;
