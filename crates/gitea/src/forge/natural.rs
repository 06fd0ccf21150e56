//! Objects with a natural key (a repository, a branch, a tag…): making one that is there just so succeeds, so that a
//! retry does.

use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::Forge;

impl Forge {
    /// Makes what is not there yet; `there` is where it then is. What is there already must be `alike`: `different`
    /// is the error otherwise.
    pub(crate) async fn make<T: DeserializeOwned>(
        &self,
        path: Path,
        body: &impl Serialize,
        there: Path,
        alike: impl Fn(&T) -> bool,
        different: impl Fn(&T) -> Error,
    ) -> Result<T> {
        let refusal = match self.post(path, body).await {
            // Of two at once, one may meet the other's lock, which forges call an error of their own.
            Err(error)
                if matches!(
                    error.status(),
                    Some(StatusCode::CONFLICT | StatusCode::INTERNAL_SERVER_ERROR)
                ) =>
            {
                error
            }
            done => return done,
        };
        match self.look(there).await? {
            Some(found) if alike(&found) => Ok(found),
            Some(found) => Err(different(&found)),
            None => Err(refusal),
        }
    }
}
