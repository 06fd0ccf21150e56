//! The former names: one tool for each kind of call, with some arguments named otherwise.

use serde_json::{Map, Value};

use super::arguments::Arguments;

/// What arguments were called when each call had a tool of its own: pairs of the former name and today's.
const RENAMED: [(&str, &str); 5] = [
    ("index", "issue_number"),
    ("index", "pull_number"),
    ("pageSize", "per_page"),
    ("filePath", "path"),
    ("keyword", "query"),
];

/// A former name of a method.
#[derive(Debug)]
pub(crate) struct Classic {
    pub(super) name: &'static str,
    renamed: Vec<(&'static str, &'static str)>,
}

impl Classic {
    pub(super) fn new(
        name: &'static str,
        arguments: &Arguments,
        renamed: &'static [(&'static str, &'static str)],
    ) -> Self {
        let own = renamed.iter().map(|(_, now)| now);
        let own: Vec<_> = own.collect();
        let usual = RENAMED.iter().filter(|(was, now)| {
            arguments.properties.contains_key(*now)
                && !own.contains(&now)
                && !arguments.properties.contains_key(*was)
        });
        Self { name, renamed: renamed.iter().chain(usual).copied().collect() }
    }

    /// The method's arguments under their former names.
    pub(super) fn arguments(&self, of: &Arguments) -> Arguments {
        let properties = of.properties.iter().map(|(name, it)| (self.was(name).to_owned(), it.clone()));
        let required = of.required.iter().map(|name| self.was(name).to_owned());
        Arguments { properties: properties.collect(), required: required.collect() }
    }

    /// Today's names for what a caller sent; who knows those already may use them.
    pub(super) fn translate(&self, arguments: Map<String, Value>) -> Map<String, Value> {
        arguments.into_iter().map(|(name, value)| (self.now(&name).to_owned(), value)).collect()
    }

    /// What an argument was called.
    pub(super) fn was<'a>(&self, now: &'a str) -> &'a str {
        self.renamed.iter().find(|(_, it)| *it == now).map_or(now, |(was, _)| was)
    }

    fn now<'a>(&self, was: &'a str) -> &'a str {
        self.renamed.iter().find(|(it, _)| *it == was).map_or(was, |(_, now)| now)
    }
}
