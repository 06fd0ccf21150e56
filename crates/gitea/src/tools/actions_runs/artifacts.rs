//! What jobs left behind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{WhichRun, actions};
use crate::error::Result;
use crate::forge::download::Downloaded;
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::actions::Artifact;
use crate::model::name::Repo;

/// Which artifact.
#[derive(Deserialize, JsonSchema)]
pub(super) struct WhichArtifact {
    artifact_id: u64,
}

/// Those of a name only.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
pub(super) struct Named {
    #[serde(rename(serialize = "name"))]
    artifact_name: Option<String>,
}

/// Where a download goes.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Output {
    /// below the server's download folder
    output_path: Option<String>,
}

impl Output {
    /// What the caller wants it to be called, or else this.
    pub(super) fn or(self, name: String) -> String {
        self.output_path.unwrap_or(name)
    }
}

pub(super) async fn list_artifacts(
    forge: Forge,
    repo: Repo,
    named: Named,
    paging: Paging,
) -> Result<Page<Artifact>> {
    forge.list_in(actions(&repo).at("artifacts"), "artifacts", &named, &paging).await
}

pub(super) async fn list_run_artifacts(
    forge: Forge,
    repo: Repo,
    which: WhichRun,
    paging: Paging,
) -> Result<Page<Artifact>> {
    which.get(&forge, &repo).await?;
    forge.list_in(which.path(&repo).at("artifacts"), "artifacts", &ALL, &paging).await
}

pub(super) async fn get_artifact(forge: Forge, repo: Repo, which: WhichArtifact) -> Result<Artifact> {
    forge.get(actions(&repo).at("artifacts").at(which.artifact_id)).await
}

pub(super) async fn download_artifact(
    forge: Forge,
    repo: Repo,
    which: WhichArtifact,
    output: Output,
) -> Result<Downloaded> {
    let place = forge.place(&output.or(format!("artifact-{}.zip", which.artifact_id))).await?;
    let path = actions(&repo).at("artifacts").at(which.artifact_id).at("zip");
    let response = forge.open(&path, &ALL).await?;
    forge.save(response, place).await
}
