//! `docker_logs`: the last lines of a container's log.

use jiff::Timestamp;
use kit::{Json, Parameters, Result, Text, ToolError};
use regex::{Regex, RegexBuilder};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DockerLocust;
use crate::docker::lines::{self, Assembler, Tail};
use crate::docker::moment;
use crate::names;
use crate::resolve::resolve;

const MAX_LINES: u32 = 10_000;
/// A compiled pattern may take so much memory.
const MAX_PATTERN: usize = 1 << 20;

/// Which log, and which of its lines.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DockerLogsInput {
    /// The container: its name, the beginning of its id, or its compose service.
    pub service_name: String,
    /// How many lines, counted from the end (after grep). 1 to 10000.
    #[serde(default = "hundred")]
    pub lines: u32,
    /// Only lines from this time on: RFC 3339, unix seconds, or so long ago, such as 10m.
    pub since: Option<String>,
    /// Only lines up to this time, in the same forms.
    pub until: Option<String>,
    /// Only lines that match this regular expression, such as (?i)error|warn.
    pub grep: Option<String>,
    /// Which of the two outputs.
    #[serde(default)]
    pub stream: Stream,
    /// Whether each line begins with its time.
    #[serde(default)]
    pub timestamps: bool,
}

/// An output of a container. A container with a terminal has only stdout.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
    #[default]
    Both,
}

/// The lines.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DockerLogsOutput {
    /// The container's name.
    pub service_name: String,
    /// Its id.
    pub container_id: String,
    /// How many lines there are in logs.
    pub lines: usize,
    /// The lines, oldest first.
    pub logs: Text,
}

fn hundred() -> u32 {
    100
}

#[tool_router(router = docker_logs_router, vis = "pub(crate)")]
impl DockerLocust {
    /// Reads the last lines of a container's log, within a time span and filtered by a regular expression if wanted.
    #[tool(
        title = "Read container logs",
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    pub(crate) async fn docker_logs(
        &self,
        Parameters(input): Parameters<DockerLogsInput>,
    ) -> Result<Json<DockerLogsOutput>> {
        self.read_log(input, self.kit().text_limit()).await.map(Json)
    }

    /// The same, with as much text as there is room for.
    pub(crate) async fn read_log(&self, input: DockerLogsInput, limit: usize) -> Result<DockerLogsOutput> {
        if !(1..=MAX_LINES).contains(&input.lines) {
            return Err(ToolError::invalid("lines", format!("lines must be between 1 and {MAX_LINES}")));
        }
        let grep = input.grep.as_deref().map(pattern).transpose()?;
        let query = input.query(grep.is_some(), Timestamp::now())?;
        let listed = self.docker().list().await?;
        let container = self.docker().inspect(names::id(resolve(&listed, &input.service_name)?)).await?;

        let query: Vec<_> = query.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let log = self.docker().logs(container.id(), &query).await?;
        let tty = container.0.pointer("/Config/Tty") == Some(&true.into());
        let mut tail = Tail::new(input.lines as usize, limit, grep, input.timestamps);
        lines::read(log, Assembler::new(tty), |line| tail.push(line)).await?;
        let (lines, logs) = tail.finish("ask for fewer lines, or narrow with since, until or grep");
        Ok(DockerLogsOutput {
            service_name: container.name().to_owned(),
            container_id: container.id().to_owned(),
            lines,
            logs,
        })
    }
}

impl DockerLogsInput {
    /// The last lines, of both outputs.
    pub(crate) fn last(service_name: String, lines: u32) -> Self {
        let stream = Stream::default();
        Self { service_name, lines, since: None, until: None, grep: None, stream, timestamps: false }
    }

    /// What the engine is asked for; with a pattern it must send all lines, because only we know which match.
    fn query(&self, all_lines: bool, now: Timestamp) -> Result<Vec<(&'static str, String)>> {
        let flag = |on: bool| u8::from(on).to_string();
        let mut query = vec![
            ("stdout", flag(!matches!(self.stream, Stream::Stderr))),
            ("stderr", flag(!matches!(self.stream, Stream::Stdout))),
            ("timestamps", flag(self.timestamps)),
            ("tail", if all_lines { "all".to_owned() } else { self.lines.to_string() }),
        ];
        let since = self.since.as_deref().map(|text| time("since", text, now)).transpose()?;
        let until = self.until.as_deref().map(|text| time("until", text, now)).transpose()?;
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err(ToolError::invalid("until", "until is before since"));
        }
        query.extend(since.map(|since| ("since", moment::for_engine(since))));
        query.extend(until.map(|until| ("until", moment::for_engine(until))));
        Ok(query)
    }
}

fn time(field: &str, text: &str, now: Timestamp) -> Result<Timestamp> {
    moment::parse(text, now).ok_or_else(|| {
        let forms = "RFC 3339 (2026-11-20T10:00:00Z), unix seconds, or so long ago (10m)";
        ToolError::invalid(field, format!("{field} must be {forms}"))
    })
}

fn pattern(text: &str) -> Result<Regex> {
    let invalid =
        |reason: &str| ToolError::invalid("grep", format!("grep is not a regular expression: {reason}"));
    RegexBuilder::new(text).size_limit(MAX_PATTERN).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => invalid("it is too large"),
        other => invalid(&kit::clip(other.to_string().lines().last().unwrap_or_default())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn query(input: serde_json::Value, grep: bool) -> Result<Vec<(&'static str, String)>> {
        let input: DockerLogsInput = serde_json::from_value(input).unwrap();
        input.query(grep, "2026-11-20T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn asks_for_no_more_than_it_needs() {
        let asked = query(json!({"service_name": "web", "stream": "stderr", "since": "1s"}), false).unwrap();
        let expected = [
            ("stdout", "0"),
            ("stderr", "1"),
            ("timestamps", "0"),
            ("tail", "100"),
            ("since", "1795168799.000000000"),
        ];
        assert_eq!(asked, expected.map(|(key, value)| (key, value.to_owned())));
        assert!(query(json!({"service_name": "web"}), true).unwrap().contains(&("tail", "all".to_owned())));
    }

    #[test]
    fn names_the_bad_argument() {
        for (input, field) in [
            (json!({"service_name": "web", "since": "yesterday"}), "since"),
            (json!({"service_name": "web", "since": "1m", "until": "2m"}), "until"),
        ] {
            assert_eq!(query(input, false).unwrap_err().details["field"], field);
        }
        for bad in ["(", "x{1000}{1000}{1000}"] {
            assert_eq!(pattern(bad).unwrap_err().details["field"], "grep");
        }
    }
}
