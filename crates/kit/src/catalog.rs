//! The tools of a server as they are listed and found: checked once at start, plain schemas, policy applied.

mod definition;

use std::collections::HashMap;
use std::sync::Arc;

use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::DynCallToolHandler;
use rmcp::model::Tool;

use crate::auth::Role;
use crate::confirm::Confirms;
use crate::methods::{Effect, Method, Methods};
use crate::metrics::{Metrics, ToolMetrics};
use crate::policy::{Gate, Policy};
use crate::schema;
use crate::service::Service;
use crate::tasks::AsTask;
use crate::{Code, ToolError, audit};
use definition::Definition;

/// One tool, with everything a call needs.
pub(crate) struct Entry<S> {
    pub(crate) name: Arc<str>,
    pub(crate) call: Arc<DynCallToolHandler<S>>,
    definition: Definition,
    /// What holds for it as a whole.
    pub(crate) gate: Gate,
    pub(crate) methods: Methods,
    /// Its definition for a role that may call only some of its methods, as it reads.
    for_readers: Option<Definition>,
    pub(crate) metrics: ToolMetrics,
    pub(crate) secrets: Vec<String>,
    pub(crate) confirms: Confirms,
    pub(crate) as_task: Option<AsTask>,
    /// Some arguments travel as `Mcp-Param-*` headers too, which rmcp compares.
    pub(crate) arguments_in_headers: bool,
    /// Not an alias: listed over MCP.
    pub(crate) listed: bool,
}

impl<S> Entry<S> {
    /// As this role may call it.
    pub(crate) fn definition(&self, role: Role) -> Tool {
        self.for_readers.as_ref().filter(|_| role == Role::Read).unwrap_or(&self.definition).tool()
    }

    /// serde repeats a value of the wrong type in its message; that of a secret argument must not leave.
    pub(crate) fn without_secret(&self, mut error: ToolError) -> ToolError {
        let field = error.details.get("field").and_then(serde_json::Value::as_str).unwrap_or_default();
        let name = field.split(['.', '[']).next().unwrap_or_default();
        if error.code == Code::ValidationError
            && error.message.contains("invalid type")
            && (self.secrets.iter().any(|secret| secret == name) || audit::is_secret(field))
        {
            error.message = format!("{field} has the wrong type");
        }
        error
    }
}

/// All tools by name.
pub(crate) struct Catalog<S> {
    entries: HashMap<String, Entry<S>>,
    order: Vec<String>,
}

impl<S: Service> Catalog<S> {
    /// Collects the tools and refuses what would mislead a client.
    ///
    /// # Errors
    /// A tool without title, description or annotations, two tools of one name, an alias or a method of nothing, or a
    /// glob of the policy that names no tool.
    pub(crate) fn new(args: &S::Args, policy: &Policy, metrics: &Arc<Metrics>) -> anyhow::Result<Self> {
        let aliases = S::aliases(args);
        let methods = S::methods(args);
        let mut catalog = Self { entries: HashMap::new(), order: vec![] };
        for router in S::tools(args) {
            // One after the other: what has been added is small.
            catalog.add(router, true, &[], &methods, policy, metrics)?;
        }
        catalog.add(aliases.router, false, &aliases.of, &methods, policy, metrics)?;
        catalog.order = catalog.entries.keys().cloned().collect();
        catalog.order.sort_unstable();
        let chosen = methods.iter().filter(|it| !it.name.is_empty());
        policy.check(&catalog.order, &chosen.map(Method::full_name).collect::<Vec<_>>())?;
        for name in methods.iter().flat_map(|it| it.former.iter().chain([&it.tool])) {
            anyhow::ensure!(catalog.entries.contains_key(*name), "a method of no tool: {name}");
        }
        for (tool, _) in S::TASKS {
            anyhow::ensure!(catalog.entries.contains_key(*tool), "a task of no tool: {tool}");
        }
        for (alias, tool) in &aliases.of {
            anyhow::ensure!(catalog.entries.contains_key(*alias), "alias {alias} is not a tool");
            anyhow::ensure!(catalog.entries.contains_key(*tool), "alias {alias} stands for no tool: {tool}");
        }
        Ok(catalog)
    }

    fn add(
        &mut self,
        router: ToolRouter<S>,
        listed: bool,
        of: &[(&str, &str)],
        methods: &[Method],
        policy: &Policy,
        metrics: &Arc<Metrics>,
    ) -> anyhow::Result<()> {
        for ToolRoute { call, attr: mut tool, .. } in router {
            let name: Arc<str> = tool.name.as_ref().into();
            tool.input_schema = Arc::new(of_an_object(schema::plain(&tool.input_schema)));
            tool.output_schema = tool.output_schema.take().map(|it| Arc::new(schema::plain(&it)));
            anyhow::ensure!(
                tool.title.is_some() && tool.description.is_some() && tool.annotations.is_some(),
                "tool {name} lacks title, description or annotations"
            );
            let mut names = vec![name.to_string()];
            names.extend(of.iter().filter(|(alias, _)| **alias == *name).map(|(_, tool)| (*tool).to_owned()));
            names.extend(Method::find(methods, &name).map(Method::names).unwrap_or_default());
            let methods = Methods::of(&tool, methods, policy, metrics)?;
            let gate = methods.together(&name, policy);
            let gate = gate.unwrap_or_else(|| policy.gate(Effect::of(&tool), &names));
            let for_readers = methods.are_mixed().then(|| Definition::pack(&methods.left(&tool, Role::Read)));
            if methods.close_some() {
                tool = methods.left(&tool, Role::Admin);
            }
            let mut schema = Arc::unwrap_or_clone(std::mem::take(&mut tool.input_schema));
            let confirms = Confirms::offer(&tool, &mut schema, gate.confirms)?;
            tool.input_schema = Arc::new(schema);
            let entry = Entry {
                definition: Definition::pack(&tool),
                gate,
                methods,
                for_readers,
                confirms,
                as_task: S::TASKS.iter().find(|(tool, _)| **tool == *name).map(|(_, as_task)| *as_task),
                metrics: ToolMetrics::new(metrics, name.clone(), listed),
                secrets: audit::secret_arguments(&tool),
                arguments_in_headers: has_header_arguments(&tool),
                listed,
                name: name.clone(),
                call,
            };
            anyhow::ensure!(self.entries.insert(name.to_string(), entry).is_none(), "two tools named {name}");
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Entry<S>> {
        self.entries.get(name)
    }

    /// The tools this role may call, by name; aliases only when asked for.
    pub(crate) fn list(&self, role: Role, aliases: bool) -> impl Iterator<Item = &Entry<S>> {
        self.order
            .iter()
            .filter_map(|name| self.entries.get(name))
            .filter(move |entry| (entry.listed || aliases) && entry.gate.shows(role))
    }

    /// The definitions MCP lists.
    pub(crate) fn tools(&self, role: Role) -> Vec<Tool> {
        self.list(role, false).map(|entry| entry.definition(role)).collect()
    }
}

fn has_header_arguments(tool: &Tool) -> bool {
    serde_json::to_string(&*tool.input_schema).is_ok_and(|schema| schema.contains("\"x-mcp-header\""))
}

/// Some clients refuse an object schema that does not name its properties, even when there are none.
fn of_an_object(
    mut schema: serde_json::Map<String, serde_json::Value>,
) -> serde_json::Map<String, serde_json::Value> {
    schema.entry("type").or_insert_with(|| "object".into());
    schema.entry("properties").or_insert_with(|| serde_json::Map::new().into());
    schema
}
