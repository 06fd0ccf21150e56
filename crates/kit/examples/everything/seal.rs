//! State that a client carries from one round of a call to the next: signed, good for ten minutes, for the same
//! caller and the same tool only. The key lives as long as the process; replicas would have to share one.

use std::time::Duration;

use kit::auth::Principal;
use rmcp::ErrorData;
use rmcp::model::{RequestStateCodec, SealOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

const LIFETIME: Duration = Duration::from_secs(600);

pub(crate) struct Seal(RequestStateCodec);

impl Seal {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(RequestStateCodec::try_new(rand::random::<[u8; 32]>())?))
    }

    /// Signs a state for the next round.
    pub(crate) fn close<T: Serialize>(
        &self,
        tool: &str,
        caller: &Principal,
        state: &T,
    ) -> Result<String, ErrorData> {
        let bound = bound_to(tool, caller);
        let options = SealOptions::new().ttl(LIFETIME).associated_data(bound.as_bytes());
        self.0
            .seal_json_with(state, &options)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }

    /// Reads a state back. What the client made up or changed is an error of the protocol.
    pub(crate) fn open<T: DeserializeOwned>(
        &self,
        tool: &str,
        caller: &Principal,
        state: Option<String>,
    ) -> Result<Option<T>, ErrorData> {
        let Some(state) = state else { return Ok(None) };
        self.0
            .open_json_with(&state, bound_to(tool, caller).as_bytes())
            .map(Some)
            .map_err(|error| ErrorData::invalid_params(format!("requestState: {error}"), None))
    }
}

fn bound_to(tool: &str, caller: &Principal) -> String {
    format!("{tool} {}", caller.name)
}
