//! `check_database_status`: the databases that were configured, and those found among the containers.

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use kit::{Json, Parameters, Result};
use rmcp::{tool, tool_router};
use serde::Serialize;

use super::{Answer, Nothing};
use crate::DockerLocust;
use crate::database::{self, Database, Kind};
use crate::names;

/// More addresses of one container are not tried.
const MAX_ADDRESSES: usize = 4;

/// What the databases answered.
#[derive(Debug, Serialize)]
pub(super) struct DatabaseReport {
    databases: Vec<database::Status>,
    total: usize,
    /// How many take clients.
    up: usize,
    /// Why the containers were not searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    containers_error: Option<String>,
}

#[tool_router(router = check_database_status_router, vis = "pub(super)")]
impl DockerLocust {
    /// Checks whether databases answer (PostgreSQL, MySQL, MariaDB, Redis), without credentials.
    #[tool(
        title = "Check databases (earlier name)",
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn check_database_status(
        &self,
        Parameters(Nothing {}): Parameters<Nothing>,
    ) -> Result<Json<Answer>> {
        Answer::json(&self.database_report().await?)
    }

    /// Fails only when there is nothing to tell: no database is configured and the containers cannot be listed.
    pub(super) async fn database_report(&self) -> Result<DatabaseReport> {
        let mut databases = self.databases().to_vec();
        let containers_error = match self.docker().list().await {
            Ok(listed) => {
                let host = self.docker().engine().published_on();
                databases.extend(listed.iter().filter_map(|container| found(container, &host)));
                None
            }
            Err(error) if databases.is_empty() => return Err(error.into()),
            Err(error) => Some(error.to_string()),
        };
        let databases = database::check_all(&databases).await;
        let up = databases.iter().filter(|database| database.is_up()).count();
        Ok(DatabaseReport { total: databases.len(), up, databases, containers_error })
    }
}

/// The database in this container, if that is what runs in it: at its published port, else at its own address,
/// which is reachable from the engine's host and from containers on the same network.
fn found(container: &ContainerSummary, engine_host: &str) -> Option<Database> {
    if container.state != Some(ContainerSummaryStateEnum::RUNNING) {
        return None;
    }
    let ports = container.ports.as_deref().unwrap_or_default();
    let inside: Vec<u16> = ports.iter().map(|port| port.private_port).collect();
    let kind = Kind::guess(container.image.as_deref().unwrap_or_default(), &inside)?;
    let published = ports.iter().filter(|port| port.private_port == kind.port()).filter_map(|port| {
        let ip = port.ip.as_deref().unwrap_or_default();
        let host = if matches!(ip, "" | "0.0.0.0" | "::") { engine_host } else { ip };
        Some(address(host, port.public_port?))
    });
    let networks = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    let own = networks.into_iter().flatten().filter_map(|(name, endpoint)| match name.as_str() {
        "host" => Some(address(engine_host, kind.port())),
        _ => endpoint.ip_address.as_deref().filter(|ip| !ip.is_empty()).map(|ip| address(ip, kind.port())),
    });
    let mut addresses: Vec<String> = Vec::new();
    for address in published.chain(own) {
        // Published on IPv4 and IPv6 is one address here.
        if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
            addresses.push(address);
        }
    }
    Some(Database { name: names::of(container).to_owned(), kind, addresses })
}

fn address(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn database(change: serde_json::Value) -> Option<Database> {
        let mut container = json!({
            "Id": "abc", "Names": ["/orders"], "Image": "postgres:16", "State": "running",
            "Ports": [
                {"IP": "0.0.0.0", "PrivatePort": 5432, "PublicPort": 15432, "Type": "tcp"},
                {"IP": "::", "PrivatePort": 5432, "PublicPort": 15432, "Type": "tcp"},
            ],
            "NetworkSettings": {"Networks": {"shop": {"IPAddress": "172.20.0.5"}}},
        });
        container.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        found(&serde_json::from_value(container).unwrap(), "127.0.0.1")
    }

    #[test]
    fn a_published_port_comes_before_the_containers_own_address() {
        let orders = database(json!({})).unwrap();
        assert_eq!((orders.name.as_str(), orders.kind), ("orders", Kind::Postgres));
        assert_eq!(orders.addresses, ["127.0.0.1:15432", "172.20.0.5:5432"]);
        let inner = database(json!({"Ports": [{"PrivatePort": 5432, "Type": "tcp"}]})).unwrap();
        assert_eq!(inner.addresses, ["172.20.0.5:5432"]);
        let host = json!({"Ports": [], "NetworkSettings": {"Networks": {"host": {"IPAddress": ""}}}});
        assert_eq!(database(host).unwrap().addresses, ["127.0.0.1:5432"]);
    }

    #[test]
    fn other_containers_are_none() {
        assert_eq!(database(json!({"State": "exited"})), None);
        assert_eq!(database(json!({"Image": "nginx", "Ports": [{"PrivatePort": 80, "Type": "tcp"}]})), None);
    }
}
