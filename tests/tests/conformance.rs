//! The MCP conformance suite against the example server, docker-locust and gitea, directly and through the edge.
//! What must not pass yet is listed, with the reason, in `conformance/*.yaml`; an entry that passes fails too.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use gantry_tests::fixture;
use gantry_tests::program::{Fronted, Target};
use serde_json::Value;

const WHOLE_SUITE: [&str; 2] = ["--suite", "all"];
const EVERYTHING: &str = "everything-all.yaml";
/// How many checks of which scenarios the suite skips on the example server. It has no skills; its tools do not change
/// while it runs; and tasks tell of themselves when asked only, as the suite leaves out the other way too.
const SKIPPED: [(&str, usize); 5] = [
    ("sep-2640-skills-directory", 6),
    ("sep-2640-skills-enumeration", 31),
    ("sep-2640-skills-manifest", 5),
    ("server-stateless", 1),
    ("tasks-status-notifications", 1),
];

#[tokio::test(flavor = "multi_thread")]
async fn everything_meets_2025_11_25() -> Result<()> {
    suite("everything", "everything", &["--requirements", "2025-11-25"], None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_meets_2026_07_28() -> Result<()> {
    suite("everything", "everything", &["--requirements", "2026-07-28"], None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_passes_the_whole_suite() -> Result<()> {
    suite("everything", "everything", &WHOLE_SUITE, Some(EVERYTHING)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_locust_meets_what_applies_of_2025_11_25() -> Result<()> {
    docker_locust("2025-11-25", "docker-locust-2025-11-25.yaml").await
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_locust_meets_what_applies_of_2026_07_28() -> Result<()> {
    docker_locust("2026-07-28", "docker-locust-2026-07-28.yaml").await
}

/// Its listing, its errors and its protocol need no forge; calls of tools are the suite's fixtures, which it has not.
#[tokio::test(flavor = "multi_thread")]
async fn gitea_meets_what_applies_of_2025_11_25() -> Result<()> {
    gitea("2025-11-25", "gitea-2025-11-25.yaml").await
}

#[tokio::test(flavor = "multi_thread")]
async fn gitea_meets_what_applies_of_2026_07_28() -> Result<()> {
    gitea("2026-07-28", "gitea-2026-07-28.yaml").await
}

async fn gitea(revision: &str, known: &str) -> Result<()> {
    let select = ["--suite", "all", "--spec-version", revision];
    suite("gitea", "gantry-gitea", &select, Some(known)).await
}

async fn docker_locust(revision: &str, known: &str) -> Result<()> {
    let select = ["--suite", "all", "--spec-version", revision];
    suite("docker-locust", "gantry-docker-locust", &select, Some(known)).await
}

async fn suite(slug: &'static str, binary: &str, select: &[&str], known: Option<&str>) -> Result<()> {
    let Some(modules) = fixture(&format!("conformance of {slug}"), "GANTRY_TEST_NODE_MODULES") else {
        return Ok(());
    };
    let mut servers = Fronted::start(slug, binary, &[]).await?;
    for target in servers.targets() {
        run(Path::new(&modules), &target, select, known)?;
    }
    servers.check_alive().await
}

fn run(modules: &Path, target: &Target, select: &[&str], known: Option<&str>) -> Result<()> {
    let results = tempfile::TempDir::new()?;
    let mut command = Command::new(modules.join(".bin/node"));
    command.arg(modules.join(".bin/conformance")).args(["server", "--url", &target.url("/mcp")]).args(select);
    if let Some(known) = known {
        let lists = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
        command.arg("--expected-failures").arg(lists.join(known));
    }
    let output = command.arg("--output-dir").arg(results.path()).output().context("conformance")?;
    let report = [output.stdout, output.stderr].concat();
    let report = String::from_utf8_lossy(&report);
    ensure!(output.status.success(), "{} {select:?}:\n{report}", target.url("/mcp"));
    ensure!(results.path().read_dir()?.next().is_some(), "the suite ran no scenario:\n{report}");
    if select == WHOLE_SUITE && known == Some(EVERYTHING) {
        let skipped = skipped(results.path())?;
        let expected = SKIPPED.map(|(scenario, count)| (scenario.to_owned(), count));
        ensure!(
            skipped == expected,
            "{} skips other checks than it should:\n{skipped:#?}",
            target.url("/mcp")
        );
    }
    Ok(())
}

/// The checks that the suite skipped, per scenario.
fn skipped(results: &Path) -> Result<Vec<(String, usize)>> {
    let mut skipped = vec![];
    for scenario in results.read_dir()? {
        let scenario = scenario?;
        let checks: Value = serde_json::from_slice(&std::fs::read(scenario.path().join("checks.json"))?)?;
        let checks = checks.as_array().context("no checks")?;
        let count = checks.iter().filter(|check| check["status"] == "SKIPPED").count();
        let name = scenario.file_name().to_string_lossy().into_owned();
        // Such as server-caching-2026-11-20T18-22-58-203Z.
        let name = name.strip_prefix("server-").unwrap_or(&name).rsplitn(7, '-').last().unwrap_or_default();
        if count > 0 {
            skipped.push((name.to_owned(), count));
        }
    }
    skipped.sort();
    Ok(skipped)
}
