//! Runs grpcurl and reads what it prints.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Deserializer, Value};
use tokio::process::Command;

pub(crate) const SERVICE: &str = "gantry.tool.v1.ToolService";
pub(crate) const CALL: &str = "gantry.tool.v1.ToolService/CallTool";

/// grpcurl on its way to a server.
#[derive(Debug)]
pub(crate) struct Grpcurl {
    program: String,
    host: String,
    /// Options of every run.
    options: Vec<String>,
}

/// A status with our error in its details.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: u64,
    pub(crate) error: Value,
}

impl Refusal {
    pub(crate) fn is(&self, status: u64, code: &str) -> bool {
        self.code == status && self.error["code"] == code
    }
}

impl Grpcurl {
    pub(crate) fn to(program: &str, host: &str, options: &[&str]) -> Self {
        Self { program: program.to_owned(), host: host.to_owned(), options: vec![] }.with(options)
    }

    /// The same way, with more options.
    pub(crate) fn with(&self, options: &[&str]) -> Self {
        let more = options.iter().map(|&option| option.to_owned());
        let options = self.options.iter().cloned().chain(more).collect();
        Self { program: self.program.clone(), host: self.host.clone(), options }
    }

    /// The last of an option that is there twice counts.
    pub(crate) fn command(&self, options: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-format-error", "-max-time", "60"]).args(&self.options).args(options);
        command.arg(&self.host).args(words).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// What it prints when all goes well.
    pub(crate) async fn says(&self, options: &[&str], words: &[&str]) -> Result<String> {
        let mut command = self.command(options, words);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await?;
        ensure!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The messages that a method answers with.
    pub(crate) async fn call(&self, method: &str, message: &Value) -> Result<Vec<Value>> {
        let text = self.says(&["-d", &message.to_string()], &[method]).await?;
        Ok(Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>()?)
    }

    /// The error that a method answers with.
    pub(crate) async fn refusal(&self, method: &str, message: &Value) -> Result<Refusal> {
        let mut command = self.command(&["-d", &message.to_string()], &[method]);
        let output = command.stderr(Stdio::piped()).output().await?;
        let text = String::from_utf8_lossy(&output.stderr);
        let mut status: Value = serde_json::from_str(&text).with_context(|| format!("no status: {text}"))?;
        let error = status["details"][0].take();
        ensure!(error["@type"] == "type.googleapis.com/gantry.tool.v1.Error", "not ours: {text}");
        ensure!(error["message"] == status["message"], "two messages: {text}");
        Ok(Refusal { code: status["code"].as_u64().context("no code")?, error })
    }
}
