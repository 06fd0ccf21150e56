//! Packages that an owner has published.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::client::path::Path;
use crate::error::Result;
use crate::forge::list::{Page, Paging};
use crate::forge::{ALL, Forge};
use crate::model::Deleted;
use crate::model::name::{Name, Slashed};
use crate::model::package::{File, Package, WithFiles};
use crate::tool::Tool;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("package_read", "Read packages", "Packages of an owner, their versions and files.")
            .reads("list", list)
            .reads("list_versions", list_versions)
            .reads("get", get),
        Tool::new("package_write", "Delete packages", "Deletes a version of a package.")
            .destroys("delete", delete),
    ]
}

/// Whose.
#[derive(Deserialize, JsonSchema)]
struct Owner {
    owner: Name,
}

/// Which of them.
#[skip_serializing_none]
#[derive(Deserialize, Serialize, JsonSchema)]
struct Filter {
    /// generic, npm, container…
    #[serde(rename = "type")]
    kind: Option<String>,
    q: Option<String>,
}

/// Which package.
#[derive(Deserialize, JsonSchema)]
struct Which {
    #[serde(rename = "type")]
    kind: Name,
    name: Slashed,
}

/// Which version of it.
#[derive(Deserialize, JsonSchema)]
struct Version {
    version: Slashed,
}

async fn list(forge: Forge, owner: Owner, filter: Filter, paging: Paging) -> Result<Page<Package>> {
    forge.list(packages(&owner), &filter, &paging).await
}

async fn list_versions(forge: Forge, owner: Owner, which: Which, paging: Paging) -> Result<Page<Package>> {
    forge.list(which.of(&owner), &ALL, &paging).await
}

async fn get(forge: Forge, owner: Owner, which: Which, version: Version) -> Result<WithFiles> {
    let path = which.of(&owner).at(&*version.version);
    let package: Package = forge.get(path.clone()).await?;
    let files: Vec<File> = forge.get(path.at("files")).await?;
    Ok(WithFiles { package, files })
}

async fn delete(forge: Forge, owner: Owner, which: Which, version: Version) -> Result<Deleted> {
    forge.remove(which.of(&owner).at(&*version.version)).await?;
    Ok(Deleted::of(format!("{} {}", &*which.name, &*version.version)))
}

fn packages(owner: &Owner) -> Path {
    Path::of("packages").at(&owner.owner)
}

impl Which {
    fn of(&self, owner: &Owner) -> Path {
        packages(owner).at(&self.kind).at(&*self.name)
    }
}
