//! Tools that do several things, chosen by the argument `method`: each is a thing of its own to the policy, and what a
//! caller may not choose is not offered.

use prometheus_client::metrics::counter::Counter;
use rmcp::model::{JsonObject, Tool};
use serde_json::Value;

use crate::ToolError;
use crate::auth::Role;
use crate::metrics::Metrics;
use crate::policy::{Gate, Policy};

/// The argument that chooses.
const METHOD: &str = "method";

/// What a tool, or one of its methods, may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Changes nothing.
    Reads,
    /// Adds or changes.
    Writes,
    /// May lose what was there.
    Destroys,
}

impl Effect {
    /// By its annotations; in MCP a tool that says nothing writes and may destroy.
    pub(crate) fn of(tool: &Tool) -> Self {
        let hints = tool.annotations.clone().unwrap_or_default();
        match (hints.read_only_hint, hints.destructive_hint) {
            (Some(true), _) => Self::Reads,
            (_, Some(false)) => Self::Writes,
            _ => Self::Destroys,
        }
    }
}

/// One thing that a tool does. To the operator it is `TOOL.METHOD`, and each of its former names.
#[derive(Debug, Clone)]
pub struct Method {
    /// The tool.
    pub tool: &'static str,
    /// The value of the argument `method`; empty where the tool does only this and has no such argument.
    pub name: &'static str,
    /// Names under which it alone is a tool, or an alias.
    pub former: Vec<&'static str>,
    /// What it may do.
    pub effect: Effect,
}

impl Method {
    /// What calls it when this name is called as a tool.
    pub(crate) fn find<'a>(methods: &'a [Self], name: &str) -> Option<&'a Self> {
        methods.iter().find(|it| it.former.contains(&name) || it.name.is_empty() && it.tool == name)
    }

    /// `TOOL.METHOD`
    pub(crate) fn full_name(&self) -> String {
        if self.name.is_empty() { self.tool.to_owned() } else { format!("{}.{}", self.tool, self.name) }
    }

    /// All names that bind it, the tool's last.
    pub(crate) fn names(&self) -> Vec<String> {
        let former = self.former.iter().map(|name| (*name).to_owned());
        [self.full_name()].into_iter().chain(former).chain([self.tool.to_owned()]).collect()
    }
}

/// A method as it is called.
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) gate: Gate,
    pub(crate) calls: Counter,
}

/// What one tool's argument `method` chooses among; most tools have none.
pub(crate) struct Methods(Vec<Choice>);

impl Methods {
    /// Those of this tool.
    ///
    /// # Errors
    /// When they are not what its argument offers.
    pub(crate) fn of(
        tool: &Tool,
        methods: &[Method],
        policy: &Policy,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        let own = methods.iter().filter(|it| it.tool == tool.name && !it.name.is_empty());
        let choices: Vec<_> = own
            .map(|it| Choice {
                name: it.name,
                gate: policy.gate(it.effect, &it.names()),
                calls: metrics.method(it.tool, it.name),
            })
            .collect();
        let offered = &tool.input_schema["properties"][METHOD]["enum"];
        let names: Vec<_> = choices.iter().map(|it| it.name).collect();
        anyhow::ensure!(
            names.is_empty() || *offered == Value::from(names),
            "tool {}: its argument {METHOD} does not offer its methods",
            tool.name
        );
        Ok(Self(choices))
    }

    /// What the arguments choose.
    pub(crate) fn chosen(&self, arguments: Option<&JsonObject>) -> Option<&Choice> {
        if self.0.is_empty() {
            return None;
        }
        let name = arguments?.get(METHOD)?.as_str()?;
        self.0.iter().find(|it| it.name == name)
    }

    /// Refuses a call that chooses nothing there is.
    pub(crate) fn refuse_none(&self, role: Role) -> Result<(), ToolError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = self.open(role).map(|it| it.name).collect();
        Err(ToolError::invalid(METHOD, format!("{METHOD} must be one of {}", names.join(", "))))
    }

    /// What holds for the tool as a whole: it is open while one of them is, and may be seen by who may call one.
    pub(crate) fn together(&self, tool: &str, policy: &Policy) -> Option<Gate> {
        let open = self.0.iter().filter(|it| it.gate.shows(Role::Admin));
        let least = open.min_by_key(|it| it.gate.effect).or(self.0.first())?;
        let mut gate = policy.gate(least.gate.effect, &[tool]);
        gate.closed = least.gate.closed;
        gate.confirms = self.open(Role::Admin).any(|it| it.gate.confirms);
        Some(gate)
    }

    /// The tool as this role may call it.
    pub(crate) fn left(&self, tool: &Tool, role: Role) -> Tool {
        let mut tool = tool.clone();
        let open: Vec<_> = self.open(role).collect();
        let Some(effect) = open.iter().map(|it| it.gate.effect).max() else { return tool };
        let names: Vec<_> = open.iter().map(|it| it.name).collect();
        let mut schema = JsonObject::clone(&tool.input_schema);
        schema["properties"][METHOD]["enum"] = names.into();
        tool.input_schema = schema.into();
        let hints = tool.annotations.get_or_insert_default();
        hints.read_only_hint = Some(effect == Effect::Reads);
        hints.destructive_hint = Some(effect == Effect::Destroys);
        tool
    }

    /// Whether the operator has closed one of them.
    pub(crate) fn close_some(&self) -> bool {
        self.0.iter().any(|it| it.gate.closed.is_some())
    }

    /// Whether some may be called by a role that may only read, and others not.
    pub(crate) fn are_mixed(&self) -> bool {
        let readable = self.open(Role::Read).count();
        readable > 0 && readable < self.open(Role::Admin).count()
    }

    /// Whether one of them changes something.
    pub(crate) fn write(&self) -> bool {
        self.0.iter().any(|it| it.gate.writes())
    }

    fn open(&self, role: Role) -> impl Iterator<Item = &Choice> {
        self.0.iter().filter(move |it| it.gate.shows(role))
    }
}
