//! Which replica holds which session, for all threads. Only a keyed hash of a session's name is kept, and the
//! least used are forgotten: whoever was forgotten goes to any replica, which says that it knows no such session.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body::Frame;

/// How many sessions are kept for certain, of each server; up to twice as many are.
const KEPT: usize = 32 * 1024;
/// Where the first event of a stream has not ended within so many bytes, it is none that names an address.
const FIRST_EVENT: usize = 4 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Sticky {
    key: RandomState,
    sessions: Mutex<Generations>,
}

/// What was used since the last turn, and what was used before it; a turn forgets the older.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<u64, u64>,
    old: HashMap<u64, u64>,
}

impl Sticky {
    /// The replica with this id holds the session of this name.
    pub(crate) fn remember(&self, name: &[u8], replica: u64) {
        let name = self.key.hash_one(name);
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(name, replica);
    }

    /// The id of the replica that holds the session of this name.
    pub(crate) fn replica(&self, name: &[u8]) -> Option<u64> {
        let name = self.key.hash_one(name);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(replica) = sessions.young.get(&name) {
            return Some(*replica);
        }
        let replica = sessions.old.remove(&name)?;
        sessions.insert(name, replica);
        Some(replica)
    }
}

impl Generations {
    fn insert(&mut self, name: u64, replica: u64) {
        if self.young.len() >= KEPT && !self.young.contains_key(&name) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, replica);
    }
}

/// What an address of the HTTP+SSE transport of 2024 says of its session, however the server spells that: the
/// end of its path, with its query (`messages?session_id=1`, `?sessionId=1`).
pub(crate) fn address(target: &str) -> Option<&str> {
    let (path, _) = target.split_once('?')?;
    Some(path.rfind('/').map_or(target, |slash| &target[slash + 1..]))
}

/// Looks at the beginning of an event stream for the address that its session's messages go to, and notes it.
#[derive(Debug)]
pub(crate) struct Scout {
    seen: Vec<u8>,
    sticky: Arc<Sticky>,
    replica: u64,
}

impl Scout {
    pub(crate) fn new(sticky: Arc<Sticky>, replica: u64) -> Self {
        Self { seen: Vec::new(), sticky, replica }
    }

    /// Breaks off when the address is noted, or none will come.
    pub(crate) fn look(&mut self, frame: &Frame<Bytes>) -> ControlFlow<()> {
        let Some(data) = frame.data_ref() else { return ControlFlow::Break(()) };
        self.seen.extend_from_slice(&data[..data.len().min(FIRST_EVENT - self.seen.len())]);
        match first_event(&self.seen) {
            Some(event) => {
                if let Some(name) = endpoint(event).as_deref().and_then(address) {
                    self.sticky.remember(name.as_bytes(), self.replica);
                }
                ControlFlow::Break(())
            }
            None if self.seen.len() == FIRST_EVENT => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }
}

/// What comes before the first empty line.
fn first_event(stream: &[u8]) -> Option<&[u8]> {
    [b"\n\n".as_slice(), b"\r\n\r\n", b"\r\r"]
        .into_iter()
        .filter_map(|end| stream.windows(end.len()).position(|it| it == end))
        .min()
        .map(|end| &stream[..end])
}

fn endpoint(event: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(event).ok()?;
    let field = |name: &str| {
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(':').map(|it| it.trim().to_owned());
        text.split(['\n', '\r']).find_map(value)
    };
    field("data").filter(|_| field("event").as_deref() == Some("endpoint"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_used_are_forgotten() {
        let sticky = Sticky::default();
        sticky.remember(b"kept", 7);
        for session in 0..3 * KEPT {
            sticky.remember(format!("{session}").as_bytes(), 1);
            assert_eq!(sticky.replica(b"kept"), Some(7), "it is used");
        }
        assert_eq!(sticky.replica(b"0"), None);
        let sessions = sticky.sessions.lock().expect("not poisoned");
        assert!(sessions.young.len() + sessions.old.len() <= 2 * KEPT);
    }

    #[test]
    fn an_address_is_known_behind_any_prefix() {
        assert_eq!(address("/messages?session_id=1"), Some("messages?session_id=1"));
        assert_eq!(address("messages?session_id=1"), Some("messages?session_id=1"));
        assert_eq!(address("/a/messages/?session_id=1"), Some("?session_id=1"));
        assert_eq!(address("http://h/m?s=/1"), Some("m?s=/1"));
        assert_eq!(address("/messages"), None);
    }

    /// The replica of `messages?session_id=1` once these parts have been seen, and whether more are wanted.
    fn scout(parts: &[&str]) -> (Option<u64>, bool) {
        let sticky = Arc::new(Sticky::default());
        let mut scout = Scout::new(sticky.clone(), 7);
        let frames = parts.iter().map(|part| Frame::data(Bytes::copy_from_slice(part.as_bytes())));
        let more = frames.map(|frame| scout.look(&frame)).all(|it| it.is_continue());
        (sticky.replica(b"messages?session_id=1"), more)
    }

    #[test]
    fn the_first_event_names_the_address_or_none_does() {
        let found = (Some(7), false);
        assert_eq!(scout(&["event: endpoint\ndata: /a/messages?session_id=1\n\n"]), found);
        assert_eq!(scout(&["event:endpoint\r\nda", "ta:messages?session_id=1\r\n\r", "\nmore"]), found);
        assert_eq!(scout(&["event: endpoint\ndata: mess"]), (None, true));
        for other in ["event: message\ndata: messages?session_id=1\n\n", ": ping\n\n", &"x".repeat(5000)] {
            assert_eq!(scout(&[other]), (None, false));
        }
    }
}
