//! `docker_container_list`: which containers there are, and how they are.

use std::collections::BTreeMap;

use bollard::models::ContainerSummary;
use kit::{Json, Parameters, Result};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DockerLocust;
use crate::names;
use crate::resolve::{COMPOSE_PROJECT, COMPOSE_SERVICE};

/// Which containers to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DockerContainerListInput {
    /// Whether to list containers that do not run as well.
    #[serde(default = "yes")]
    pub all: bool,
    /// Only those whose name contains this text.
    pub name: Option<String>,
    /// Only those of this status.
    pub status: Option<Status>,
    /// Only those with this label: KEY or KEY=VALUE.
    pub label: Option<String>,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Status {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
}

/// The containers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DockerContainerListOutput {
    /// The containers, newest first.
    pub containers: Vec<ListedContainer>,
    /// How many there are.
    pub total: usize,
}

/// A container in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct ListedContainer {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is doing, such as running or exited.
    pub status: String,
    /// The same in the engine's words, with times and health.
    pub detail: String,
    /// Its image, as it was asked for.
    pub image: String,
    /// Its ports, such as 8001/tcp, and where each is published.
    pub ports: BTreeMap<String, Vec<PublishedPort>>,
    /// When it was created (RFC 3339).
    pub created: String,
    /// What its health check says: healthy, unhealthy or starting. Absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// The networks it is connected to.
    pub networks: Vec<String>,
    /// Its compose project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compose_project: Option<String>,
    /// Its compose service, by which the other tools find it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compose_service: Option<String>,
}

/// Where a port is published on the host.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(inline)]
pub(crate) struct PublishedPort {
    /// The host's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<String>,
    /// The host's port.
    pub host_port: String,
}

fn yes() -> bool {
    true
}

#[tool_router(router = docker_container_list_router, vis = "pub(crate)")]
impl DockerLocust {
    /// Lists Docker containers with id, name, status, image, published ports, health and compose service.
    #[tool(
        title = "List containers",
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    pub(crate) async fn docker_container_list(
        &self,
        Parameters(input): Parameters<DockerContainerListInput>,
    ) -> Result<Json<DockerContainerListOutput>> {
        let listed = self.docker().list().await?;
        let containers: Vec<_> =
            listed.into_iter().filter(|it| input.takes(it)).map(ListedContainer::from).collect();
        Ok(Json(DockerContainerListOutput { total: containers.len(), containers }))
    }
}

impl DockerContainerListInput {
    /// Without any filter.
    pub(crate) fn every() -> Self {
        Self { all: true, name: None, status: None, label: None }
    }

    fn takes(&self, container: &ContainerSummary) -> bool {
        let status = status(container);
        let wanted = self.status.map(|status| format!("{status:?}").to_lowercase());
        let label = self.label.as_deref().map(|label| match label.split_once('=') {
            Some((key, value)) => names::label(container, key) == Some(value),
            None => names::label(container, label).is_some(),
        });
        (self.all || wanted.is_some() || matches!(status.as_str(), "running" | "paused" | "restarting"))
            && wanted.is_none_or(|wanted| wanted == status)
            && self.name.as_deref().is_none_or(|name| names::of(container).contains(name))
            && label.unwrap_or(true)
    }
}

impl From<ContainerSummary> for ListedContainer {
    fn from(container: ContainerSummary) -> Self {
        let label = |key| names::label(&container, key).map(str::to_owned);
        let detail = container.status.clone().unwrap_or_default();
        let networks = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
        let mut networks: Vec<String> =
            networks.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        networks.sort();
        let created = jiff::Timestamp::from_second(container.created.unwrap_or_default()).unwrap_or_default();
        Self {
            id: names::id(&container).to_owned(),
            name: names::of(&container).to_owned(),
            status: status(&container),
            health: health(&detail).map(str::to_owned),
            image: container.image.clone().unwrap_or_default(),
            ports: ports(&container),
            created: created.to_string(),
            networks,
            compose_project: label(COMPOSE_PROJECT),
            compose_service: label(COMPOSE_SERVICE),
            detail,
        }
    }
}

fn status(container: &ContainerSummary) -> String {
    container.state.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// A list tells a container's health only in brackets behind its status.
fn health(detail: &str) -> Option<&str> {
    let inside = detail.rsplit_once('(')?.1.strip_suffix(')')?;
    match inside.strip_prefix("health: ").unwrap_or(inside) {
        health @ ("healthy" | "unhealthy" | "starting") => Some(health),
        _ => None,
    }
}

fn ports(container: &ContainerSummary) -> BTreeMap<String, Vec<PublishedPort>> {
    let mut ports: BTreeMap<String, Vec<PublishedPort>> = BTreeMap::new();
    for port in container.ports.iter().flatten() {
        let kind = port.typ.as_ref().map_or_else(|| "tcp".to_owned(), ToString::to_string);
        let published = ports.entry(format!("{}/{kind}", port.private_port)).or_default();
        published.extend(
            port.public_port
                .map(|public| PublishedPort { host_ip: port.ip.clone(), host_port: public.to_string() }),
        );
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container() -> ContainerSummary {
        serde_json::from_value(json!({
            "Id": "abc", "Names": ["/web"], "Image": "shop:1", "State": "exited", "Created": 1_795_168_800,
            "Status": "Up 3 minutes (healthy)", "Labels": {"app": "shop", "com.docker.compose.service": "web"},
            "Ports": [
                {"PrivatePort": 80, "Type": "tcp"},
                {"IP": "0.0.0.0", "PrivatePort": 8001, "PublicPort": 8001, "Type": "tcp"},
                {"IP": "::", "PrivatePort": 8001, "PublicPort": 8001, "Type": "tcp"},
            ],
            "NetworkSettings": {"Networks": {"b": {}, "a": {}}},
        }))
        .unwrap()
    }

    #[test]
    fn shows_ports_as_the_original_did() {
        let listed = serde_json::to_value(ListedContainer::from(container())).unwrap();
        assert_eq!(listed["ports"]["8001/tcp"][0], json!({"HostIp": "0.0.0.0", "HostPort": "8001"}));
        assert_eq!(listed["ports"]["80/tcp"], json!([]));
        assert_eq!((&listed["status"], &listed["health"]), (&json!("exited"), &json!("healthy")));
        assert_eq!(
            (&listed["created"], &listed["networks"]),
            (&json!("2026-11-20T10:00:00Z"), &json!(["a", "b"]))
        );
    }

    #[test]
    fn reads_health_from_the_status() {
        for (detail, expected) in [
            ("Up 3 minutes (unhealthy)", Some("unhealthy")),
            ("Up 1 second (health: starting)", Some("starting")),
            ("Up 3 minutes", None),
            ("Exited (0) 2 hours ago", None),
            ("Up 3 minutes (Paused)", None),
        ] {
            assert_eq!(health(detail), expected, "{detail}");
        }
    }

    #[test]
    fn filters() {
        let takes = |input: serde_json::Value| {
            serde_json::from_value::<DockerContainerListInput>(input).unwrap().takes(&container())
        };
        for input in [
            json!({}),
            json!({"name": "we"}),
            json!({"status": "exited", "all": false}),
            json!({"label": "app=shop"}),
            json!({"label": "app"}),
        ] {
            assert!(takes(input.clone()), "{input}");
        }
        for input in [
            json!({"all": false}),
            json!({"name": "x"}),
            json!({"status": "running"}),
            json!({"label": "app=x"}),
            json!({"label": "x"}),
        ] {
            assert!(!takes(input.clone()), "{input}");
        }
    }
}
