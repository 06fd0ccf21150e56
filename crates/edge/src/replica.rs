//! One replica of a server, as all threads see it: where it is, and whether it took the last connection.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use http::HeaderValue;

use crate::config::Url;

/// One address of a server.
#[derive(Debug)]
pub(crate) struct Replica {
    /// Of all that there ever were.
    pub(crate) id: u64,
    pub(crate) slug: String,
    pub(crate) url: Url,
    /// The server's own `Host`.
    pub(crate) host: HeaderValue,
    reached: Reached,
}

impl Replica {
    pub(crate) fn new(slug: &str, url: Url) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let host = HeaderValue::from_str(url.authority.as_str()).expect("authorities are visible ASCII");
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { id, slug: slug.to_owned(), url, host, reached: Reached::default() }
    }

    /// A connection was made. Logs only the change.
    pub(crate) fn up(&self) {
        if self.reached.state.swap(UP, Ordering::Relaxed) == DOWN {
            let authority = self.url.authority.as_str();
            tracing::info!(slug = self.slug, authority, "server takes connections again");
        }
    }

    /// No connection could be made. Logs only the change.
    pub(crate) fn down(&self, why: &str) {
        *self.reached.failure.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), why.to_owned()));
        if self.reached.state.swap(DOWN, Ordering::Relaxed) != DOWN {
            let authority = self.url.authority.as_str();
            tracing::warn!(slug = self.slug, authority, error = why, "server takes no connections");
        }
    }

    /// Whether the last attempt to connect failed.
    pub(crate) fn is_down(&self) -> bool {
        self.reached.state.load(Ordering::Relaxed) == DOWN
    }

    /// `Ok` for a server that is up or was never tried; the message says which.
    pub(crate) fn state(&self) -> Result<&'static str, String> {
        match self.reached.state.load(Ordering::Relaxed) {
            UP => Ok("took the last connection"),
            DOWN => {
                let failure = self.reached.failure.lock().unwrap_or_else(PoisonError::into_inner);
                let (at, why) =
                    failure.as_ref().map_or((Instant::now(), ""), |(at, why)| (*at, why.as_str()));
                Err(format!("the last connection failed {} s ago: {why}", at.elapsed().as_secs()))
            }
            _ => Ok("not tried yet"),
        }
    }
}

/// What the last attempt to connect found, over all threads. It is touched when connecting, not per request.
#[derive(Debug, Default)]
struct Reached {
    state: AtomicU8,
    failure: Mutex<Option<(Instant, String)>>,
}

const UP: u8 = 1;
const DOWN: u8 = 2;
