//! The former names: one tool for each kind of call, with some arguments named otherwise.

use serde_json::{Map, Value};

use super::arguments::Arguments;
use crate::error::{Error, Result};

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
    /// What is named otherwise only here.
    pub(super) renamed: &'static [(&'static str, &'static str)],
}

impl Classic {
    /// The method's arguments under their former names.
    pub(super) fn arguments(&self, of: &Arguments) -> Arguments {
        let was = |name: &String| self.was(name, of).to_owned();
        let properties = of.properties.iter().map(|(name, it)| (was(name), it.clone())).collect();
        Arguments { properties, required: of.required.iter().map(was).collect() }
    }

    /// Today's names for what a caller sent; who knows those already may use them.
    ///
    /// # Errors
    /// For an argument that is given under both of its names: which of them is meant?
    pub(super) fn translate(&self, sent: Map<String, Value>, of: &Arguments) -> Result<Map<String, Value>> {
        let mut named = Map::new();
        for (name, value) in sent.into_iter().filter(|(_, value)| !value.is_null()) {
            let now = self.now(&name, of).map_or(name, str::to_owned);
            let was = self.was(&now, of);
            if named.contains_key(&now) {
                let message = format!("{was} is the former name of {now}; give one of them only");
                return Err(Error::argument(was, message));
            }
            named.insert(now, value);
        }
        Ok(named)
    }

    /// What an argument was called.
    pub(super) fn was<'a>(&self, now: &'a str, of: &Arguments) -> &'a str {
        self.pairs(of).find(|(_, it)| *it == now).map_or(now, |(was, _)| was)
    }

    fn now(&self, was: &str, of: &Arguments) -> Option<&'static str> {
        self.pairs(of).find(|(it, _)| *it == was).map(|(_, now)| now)
    }

    /// Its own renames, and the usual ones of arguments that it has.
    fn pairs(&self, of: &Arguments) -> impl Iterator<Item = (&'static str, &'static str)> {
        let own = |now: &str| self.renamed.iter().any(|(_, it)| *it == now);
        let has = |name: &str| of.properties.contains_key(name);
        let usual = RENAMED.iter().filter(move |(was, now)| has(now) && !own(now) && !has(was));
        self.renamed.iter().chain(usual).copied()
    }
}
