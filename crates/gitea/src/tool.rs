//! What a tool is made of: a name for people and models, and methods, each an async function with its own arguments.
//!
//! A method's function says everything once: its parameters become the schema, the check and the call. The tool's
//! schema is the union of its methods'; the names of one call each, which agents learned from the official server
//! before it grouped its tools, are a word beside the method they stand for.

mod answer;
mod arguments;
mod classic;
mod handler;
mod prune;
mod route;

pub(crate) use answer::Answer;
pub(crate) use handler::Handler;
pub(crate) use route::{listed, methods, unlisted};

use kit::Effect;

use std::sync::OnceLock;

use crate::client::version::Release;
use arguments::Arguments;
use classic::Classic;
use handler::Run;

/// A tool and its methods.
pub(crate) struct Tool {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    methods: Vec<Method>,
}

/// One thing that a tool does.
pub(crate) struct Method {
    /// The value of the argument `method`; empty where the tool has only this one.
    name: &'static str,
    effect: Effect,
    /// What it takes, as JSON: trees of what is seldom looked at would be most of an idle server's memory.
    takes: Box<str>,
    /// The same for calls, from the first one on.
    settled: OnceLock<Arguments>,
    run: Run,
    /// The release of Gitea that brought it, where servers without it are still about.
    since: Option<Release>,
    classic: Vec<Classic>,
}

impl Tool {
    /// A tool with several methods, which follow.
    pub(crate) fn new(name: &'static str, title: &'static str, about: &'static str) -> Self {
        Self { name, title, about, methods: vec![] }
    }

    /// A method that reads.
    pub(crate) fn reads<P>(self, name: &'static str, run: impl Handler<P>) -> Self {
        self.method(name, Effect::Reads, run)
    }

    /// A method that changes something.
    pub(crate) fn writes<P>(self, name: &'static str, run: impl Handler<P>) -> Self {
        self.method(name, Effect::Writes, run)
    }

    /// A method that may lose something.
    pub(crate) fn destroys<P>(self, name: &'static str, run: impl Handler<P>) -> Self {
        self.method(name, Effect::Destroys, run)
    }

    fn method<P, H: Handler<P>>(mut self, name: &'static str, effect: Effect, run: H) -> Self {
        let mut arguments = H::arguments();
        if effect > Effect::Reads {
            arguments.offer_dry_run();
        }
        let (run, takes) = (handler::boxed(run), arguments.pack());
        let (settled, since, classic) = (OnceLock::new(), None, vec![]);
        self.methods.push(Method { name, effect, takes, settled, run, since, classic });
        self
    }

    /// The last method came with this release.
    pub(crate) fn since(mut self, major: u32, minor: u32) -> Self {
        if let Some(method) = self.methods.last_mut() {
            method.since = Some(Release(major, minor));
        }
        self
    }

    /// The last method is also a tool of its own, under its former name and with the former names of arguments.
    pub(crate) fn classic(self, name: &'static str) -> Self {
        self.classic_with(name, &[])
    }

    /// The same with further renames: pairs of the former name and today's.
    pub(crate) fn classic_with(
        mut self,
        name: &'static str,
        renamed: &'static [(&'static str, &'static str)],
    ) -> Self {
        if let Some(method) = self.methods.last_mut() {
            method.classic.push(Classic { name, renamed });
        }
        self
    }

    /// The worst that its methods may do.
    fn effect(&self) -> Effect {
        self.methods.iter().map(|method| method.effect).max().unwrap_or(Effect::Reads)
    }
}

impl Method {
    /// What it takes, to be shown.
    fn arguments(&self) -> Arguments {
        Arguments::unpack(&self.takes)
    }

    /// What it takes, to be called.
    fn settled(&self) -> &Arguments {
        self.settled.get_or_init(|| self.arguments())
    }

    fn has_secrets(&self) -> bool {
        self.takes.contains(r#""format":"password""#)
    }
}
