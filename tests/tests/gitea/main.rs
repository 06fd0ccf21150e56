//! Every method of every tool of the Gitea server on a real Gitea, with its effect read back through Gitea's API.

mod changes;
mod lab;
mod large;
mod left_out;
mod logs;
mod renamed;
mod reports;
mod rows;
mod safety;
mod taken;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures::{FutureExt, StreamExt};
use gantry_tests::fixture;
use gantry_tests::forge::Forge;
use gantry_tests::program::Program;
use serde_json::Value;

use lab::{Lab, Row};

/// So many rows at once: Gitea's database is one file.
const AT_ONCE: usize = 4;

#[tokio::test]
async fn every_method_does_its_job_under_each_of_its_names() -> Result<()> {
    let Some(programs) = fixture("gitea", "GANTRY_TEST_GITEA") else { return Ok(()) };
    let forge = Arc::new(Forge::start(&programs).await?);
    let downloads = tempfile::tempdir()?;
    let folder = downloads.path().to_str().context("a folder's name")?;
    let server = lab::server(&forge, &["--download-dir", folder]).await?;
    let wanted =
        |row: &Row| lab::wanted().is_none_or(|part| row.tool.contains(&part) || row.method.contains(&part));
    let rows: Vec<Row> = rows::rows().into_iter().filter(wanted).collect();
    let runs = rows.iter().flat_map(|row| {
        let names = std::iter::once(None).chain(row.classic.iter().copied().map(Some));
        names.map(move |classic| (row, classic))
    });
    let failures: Vec<String> = futures::stream::iter(runs.enumerate())
        .map(|(number, (row, classic))| {
            let (forge, host, folder) = (forge.clone(), server.host.clone(), downloads.path().to_owned());
            async move {
                let lab = Lab::new(forge, host, row, classic, number, folder).await?;
                (row.run)(&lab).await
            }
            .map(move |outcome: Result<()>| {
                outcome.err().map(|error| {
                    format!("{} {} as {}: {error:?}", row.tool, row.method, classic.unwrap_or("itself"))
                })
            })
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n\n"));
    Ok(())
}

#[tokio::test]
async fn each_listed_method_has_its_row() -> Result<()> {
    let listing = listing(&[]).await?;
    let listed: BTreeSet<_> = listing.iter().flat_map(methods).collect();
    let rows = rows::rows();
    let tested: BTreeSet<_> = rows.iter().map(|row| (row.tool.to_owned(), row.method.to_owned())).collect();
    assert_eq!(listed.difference(&tested).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "not tested");
    assert_eq!(tested.difference(&listed).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "not listed");

    let classic = listing_names(&["--tool-style", "classic"]).await?;
    let tested: BTreeSet<_> =
        rows.iter().flat_map(|row| row.classic).map(|name| (*name).to_owned()).collect();
    assert_eq!(tested.difference(&classic).collect::<Vec<_>>(), Vec::<&String>::new(), "not listed");
    Ok(())
}

async fn listing_names(args: &[&str]) -> Result<BTreeSet<String>> {
    let listing = listing(args).await?;
    Ok(listing.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect())
}

async fn listing(args: &[&str]) -> Result<Vec<Value>> {
    let server = Program::start("gantry-gitea", args).await?;
    lab::listing(&server.host).await
}

/// A tool's methods; one without has one, which has no name.
fn methods(tool: &Value) -> Vec<(String, String)> {
    let name = tool["name"].as_str().unwrap_or_default();
    let methods = tool["inputSchema"]["properties"]["method"]["enum"].as_array();
    let methods = methods.map_or(vec![""], |all| all.iter().filter_map(Value::as_str).collect());
    methods.into_iter().map(|method| (name.to_owned(), method.to_owned())).collect()
}
