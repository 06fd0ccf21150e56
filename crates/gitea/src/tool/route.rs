//! From tools to what the chassis lists and calls: every name there is, listed in the operator's style or not.

use std::sync::Arc;

use futures::FutureExt;
use kit::{Aliases, Call, Effect, ToolError};
use rmcp::handler::server::common::FromContextPart;
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{JsonObject, Tool as Definition, ToolAnnotations};
use serde_json::{Map, Value, json};

use super::arguments::{Arguments, DRY_RUN};
use super::classic::Classic;
use super::{Answer, Method, Tool};
use crate::Gitea;
use crate::args::{Args, ToolStyle};
use crate::error::{Error, Result};
use crate::forge::Forge;

/// The argument that chooses among a tool's methods.
const METHOD: &str = "method";

/// The tools that clients see, each made when it is asked for: the trees of all of them together are large.
pub(crate) fn listed(tools: &'static [Tool], args: &Args) -> impl Iterator<Item = ToolRouter<Gitea>> {
    let names = names(tools).into_iter().filter(|name| name.is_listed(args));
    names.map(|name| router([(name.schema(), name)].into_iter()))
}

/// The other names, which work all the same when called. Nobody asks for their arguments, which would take more memory
/// than all the rest.
pub(crate) fn unlisted(tools: &'static [Tool], args: &Args) -> Aliases<Gitea> {
    let names = names(tools).into_iter().filter(|name| !name.is_listed(args));
    Aliases { router: router(names.map(|name| (name.bare_schema(), name))), of: vec![] }
}

/// What the operator's switches and globs are held against.
pub(crate) fn methods(tools: &[Tool]) -> Vec<kit::Method> {
    let methods = tools.iter().flat_map(|tool| tool.methods.iter().map(move |method| (tool.name, method)));
    let methods = methods.map(|(tool, Method { name, effect, classic, .. })| {
        let former = classic.iter().map(|it| it.name).collect();
        kit::Method { tool, name, former, effect: *effect }
    });
    methods.collect()
}

/// Straight into the map: the router's own way looks at each name's letters at length.
fn router(names: impl Iterator<Item = (JsonObject, Name)>) -> ToolRouter<Gitea> {
    let mut router = ToolRouter::new();
    router.map.extend(names.map(|(schema, name)| (name.name.into(), name.route(schema))));
    router
}

/// A name that can be called: a tool's own, or a former one of one of its methods.
struct Name {
    name: &'static str,
    tool: &'static Tool,
    former: Option<Former>,
}

/// Where a former name is: the method among its tool's, and the name among the method's.
#[derive(Clone, Copy)]
struct Former {
    method: usize,
    classic: usize,
}

fn names(tools: &'static [Tool]) -> Vec<Name> {
    let mut names = vec![];
    for tool in tools {
        names.push(Name { name: tool.name, tool, former: None });
        for (method, of) in tool.methods.iter().enumerate() {
            for (classic, it) in of.classic.iter().enumerate() {
                let former = Some(Former { method, classic });
                if it.name == tool.name {
                    names.pop(); // the tool's own name, which takes arguments under either of their names
                }
                names.push(Name { name: it.name, tool, former });
            }
        }
    }
    names
}

impl Name {
    /// A style lists its own names; the classic one also tools that never had other names.
    fn is_listed(&self, args: &Args) -> bool {
        let own = self.name == self.tool.name;
        let classic = self.tool.methods.iter().any(|method| !method.classic.is_empty());
        match args.tool_style {
            ToolStyle::Grouped => own,
            ToolStyle::Classic => self.former.is_some() || own && !classic,
        }
    }

    fn method(&self) -> Option<&Method> {
        self.former.and_then(|former| self.tool.methods.get(former.method))
    }

    fn classic(&self) -> Option<&Classic> {
        self.former.and_then(|former| self.method()?.classic.get(former.classic))
    }

    fn effect(&self) -> Effect {
        self.method().map_or_else(|| self.tool.effect(), |method| method.effect)
    }

    fn route(self, schema: JsonObject) -> ToolRoute<Gitea> {
        let definition = self.definition(schema);
        let name = Arc::new(self);
        ToolRoute::new_dyn(definition, move |mut context: ToolCallContext<'_, Gitea>| {
            let name = name.clone();
            async move {
                let call = Call::from_context_part(&mut context)?;
                let arguments = context.arguments.take().unwrap_or_default();
                let forge = Forge::new(context.service.client.clone(), call);
                let limit = forge.kit().max_output_bytes();
                match name.call(forge, arguments).await {
                    Ok(answer) => Ok(answer.into_result(limit).into()),
                    Err(error) => Err(name.explain(error.into()).into()),
                }
            }
            .boxed()
        })
    }

    fn definition(&self, schema: JsonObject) -> Definition {
        let effect = self.effect();
        let hints = ToolAnnotations::new()
            .read_only(effect == Effect::Reads)
            .destructive(effect == Effect::Destroys)
            .open_world(true);
        let mut definition = Definition::new(self.name, self.about(), schema).with_annotations(hints);
        definition.title = Some(self.title());
        definition
    }

    /// A former name says itself what it does; its tool says what it is about.
    fn title(&self) -> String {
        if self.name == self.tool.name { self.tool.title.to_owned() } else { words(self.name) }
    }

    fn about(&self) -> String {
        let about = self.tool.about;
        if self.name == self.tool.name { about.to_owned() } else { format!("{}. {about}", words(self.name)) }
    }

    fn schema(&self) -> JsonObject {
        object(self.arguments())
    }

    fn bare_schema(&self) -> JsonObject {
        match self.method() {
            Some(method) if !method.has_secrets() => JsonObject::new(),
            _ => object(self.arguments().bare(METHOD)),
        }
    }

    fn arguments(&self) -> Arguments {
        match (self.method(), self.classic()) {
            (Some(method), Some(classic)) if self.name != self.tool.name => {
                classic.arguments(&method.arguments())
            }
            _ => self.tool.arguments(),
        }
    }

    async fn call(&self, forge: Forge, mut arguments: Map<String, Value>) -> Result<Answer> {
        let method = match self.method() {
            Some(method) => method,
            None => self.tool.choose(&mut arguments)?,
        };
        if let Some(classic) = self.classic() {
            arguments = classic.translate(arguments, method.settled())?;
        }
        let whose = match method.name {
            "" => self.name.to_owned(),
            _ if self.former.is_some() => self.name.to_owned(),
            name => format!("{}'s method {name}", self.name),
        };
        method.settled().settle(&mut arguments, &whose)?;
        method.call(forge, arguments).await
    }

    /// Errors name arguments as the caller does.
    fn explain(&self, mut error: ToolError) -> ToolError {
        if self.name == self.tool.name {
            return error;
        }
        let (Some(method), Some(classic)) = (self.method(), self.classic()) else { return error };
        if let Some(Value::String(field)) = error.details.get_mut("field") {
            let was = classic.was(field, method.settled()).to_owned();
            if was != *field {
                error.message = error.message.replace(field.as_str(), &was);
                *field = was;
            }
        }
        error
    }
}

impl Tool {
    /// What all methods take together; required is what each of them needs.
    fn arguments(&self) -> Arguments {
        let each: Vec<_> = self.methods.iter().map(Method::arguments).collect();
        let mut all = Arguments::default();
        if let [first, rest @ ..] = each.as_slice() {
            all.required = first.required.clone();
            all.required.retain(|name| rest.iter().all(|method| method.required.contains(name)));
        }
        if !self.is_single() {
            let names: Vec<_> = self.methods.iter().map(|method| method.name).collect();
            all.properties.insert(METHOD.to_owned(), json!({"type": "string", "enum": names}));
            all.required.insert(0, METHOD.to_owned());
        }
        for (name, property) in each.into_iter().flat_map(|method| method.properties) {
            all.properties.entry(name).or_insert(property);
        }
        all
    }

    fn is_single(&self) -> bool {
        matches!(self.methods.as_slice(), [only] if only.name.is_empty())
    }

    /// The method that the arguments name, without the argument that names it.
    fn choose(&self, arguments: &mut Map<String, Value>) -> Result<&Method> {
        if self.is_single()
            && let Some(only) = self.methods.first()
        {
            return Ok(only);
        }
        let chosen = arguments.remove(METHOD);
        let name = chosen.as_ref().and_then(Value::as_str).unwrap_or_default();
        // The chassis has refused what is none of its methods.
        let found = self.methods.iter().find(|method| method.name == name);
        found.ok_or_else(|| Error::argument(METHOD, "there is no such method"))
    }
}

impl Method {
    async fn call(&self, forge: Forge, mut arguments: Map<String, Value>) -> Result<Answer> {
        let dry = arguments.remove(DRY_RUN) == Some(Value::Bool(true));
        let forge = if dry { forge.dry() } else { forge };
        let work = (self.run)(forge.clone(), &arguments)?;
        if let Some(release) = self.since {
            forge.needs(release).await?;
        }
        match work.await {
            Err(Error::DryRun(plan)) => Ok(json!({"dry_run": true, "would": plan}).into()),
            other => other,
        }
    }
}

fn object(arguments: Arguments) -> JsonObject {
    let mut schema = JsonObject::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), arguments.properties.into());
    if !arguments.required.is_empty() {
        schema.insert("required".into(), arguments.required.into());
    }
    schema
}

/// `create_repo_label` as people write it.
fn words(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}
