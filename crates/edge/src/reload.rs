//! Notices that the fleet file changed, by reading it: that works for an edit, a rename, the symlink swap of a
//! ConfigMap, a file mounted alone into a container and a network share, where watching inodes does not.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::config;
use crate::fleet::Fleet;

/// How often the file is read. A change counts when it was read twice alike, so half-written files do not.
const INTERVAL: Duration = Duration::from_millis(250);

/// Why the file as it is now is not in use, if so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Complaint(Arc<Mutex<Option<String>>>);

impl Complaint {
    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether that is news.
    fn set(&self, complaint: Option<String>) -> bool {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *current != complaint;
        *current = complaint;
        news
    }
}

/// The fleet file and what became of it.
pub(crate) struct Reload {
    path: PathBuf,
    in_use: String,
    pub(crate) complaint: Complaint,
}

impl Reload {
    /// Reads the file for the first time.
    pub(crate) fn start(path: PathBuf) -> anyhow::Result<(Self, Fleet)> {
        let name = path.display();
        let text =
            std::fs::read_to_string(&path).map_err(|error| anyhow::anyhow!("--config {name}: {error}"))?;
        let servers = config::parse(&text).map_err(|error| anyhow::anyhow!("--config {name}: {error}"))?;
        let fleet = Fleet::new(servers, &Fleet::default());
        Ok((Self { path, in_use: text, complaint: Complaint::default() }, fleet))
    }

    /// Sends a new fleet whenever the file has changed and can be used. Never ends.
    pub(crate) async fn follow(mut self, fleet: watch::Sender<Arc<Fleet>>) {
        let mut before = Ok(self.in_use.clone());
        loop {
            tokio::time::sleep(INTERVAL).await;
            let now = read(&self.path).await;
            if now == before {
                match now.and_then(|text| self.apply(text, &fleet)) {
                    Ok(()) => self.settled(),
                    Err(complaint) => self.complain(complaint),
                }
            } else {
                before = now;
            }
        }
    }

    fn apply(&mut self, text: String, fleet: &watch::Sender<Arc<Fleet>>) -> Result<(), String> {
        if text == self.in_use {
            return Ok(());
        }
        let servers = config::parse(&text).map_err(|error| error.to_string())?;
        let next = Fleet::new(servers, &fleet.borrow());
        tracing::info!(file = %self.path.display(), servers = next.routes.len(), "fleet file loaded again");
        fleet.send_replace(Arc::new(next));
        self.in_use = text;
        Ok(())
    }

    fn settled(&self) {
        if self.complaint.set(None) {
            tracing::info!(file = %self.path.display(), "fleet file is sound again");
        }
    }

    fn complain(&self, complaint: String) {
        if self.complaint.set(Some(complaint.clone())) {
            let file = self.path.display();
            tracing::error!(%file, error = complaint, "fleet file cannot be used, the last good one stays");
        }
    }
}

async fn read(path: &Path) -> Result<String, String> {
    tokio::fs::read_to_string(path).await.map_err(|error| error.to_string())
}
