//! Deletions: of what is there, and done only when it is there no more. Forges answer the deletion of what never was
//! with success, too.

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::{ALL, Forge};

impl Forge {
    /// Whether the forge knows this path, whatever it answers.
    pub(crate) async fn knows(&self, path: &Path) -> Result<bool> {
        match self.read(path, &ALL).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes what is at a path, which a GET must find before and must not find after.
    ///
    /// # Errors
    /// When there is nothing, and when it is still there.
    pub(crate) async fn remove(&self, path: Path) -> Result<()> {
        self.read(&path, &ALL).await?;
        self.delete(path.clone(), &ALL).await?;
        match self.knows(&path).await? {
            false => Ok(()),
            true => Err(Error::Unexpected(format!("{path} is still there after its deletion"))),
        }
    }
}
