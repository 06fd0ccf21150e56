//! The harness of the tests that cross crates: it starts real programs, and says what a missing one means.

pub mod certificate;
pub mod cluster;
pub mod docker;
pub mod door;
pub mod events;
pub mod forge;
mod grpc;
pub mod locust;
pub mod program;
pub mod provider;
pub mod recorder;
pub mod rotel;
pub mod wire;

use std::io::Write;

/// What the test runner offers under `variable`, or `None` once `test` has been reported as skipped.
///
/// # Panics
/// With `CI=true` a missing fixture is a failure.
#[must_use]
pub fn fixture(test: &str, variable: &str) -> Option<String> {
    let found = environment(variable);
    if found.is_none() {
        skip(test, &format!("{variable} is not set; tests/run sets it"));
    }
    found
}

fn skip(test: &str, reason: &str) {
    let line = format!("skipped: {test}: {reason}");
    if let Some(file) = environment("GANTRY_TEST_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(file);
        file.and_then(|mut file| writeln!(file, "{line}")).expect("the runner's list of skips is writable");
    }
    assert!(environment("CI").as_deref() != Some("true"), "{line}");
    // Past the test harness, which would swallow what a passing test prints.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[expect(clippy::disallowed_methods, reason = "tests are given fixtures, not settings")]
pub(crate) fn environment(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}
