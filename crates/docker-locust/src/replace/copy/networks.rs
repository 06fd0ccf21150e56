//! Networks: every endpoint with what was asked for it (aliases, static addresses, links, driver options),
//! without what the engine assigned.

use serde_json::{Map, Value};

use crate::docker::container::Container;

/// What the engine writes into an endpoint by itself.
const ASSIGNED: [&str; 9] = [
    "NetworkID",
    "EndpointID",
    "Gateway",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "DNSNames",
];

/// The endpoints for the create call, and those to connect afterwards: before API 1.44 the engine takes one,
/// that of the network mode.
pub(super) fn split(
    old: &Container,
    host: &Map<String, Value>,
    many: bool,
) -> (Map<String, Value>, Vec<(String, Value)>) {
    let mode = host.get("NetworkMode").and_then(Value::as_str).unwrap_or_default();
    let mut first = Map::new();
    let mut later = Vec::new();
    for (name, endpoint) in old.networks() {
        let is_mode = is_mode(mode, &name, &endpoint);
        if is_mode && matches!(mode, "host" | "none") {
            continue;
        }
        let endpoint = requested(endpoint, old.short_id(), many);
        if is_mode || many { drop(first.insert(name, endpoint)) } else { later.push((name, endpoint)) }
    }
    (first, later)
}

/// Whether this is the network that the mode names, by name or by id.
pub(super) fn is_mode(mode: &str, name: &str, endpoint: &Value) -> bool {
    let id = endpoint["NetworkID"].as_str().unwrap_or_default();
    match mode {
        "default" | "" => name == "bridge",
        mode => name == mode || (mode.len() >= 12 && id.starts_with(mode)),
    }
}

fn requested(mut endpoint: Value, short_id: &str, takes_mac: bool) -> Value {
    let Some(fields) = endpoint.as_object_mut() else { return Value::Object(Map::new()) };
    // Before API 1.44 the address is `Config.MacAddress`; one made from the IP address is the engine's own.
    let text = |fields: &Map<String, Value>, key| {
        fields.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mac = text(fields, "MacAddress");
    if !takes_mac || mac.is_empty() || Some(mac) == derived_mac(&text(fields, "IPAddress")) {
        fields.remove("MacAddress");
    }
    for key in ASSIGNED {
        fields.remove(key);
    }
    if let Some(Value::Array(aliases)) = fields.get_mut("Aliases") {
        aliases.retain(|alias| alias != short_id);
    }
    endpoint
}

fn derived_mac(address: &str) -> Option<String> {
    let [a, b, c, d] = address.parse::<std::net::Ipv4Addr>().ok()?.octets();
    Some(format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}"))
}
