//! Webhooks, without what proves to a receiver who calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

/// Receivers whose address is no secret; those of the others are chat services, whose address is the key to a channel.
const PLAIN: [&str; 3] = ["gitea", "gogs", "forgejo"];

/// A webhook as forges send it.
#[derive(Debug, Deserialize)]
pub(crate) struct Raw {
    id: u64,
    pub(crate) name: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) events: Vec<String>,
    pub(crate) branch_filter: Option<String>,
    /// Never answered; sent back with an edit, or a forge would forget it.
    pub(crate) authorization_header: Option<String>,
    pub(crate) active: bool,
    updated_at: Option<String>,
}

/// A webhook as an agent reads it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(from = "Raw")]
pub(crate) struct Hook {
    pub(crate) id: u64,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    url: Option<String>,
    content_type: Option<String>,
    events: Vec<String>,
    branch_filter: Option<String>,
    has_authorization_header: bool,
    active: bool,
    updated_at: Option<String>,
}

impl From<Raw> for Hook {
    fn from(mut raw: Raw) -> Self {
        raw.events.sort();
        Self {
            url: raw.config.get("url").map(|url| shown(&raw.kind, url)),
            content_type: raw.config.remove("content_type"),
            has_authorization_header: raw.authorization_header.is_some_and(|header| !header.is_empty()),
            id: raw.id,
            name: raw.name,
            kind: raw.kind,
            events: raw.events,
            branch_filter: raw.branch_filter,
            active: raw.active,
            updated_at: raw.updated_at,
        }
    }
}

impl Hook {
    /// Of these events, those that it does not have: `issues_only` is `issues` when a forge tells it.
    pub(crate) fn lacks<'a>(&self, wanted: &'a [String]) -> Vec<&'a str> {
        let has = |event: &str| self.events.iter().any(|it| it.eq_ignore_ascii_case(event));
        let wanted = wanted.iter().map(String::as_str);
        wanted.filter(|event| !has(event.strip_suffix("_only").unwrap_or(event))).collect()
    }
}

/// An address without what may be a secret in it.
pub(crate) fn shown(kind: &str, url: &str) -> String {
    let Ok(url) = url.parse::<Url>() else { return "***".to_owned() };
    let origin = url.origin().ascii_serialization();
    let query = if url.query().is_some() { "?***" } else { "" };
    match PLAIN.contains(&kind) {
        true => format!("{origin}{}{query}", url.path()),
        false => format!("{origin}/***"),
    }
}

/// Events under which a forge takes them back as they are: it takes `issues` for all of an issue's, though it says
/// `issues` of the one as well.
pub(crate) fn returned(events: Vec<String>) -> Vec<String> {
    let all = |group: &str, others: &[&str]| {
        others.iter().all(|it| events.iter().any(|event| *event == format!("{group}_{it}")))
    };
    let issues = all("issue", &["assign", "label", "milestone", "comment"]);
    let pulls = all("pull_request", &["assign", "label", "milestone", "comment", "sync", "review_request"]);
    let back = |event: &String| match event.as_str() {
        "issues" if !issues => "issues_only".to_owned(),
        "pull_request" if !pulls => "pull_request_only".to_owned(),
        other => other.to_owned(),
    };
    events.iter().map(back).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_secrets() {
        assert_eq!(shown("gitea", "https://me:pw@ci.example/hook?key=1"), "https://ci.example/hook?***");
        assert_eq!(shown("slack", "https://chat.example/services/T0/B0/key"), "https://chat.example/***");
        assert_eq!(shown("gitea", "no address"), "***");
    }

    #[test]
    fn events_come_back_as_they_are() {
        let events = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(returned(events(&["issues", "push"])), events(&["issues_only", "push"]));
        let all = events(&["issues", "issue_assign", "issue_label", "issue_milestone", "issue_comment"]);
        assert_eq!(returned(all.clone()), all);
    }
}
