//! Where locks are kept when nobody says: in the user's state folder, or in a temporary one where there is none
//! that can be written (a container without a home). Losing either loses nothing.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use rustix::fs::Access;

/// The folder to use without `--state-dir`.
pub(crate) fn default_folder() -> anyhow::Result<PathBuf> {
    let base = etcetera::base_strategy::Xdg::new().ok().and_then(|base| base.state_dir());
    choose(base, &std::env::temp_dir())
}

fn choose(base: Option<PathBuf>, temporary: &Path) -> anyhow::Result<PathBuf> {
    let usual = base.filter(|base| base.is_absolute()).map(|base| base.join("gantry/docker-locust"));
    if let Some(folder) = usual
        && std::fs::create_dir_all(&folder).is_ok()
        && rustix::fs::access(&folder, Access::WRITE_OK).is_ok()
    {
        return Ok(folder);
    }
    let user = rustix::process::geteuid().as_raw();
    let folder = temporary.join(format!("gantry-docker-locust-{user}"));
    // What keeps it from being made is told by the tools that need it; all others work without.
    let _may_exist = DirBuilder::new().mode(0o700).create(&folder);
    let foreign = folder.symlink_metadata().is_ok_and(|found| !found.is_dir() || found.uid() != user);
    anyhow::ensure!(!foreign, "{} is not a folder of this user; set --state-dir", folder.display());
    tracing::warn!(folder = %folder.display(), "no home folder for locks, they are kept in a temporary one; set --state-dir");
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_that_can_be_written_is_used() {
        let (home, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = choose(Some(home.path().into()), temporary.path()).unwrap();
        assert_eq!(folder, home.path().join("gantry/docker-locust"));
    }

    #[test]
    fn without_a_home_there_is_a_private_temporary_folder() {
        let (file, temporary) = (tempfile::NamedTempFile::new().unwrap(), tempfile::tempdir().unwrap());
        for base in [None, Some(PathBuf::new()), Some(file.path().into())] {
            let folder = choose(base, temporary.path()).unwrap();
            assert!(folder.starts_with(temporary.path()));
            assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn what_somebody_else_put_there_is_not_used() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = choose(None, temporary.path()).unwrap();
        std::fs::remove_dir(&folder).unwrap();
        std::os::unix::fs::symlink("/", &folder).unwrap();
        assert!(choose(None, temporary.path()).unwrap_err().to_string().contains("--state-dir"));
    }
}
