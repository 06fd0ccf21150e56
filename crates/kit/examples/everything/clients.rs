//! What clients of 2025 say once and expect to be remembered as long as their session lives. Later clients say
//! everything in each request.

#![expect(deprecated, reason = "logging stays until 2027")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::RoleServer;
use rmcp::model::LoggingLevel;
use rmcp::service::Peer;

struct Client {
    peer: Peer<RoleServer>,
    level: LoggingLevel,
    /// The resources whose changes it wants to hear of.
    watched: BTreeSet<String>,
}

/// The clients with a session.
#[derive(Default)]
pub(crate) struct Clients(Mutex<Vec<Client>>);

impl Clients {
    /// Remembers a client that has a session, once.
    pub(crate) fn welcome(&self, peer: Peer<RoleServer>) {
        if self.known(&peer, |_| ()).is_some() {
            return;
        }
        let mut clients = self.lock();
        clients.retain(|client| !client.peer.is_transport_closed());
        clients.push(Client { peer, level: LoggingLevel::Info, watched: BTreeSet::new() });
    }

    /// The least severe messages that a client wants; `None` for one without a session.
    pub(crate) fn level(&self, peer: &Peer<RoleServer>) -> Option<LoggingLevel> {
        self.known(peer, |client| client.level)
    }

    /// Whether the client has a session for which that could be remembered.
    pub(crate) fn set_level(&self, peer: &Peer<RoleServer>, level: LoggingLevel) -> bool {
        self.known(peer, |client| client.level = level).is_some()
    }

    /// Whether the client has a session for which that could be remembered.
    pub(crate) fn watch(&self, peer: &Peer<RoleServer>, uri: String) -> bool {
        self.known(peer, |client| client.watched.insert(uri)).is_some()
    }

    pub(crate) fn forget(&self, peer: &Peer<RoleServer>, uri: &str) {
        self.known(peer, |client| client.watched.remove(uri));
    }

    /// Everyone with a session.
    pub(crate) fn all(&self) -> Vec<Peer<RoleServer>> {
        self.lock().iter().map(|client| client.peer.clone()).collect()
    }

    /// Everyone who watches this resource.
    pub(crate) fn watchers(&self, uri: &str) -> Vec<Peer<RoleServer>> {
        let watching = |client: &&Client| client.watched.contains(uri);
        self.lock().iter().filter(watching).map(|client| client.peer.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Client>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session is told by what its client said at the handshake: that is kept once, and never the same twice.
    fn known<T>(&self, peer: &Peer<RoleServer>, act: impl FnOnce(&mut Client) -> T) -> Option<T> {
        let handshake = peer.peer_info()?;
        self.lock()
            .iter_mut()
            .find(|client| client.peer.peer_info().is_some_and(|it| Arc::ptr_eq(&it, &handshake)))
            .map(act)
    }
}
