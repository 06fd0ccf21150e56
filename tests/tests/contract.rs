//! `scripts/contract` in a scratch repository: what breaks clients of the last release is refused, and what cannot be
//! known is not passed over.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use gantry_tests::fixture;
use tempfile::TempDir;

const PROTO: &str = "proto/gantry/tool/v1/tool.proto";

/// A repository with the contract of this one.
struct Scratch {
    folder: TempDir,
    modules: String,
}

impl Scratch {
    fn new(modules: String) -> Result<Self> {
        let scratch = Self { folder: TempDir::new()?, modules };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for file in [PROTO, "proto/buf.yaml", "scripts/contract"] {
            let to = scratch.folder.path().join("repository").join(file);
            std::fs::create_dir_all(to.parent().context("a folder")?)?;
            std::fs::copy(root.join(file), to).context(file)?;
        }
        scratch.git(&["init", "--quiet"])?;
        scratch.commit("first")?;
        Ok(scratch)
    }

    fn git(&self, words: &[&str]) -> Result<()> {
        let mut git = Command::new("git");
        git.current_dir(self.folder.path().join("repository"));
        let settings = ["user.name=tests", "user.email=tests@localhost", "commit.gpgsign=false"];
        git.args(settings.iter().flat_map(|setting| ["-c", setting])).args(words);
        let output = git.output()?;
        ensure!(output.status.success(), "git {words:?}: {output:?}");
        Ok(())
    }

    fn commit(&self, message: &str) -> Result<()> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])
    }

    fn change(&self, from: &str, to: &str) -> Result<()> {
        let path = self.folder.path().join("repository").join(PROTO);
        let text = std::fs::read_to_string(&path)?;
        ensure!(text.contains(from), "no {from} in {PROTO}");
        std::fs::write(&path, text.replacen(from, to, 1))?;
        self.commit(to)
    }

    /// Whether the check passes in a folder of this name, and what it prints.
    fn check(&self, folder: &str, ci: bool) -> Result<(bool, String)> {
        let folder = self.folder.path().join(folder);
        let modules = Path::new(&self.modules).parent().and_then(Path::parent).context("fixtures")?;
        let mut script = Command::new(folder.join("scripts/contract"));
        script.env("GANTRY_FIXTURES", modules).env_remove("CI");
        if ci {
            script.env("CI", "true");
        }
        let Output { status, stdout, stderr } = script.output()?;
        Ok((status.success(), String::from_utf8([stdout, stderr].concat())?))
    }
}

#[test]
fn a_field_with_another_number_breaks_the_last_release() -> Result<()> {
    let Some(modules) = fixture("contract", "GANTRY_TEST_NODE_MODULES") else { return Ok(()) };
    let scratch = Scratch::new(modules)?;
    let (passes, said) = scratch.check("repository", true)?;
    ensure!(passes && said.contains("no release yet"), "before a release: {said}");
    scratch.git(&["tag", "v0.1.0"])?;
    scratch.change("string title = 2;", "string title =  2;\n  // Since the release.\n  string late = 9;")?;
    scratch.git(&["tag", "unrelated"])?;
    let (passes, said) = scratch.check("repository", true)?;
    ensure!(!passes && !said.contains("breaks nothing"), "badly formatted: {said}");
    scratch.change("=  2", "= 2")?;
    let (passes, said) = scratch.check("repository", true)?;
    ensure!(passes && said.contains("breaks nothing since v0.1.0"), "a field more: {said}");

    scratch.change("string output_schema_json = 5;", "string output_schema_json = 7;")?;
    let (passes, said) = scratch.check("repository", true)?;
    ensure!(!passes && said.contains("output_schema_json"), "another number: {said}");
    // The commit of a release is held against the release before it.
    scratch.git(&["tag", "v0.2.0"])?;
    ensure!(!scratch.check("repository", true)?.0, "a release that breaks the last");
    scratch.change("string late = 9;", "string late = 9;\n  // Later still.\n  string later = 10;")?;
    let (passes, said) = scratch.check("repository", true)?;
    ensure!(passes && said.contains("v0.2.0"), "after the next release: {said}");
    Ok(())
}

#[test]
fn a_clone_that_does_not_know_the_releases_says_so() -> Result<()> {
    let Some(modules) = fixture("contract in a shallow clone", "GANTRY_TEST_NODE_MODULES") else {
        return Ok(());
    };
    let scratch = Scratch::new(modules)?;
    scratch.git(&["tag", "v0.1.0"])?;
    scratch.change("string output_schema_json = 5;", "string output_schema_json = 7;")?;
    let url = format!("file://{}", scratch.folder.path().join("repository").display());
    scratch.git(&["clone", "--quiet", "--depth", "1", &url, "../shallow"])?;
    scratch.git(&["clone", "--quiet", "--no-tags", &url, "../tagless"])?;
    for clone in ["shallow", "tagless"] {
        let (passes, said) = scratch.check(clone, true)?;
        ensure!(!passes && said.contains("not held against"), "{clone} in CI: {said}");
        let (passes, said) = scratch.check(clone, false)?;
        ensure!(passes && said.contains("not held against"), "{clone}: {said}");
    }
    Ok(())
}
