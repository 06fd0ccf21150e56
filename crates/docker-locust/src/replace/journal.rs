//! The journal of a replacement: labels on the new container, made with it in one call of the engine. They
//! hold all that undoing needs, so that nothing but the engine has to survive a crash of this server.

use std::time::Duration;

use bollard::models::ContainerSummary;
use serde_json::{Map, Value};

use crate::docker::container::Container;
use crate::names::{self, Part};

const PREFIX: &str = "io.gantry.replace.";
const OLD: &str = "io.gantry.replace.old";
const NAME: &str = "io.gantry.replace.name";
const RAN: &str = "io.gantry.replace.ran";
const POLICY: &str = "io.gantry.replace.restart-policy";
const UNTIL: &str = "io.gantry.replace.until";

/// What the engine's calls of a replacement take at most, without stopping and the trial.
const MARGIN: Duration = Duration::from_secs(30);

/// What a replacement is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Journal {
    /// The old container's id.
    pub old: String,
    /// The new container's id; empty until it is created.
    pub new: String,
    /// The name that passes from the one to the other.
    pub name: String,
    /// Whether the old one ran.
    pub ran: bool,
    /// The old one's restart policy, which it loses while it is kept.
    pub policy: Value,
    /// The unix second by which it must have ended, or its server is dead.
    pub until: i64,
}

impl Journal {
    /// For replacing this container from now on, with a trial of so long.
    pub(crate) fn new(old: &Container, now: i64, trial: Duration) -> Self {
        let longest = old.stop_timeout() + trial + MARGIN;
        Self {
            until: now.saturating_add_unsigned(longest.as_secs()),
            old: old.id().to_owned(),
            new: String::new(),
            name: old.name().to_owned(),
            ran: old.running(),
            policy: old.restart_policy(),
        }
    }

    /// Puts the journal among a new container's labels, in place of an earlier one.
    pub(crate) fn write(&self, labels: &mut Map<String, Value>) {
        labels.retain(|key, _| !key.starts_with(PREFIX));
        labels.insert(OLD.into(), self.old.clone().into());
        labels.insert(NAME.into(), self.name.clone().into());
        labels.insert(RAN.into(), self.ran.to_string().into());
        labels.insert(POLICY.into(), self.policy.to_string().into());
        labels.insert(UNTIL.into(), self.until.to_string().into());
    }

    /// Reads a listed container's journal; `None` for one that replaced nothing.
    fn read(container: &ContainerSummary) -> Option<Self> {
        Some(Self {
            old: names::label(container, OLD)?.to_owned(),
            new: names::id(container).to_owned(),
            name: names::label(container, NAME)?.to_owned(),
            ran: names::label(container, RAN)? == "true",
            policy: serde_json::from_str(names::label(container, POLICY)?).ok()?,
            until: names::label(container, UNTIL)?.parse().ok()?,
        })
    }

    /// The old container's name while the new one is on trial.
    pub(crate) fn old_name(&self) -> String {
        names::old(&self.name, &self.old)
    }

    /// The new container's name while the old one has not made way.
    pub(crate) fn next_name(&self) -> String {
        names::next(&self.name, &self.old)
    }
}

/// The replacements that are neither finished nor undone: the new container has one of its two names, and
/// the old one is there and not yet named as replaced. The labels stay after the end; the names tell it.
pub(crate) fn unfinished(containers: &[ContainerSummary]) -> Vec<Journal> {
    let open = |new: &ContainerSummary| {
        let journal = Journal::read(new)?;
        let name = names::of(new);
        let old = containers.iter().find(|it| names::id(it) == journal.old)?;
        let replaced = matches!(names::parse(names::of(old), &journal.old).1, Part::Replaced(_));
        let ours = name == journal.name || name == journal.next_name();
        (ours && !replaced).then_some(journal)
    };
    containers.iter().filter_map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OLD_ID: &str = "0123456789abcdef";

    fn journal() -> Journal {
        Journal {
            old: OLD_ID.into(),
            new: "new".into(),
            name: "web".into(),
            ran: true,
            policy: json!({"Name": "on-failure", "MaximumRetryCount": 3}),
            until: 1_795_168_800,
        }
    }

    fn container(id: &str, name: &str, labels: &Map<String, Value>) -> ContainerSummary {
        let labels =
            labels.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect();
        ContainerSummary {
            id: Some(id.into()),
            names: Some(vec![format!("/{name}")]),
            labels: Some(labels),
            ..ContainerSummary::default()
        }
    }

    fn labels() -> Map<String, Value> {
        let mut labels = Map::new();
        labels.insert("app".into(), "shop".into());
        labels.insert("io.gantry.replace.old".into(), "an earlier one".into());
        journal().write(&mut labels);
        labels
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let labels = labels();
        assert_eq!((labels.len(), &labels["app"]), (6, &json!("shop")));
        assert_eq!(Journal::read(&container("new", "web", &labels)), Some(journal()));
        assert_eq!(Journal::read(&container("new", "web", &Map::new())), None);
    }

    #[test]
    fn names_tell_whether_it_is_finished() {
        let (it, labels, none) = (journal(), labels(), Map::new());
        let open = |old: &str, new: &str| {
            unfinished(&[container(OLD_ID, old, &none), container("new", new, &labels)]).len()
        };
        assert_eq!(open("web", &it.next_name()), 1);
        assert_eq!(open(&it.old_name(), &it.next_name()), 1);
        assert_eq!(open(&it.old_name(), "web"), 1);
        assert_eq!(open(&names::replaced("web", OLD_ID, 1), "web"), 0);
        assert_eq!(open("web", "made-of-an-image-with-these-labels"), 0);
        assert_eq!(unfinished(&[container("new", "web", &labels)]).len(), 0, "the old one is removed");
    }
}
