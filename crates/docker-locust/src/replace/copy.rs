//! The new container's description, made from the old one's raw JSON: everything is kept, known or not, but
//! what the engine made up for the old one alone.

mod mounts;
mod networks;

use serde_json::{Map, Value, json};

use super::journal::Journal;
use crate::docker::container::Container;

/// What to create, and what to connect it to afterwards.
#[derive(Debug)]
pub(crate) struct Copy {
    /// The image's platform, where the engine tells it.
    pub platform: Option<String>,
    /// The body of the create call.
    pub body: Value,
    /// The networks that the create call does not take, by name.
    pub later: Vec<(String, Value)>,
}

/// What the copy depends on besides the old container.
pub(crate) struct Context<'a> {
    /// The new environment.
    pub env: Vec<String>,
    /// How the image is called in the create call: its name while that still means it, else its id.
    pub image: &'a str,
    /// The image itself.
    pub image_config: &'a Value,
    /// Whether the create call takes several networks.
    pub many_networks: bool,
}

/// Describes the new container.
pub(crate) fn of(old: &Container, journal: &Journal, context: Context<'_>) -> Copy {
    let mut body = object(old.0.get("Config"));
    let mut host = object(old.0.get("HostConfig"));
    let mut labels = object(body.get("Labels"));
    journal.write(&mut labels);
    body.insert("Labels".into(), labels.into());
    body.insert("Env".into(), context.env.into());
    body.insert("Image".into(), context.image.into());
    keep_reset_entrypoint(&mut body, context.image_config);
    drop_generated_host_name(&mut body, &host, old.short_id());
    drop_foreign_ports(&mut body, &host);
    relink(&mut host);
    mounts::reattach(&mut host, old.list("/Mounts"));
    let (first, later) = networks::split(old, &host, context.many_networks);
    if !first.is_empty() {
        body.insert("NetworkingConfig".into(), json!({"EndpointsConfig": first}));
    }
    body.insert("HostConfig".into(), host.into());
    Copy { platform: platform(old), body: body.into(), later }
}

/// An entry point that was reset is stored as none, for which the engine would take the image's again.
fn keep_reset_entrypoint(body: &mut Map<String, Value>, image: &Value) {
    let is_empty = |value: Option<&Value>| value.and_then(Value::as_array).is_none_or(Vec::is_empty);
    if is_empty(body.get("Entrypoint")) && !is_empty(image.pointer("/Config/Entrypoint")) {
        body.insert("Entrypoint".into(), json!([""]));
    }
}

/// A host name is the engine's own where it is the id, or borrowed from another container or the host.
fn drop_generated_host_name(body: &mut Map<String, Value>, host: &Map<String, Value>, short_id: &str) {
    let mode = |key: &str| host.get(key).and_then(Value::as_str).unwrap_or_default();
    let borrowed = mode("NetworkMode").starts_with("container:") || mode("UTSMode") == "host";
    if borrowed || body.get("Hostname").and_then(Value::as_str) == Some(short_id) {
        body.remove("Hostname");
    }
    if borrowed {
        body.remove("Domainname");
    }
}

/// In another container's network there are no ports of its own. The engine takes those of the image without a
/// word, but not when they are asked for.
fn drop_foreign_ports(body: &mut Map<String, Value>, host: &Map<String, Value>) {
    let mode = host.get("NetworkMode").and_then(Value::as_str).unwrap_or_default();
    if mode.starts_with("container:") {
        body.remove("ExposedPorts");
    }
}

/// The engine shows a link as `/db:/web/alias` and takes it as `db:alias`.
fn relink(host: &mut Map<String, Value>) {
    let Some(Value::Array(links)) = host.get_mut("Links") else { return };
    for link in links {
        let Some((target, alias)) = link.as_str().and_then(|link| link.split_once(':')) else { continue };
        let alias = alias.rsplit('/').next().unwrap_or(alias);
        *link = format!("{}:{alias}", target.trim_start_matches('/')).into();
    }
}

fn platform(old: &Container) -> Option<String> {
    let platform = old.0.pointer("/ImageManifestDescriptor/platform")?;
    let part = |key: &str| platform.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let base = format!("{}/{}", part("os")?, part("architecture")?);
    Some(part("variant").map_or(base.clone(), |variant| format!("{base}/{variant}")))
}

fn object(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
