//! `check`: the settings, whether a start with them would succeed, and what upstreams answer.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Setting;
use super::table::table;
use crate::health::{self, Finding};

/// What a check of a program found.
#[derive(Debug)]
pub struct Report {
    /// The program's name.
    pub program: String,
    /// Its settings.
    pub settings: Vec<Setting>,
    /// Why it would not start, if so.
    pub refusal: Option<anyhow::Error>,
    /// What its checks found.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether a program started like this would be ready.
    pub fn is_good(&self) -> bool {
        self.refusal.is_none() && health::ready(&self.findings, false).0.is_success()
    }

    /// As one JSON object: `dependencies` and `status` as `/health/ready` has them, or `would_not_start`.
    pub fn json(&self) -> Value {
        let (_, mut ready) = health::ready(&self.findings, false);
        if self.refusal.is_some() {
            ready["status"] = "would_not_start".into();
        }
        json!({
            "program": self.program,
            "version": crate::VERSION,
            "status": ready["status"],
            "error": self.refusal.as_ref().map(|error| format!("{error:#}")),
            "dependencies": ready["dependencies"],
            "settings": self.settings,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{} {}\n", self.program, crate::VERSION);
        for topic in self.topics() {
            let of_topic = self.settings.iter().filter(|setting| setting.topic == topic);
            let rows: Vec<_> = of_topic
                .map(|it| [it.name.as_str(), it.value.as_deref().unwrap_or("-"), it.source.as_str()])
                .collect();
            let _infallible = write!(text, "\n{topic}\n{}", table(&rows));
        }
        if !self.findings.is_empty() {
            let rows: Vec<_> = self.findings.iter().map(row).collect();
            let _infallible = write!(text, "\nChecks\n{}", table(&rows));
        }
        let _infallible = writeln!(text, "\n{}", self.verdict());
        text
    }

    fn topics(&self) -> Vec<&str> {
        let mut topics: Vec<&str> = vec![];
        for setting in &self.settings {
            if !topics.contains(&setting.topic.as_str()) {
                topics.push(&setting.topic);
            }
        }
        topics
    }

    fn verdict(&self) -> String {
        if let Some(error) = &self.refusal {
            return format!("would not start: {error:#}");
        }
        let down = |required| {
            let down = self.findings.iter().filter(|it| it.result.is_err() && it.required == required);
            down.map(|it| it.name.as_ref()).collect::<Vec<_>>().join(", ")
        };
        match (down(true), down(false)) {
            (required, _) if !required.is_empty() => format!("not ready, without {required}"),
            (_, optional) if !optional.is_empty() => format!("ready, but degraded without {optional}"),
            _ => "ready".to_owned(),
        }
    }
}

fn row(finding: &Finding) -> [&str; 4] {
    let (status, message) = match &finding.result {
        Ok(message) => ("up", message),
        Err(message) => ("down", message),
    };
    [&finding.name, status, if finding.required { "required" } else { "optional" }, message]
}
