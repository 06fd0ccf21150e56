//! `docker_update_env`: an environment variable really changed, which takes a new container.

use kit::{Json, Parameters, Result};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DockerLocust;
use crate::mask::MASK;
use crate::replace::Outcome;

/// Which variable of which container.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DockerUpdateEnvInput {
    /// The container: its name, the beginning of its id, or its compose service.
    pub service_name: String,
    /// The environment variable's name.
    pub key: String,
    /// Its new value.
    #[schemars(extend("format" = "password"))]
    pub value: String,
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DockerUpdateEnvOutput {
    /// The container's name.
    pub service_name: String,
    /// The id it has now.
    pub container_id: String,
    /// The variable.
    pub key: String,
    /// Always ***: values do not leave this server.
    pub value: String,
    /// Whether anything changed; false when the variable had this value already.
    pub changed: bool,
    /// Whether the variable was set before.
    pub was_set: bool,
    /// The id the container had before; absent when nothing changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_container_id: Option<String>,
    /// How it is known that the new container is up; absent when it was not started, as the old one was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<String>,
    /// The old container, kept because files that it changed outside of volumes could not move along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptContainer>,
    /// What else to know, such as that compose would undo the change.
    pub notes: Vec<String>,
}

/// A replaced container that is kept, stopped.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct KeptContainer {
    /// Its name now.
    pub name: String,
    /// When it will be removed (RFC 3339).
    pub until: String,
    /// The first of its changes: A (added), C (changed) or D (deleted), and the path.
    pub changes: Vec<String>,
    /// How many changes there are.
    pub changes_total: usize,
}

#[tool_router(router = docker_update_env_router, vis = "pub(crate)")]
impl DockerLocust {
    /// Sets an environment variable of a container by replacing it with one that is otherwise the same (networks,
    /// volumes, limits, labels), which restarts it. If the new one does not come up, the old one is brought back.
    #[tool(
        title = "Change an environment variable",
        annotations(
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    pub(crate) async fn docker_update_env(
        &self,
        Parameters(input): Parameters<DockerUpdateEnvInput>,
    ) -> Result<Json<DockerUpdateEnvOutput>> {
        let outcome = self.replacer().update_env(&input.service_name, &input.key, &input.value).await?;
        Ok(Json(self.tell(outcome, input.key)))
    }

    fn tell(&self, outcome: Outcome, key: String) -> DockerUpdateEnvOutput {
        let changed = outcome.replaced.is_some();
        let mut notes = outcome.notes;
        if changed && outcome.up.is_none() {
            notes.push(
                "the container was stopped and stays so; it gets the new value when it is started".into(),
            );
        }
        if changed && let Some(service) = &outcome.compose {
            notes.push(format!(
                "the next docker compose up that recreates the service {service} undoes this; set the variable in its compose file or env file too"
            ));
            if outcome.kept.is_some() {
                notes.push("the kept container still has its compose labels, so compose counts it as part of the service until it is removed".into());
            }
        }
        let until = jiff::Timestamp::now() + self.replacer().keep_replaced;
        DockerUpdateEnvOutput {
            service_name: outcome.name,
            container_id: outcome.id,
            key,
            value: MASK.to_owned(),
            changed,
            was_set: outcome.existed,
            previous_container_id: outcome.replaced,
            verified: outcome.up.map(str::to_owned),
            kept: outcome.kept.map(|kept| KeptContainer {
                name: kept.name,
                until: format!("{until:.0}"),
                changes: kept.changes.listed,
                changes_total: kept.changes.total,
            }),
            notes,
        }
    }
}
