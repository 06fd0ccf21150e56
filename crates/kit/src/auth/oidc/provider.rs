//! The provider's keys as they are now: found through its discovery document, fetched again now and then and when
//! a token names a key that is not among them, but never more often than strangers could do harm with.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use url::Url;

use super::keys::KeySet;
use crate::auth::background::Background;
use crate::http::Client;
use crate::{Code, Result, ToolError};

/// How old keys may get.
const PERIOD: Duration = Duration::from_secs(300);
/// Least time between two fetches, whoever asks; also when the next try comes after a failed one.
const GAP: Duration = Duration::from_secs(5);
/// How long a caller waits for keys.
const WAIT: Duration = Duration::from_secs(15);
/// Most callers that wait at once; the others are refused.
const WAITERS: usize = 256;
/// Largest document of the provider, in bytes.
const MAX_DOCUMENT: usize = 512 * 1024;

/// What the last fetch came to.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// Those of the last fetch that succeeded.
    pub(super) keys: Option<Arc<KeySet>>,
    /// Why the last fetch failed, if it did.
    failure: Option<ToolError>,
    /// How many fetches there have been.
    fetches: u64,
}

/// A provider, and the task that keeps its keys.
pub(super) struct Provider {
    known: watch::Receiver<Known>,
    wanted: Arc<Notify>,
    waiters: Semaphore,
    _background: Background,
}

/// Where a provider's keys are.
pub(super) struct Source {
    pub(super) issuer: String,
    pub(super) jwks: Option<Url>,
    pub(super) client: Client,
}

impl Provider {
    /// Begins to fetch. The provider need not be there yet.
    pub(super) fn start(source: Source, background: &Background) -> Self {
        let (sender, known) = watch::channel(Known::default());
        let wanted = Arc::new(Notify::new());
        let task = keep(source, sender, wanted.clone());
        drop(background.run(async move {
            task.await;
            Ok(())
        }));
        let waiters = Semaphore::new(WAITERS);
        Self { known, wanted, waiters, _background: background.clone() }
    }

    /// The keys as they are known.
    ///
    /// # Errors
    /// `SERVICE_ERROR` when there are none because the provider cannot be asked.
    pub(super) async fn keys(&self) -> Result<Arc<KeySet>> {
        let known = self.known.borrow().clone();
        match known {
            Known { keys: Some(keys), .. } => Ok(keys),
            Known { failure: Some(failure), .. } => Err(failure),
            Known { fetches, .. } => self.after(fetches).await,
        }
    }

    /// The keys after another fetch.
    ///
    /// # Errors
    /// `SERVICE_ERROR` when the provider cannot be asked, or too many wait for it already.
    pub(super) async fn newer_keys(&self) -> Result<Arc<KeySet>> {
        let fetches = self.known.borrow().fetches;
        self.after(fetches).await
    }

    async fn after(&self, fetches: u64) -> Result<Arc<KeySet>> {
        let Ok(_place) = self.waiters.try_acquire() else {
            return Err(ToolError::service("too many callers wait for the identity provider; try again"));
        };
        self.wanted.notify_one();
        let mut known = self.known.clone();
        let fetched = timeout(WAIT, known.wait_for(|known| known.fetches > fetches)).await;
        match fetched {
            Ok(Ok(known)) => match (&known.failure, &known.keys) {
                (None, Some(keys)) => Ok(keys.clone()),
                (Some(failure), _) => Err(failure.clone()),
                (None, None) => Err(ToolError::internal("a fetch of keys came to nothing")),
            },
            Ok(Err(_ended)) => Err(ToolError::internal("the program is ending")),
            Err(_elapsed) => Err(ToolError::service("the identity provider does not answer in time")),
        }
    }
}

/// Fetches for ever.
async fn keep(source: Source, known: watch::Sender<Known>, wanted: Arc<Notify>) {
    loop {
        let started = Instant::now();
        let fetched = source.fetch().await;
        let pause = if fetched.is_ok() { PERIOD } else { GAP };
        match &fetched {
            Ok(_) => tracing::debug!(issuer = source.issuer, "keys of the identity provider fetched"),
            Err(error) => {
                let (issuer, cause) = (&source.issuer, error.source_chain());
                tracing::warn!(issuer, source = cause, "{}", error.message);
            }
        }
        known.send_modify(|known| {
            known.fetches += 1;
            match fetched {
                Ok(keys) => (known.keys, known.failure) = (Some(Arc::new(keys)), None),
                Err(error) => known.failure = Some(error),
            }
        });
        sleep_until(started + GAP).await;
        tokio::select! {
            () = sleep(pause.saturating_sub(GAP)) => {}
            () = wanted.notified() => {}
        }
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    async fn fetch(&self) -> Result<KeySet> {
        let jwks = match &self.jwks {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let document = self.get(jwks).await?;
        KeySet::read(&document).map_err(|error| self.unusable(format!("its keys cannot be read: {error}")))
    }

    async fn discover(&self) -> Result<Url> {
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let address: Url = address.parse().map_err(|_| self.unusable("its address is no URL"))?;
        let secure = address.scheme() == "https";
        let document = self.get(address).await?;
        let found: Discovery = serde_json::from_slice(&document)
            .map_err(|error| self.unusable(format!("its discovery document cannot be read: {error}")))?;
        if found.issuer != self.issuer {
            return Err(
                self.unusable("its discovery document names another issuer; give --oidc-issuer as it does")
            );
        }
        let keys: Url =
            found.jwks_uri.parse().map_err(|_| self.unusable("the address of its keys is no URL"))?;
        if secure && keys.scheme() != "https" {
            return Err(self.unusable("its keys are not at an https address"));
        }
        Ok(keys)
    }

    async fn get(&self, address: Url) -> Result<bytes::Bytes> {
        let request = self.client.request(http::Method::GET, address)?.header("accept", "application/json");
        let answered = match self.client.send(request).await {
            Ok(response) => self.client.ok_within(response, MAX_DOCUMENT).await,
            Err(error) => Err(error),
        };
        // Whatever the provider says of us is no fault of the caller.
        answered.map_err(|error| error.coded(Code::ServiceError))
    }

    fn unusable(&self, why: impl std::fmt::Display) -> ToolError {
        ToolError::service(format!("the identity provider {} cannot be used: {why}", self.issuer))
    }
}
