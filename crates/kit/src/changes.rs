//! What changes while a server runs, and who is told: streams of later clients, and sessions of 2025. Nobody is kept
//! waiting for a subscriber, and none of them grows: what it has not read yet is told once, however often it changed.

#![expect(deprecated, reason = "clients of 2025 still set a log level")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{LoggingLevel, ResourceUpdatedNotificationParam, ServerCapabilities, SubscriptionFilter};
use rmcp::service::{Peer, ServiceError, SubscriptionContext, SubscriptionSendError};
use tokio::sync::Notify;

/// Most resources that one subscriber can watch.
pub(crate) const MAX_WATCHED: usize = 100;
/// How long a session may take to hear of one change before it is left alone with it.
const HEARING: Duration = Duration::from_secs(30);

/// A list that can change while a server runs. Tools do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// The prompts.
    Prompts,
    /// The resources.
    Resources,
}

/// What there is to tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    prompts: bool,
    resources: bool,
    updated: BTreeSet<String>,
    /// Somebody is telling it.
    told: bool,
}

/// What somebody wants to hear of.
#[derive(Default)]
struct Wants {
    prompts: bool,
    resources: bool,
    watched: BTreeSet<String>,
}

#[derive(Default)]
struct Subscriber {
    wants: Mutex<Wants>,
    news: Mutex<News>,
    bell: Notify,
}

struct Session {
    peer: Peer<RoleServer>,
    subscriber: Arc<Subscriber>,
    level: LoggingLevel,
}

/// Who is told.
pub(crate) struct Changes {
    sessions: Mutex<Vec<Session>>,
    streams: Mutex<Vec<Weak<Subscriber>>>,
    open: AtomicUsize,
    max_streams: usize,
}

/// All streams are taken.
pub(crate) struct Full;

impl Changes {
    pub(crate) fn new(max_streams: usize) -> Self {
        Self { sessions: Mutex::default(), streams: Mutex::default(), open: AtomicUsize::new(0), max_streams }
    }

    pub(crate) fn list_changed(&self, list: List) {
        self.publish(|wants, news| match list {
            List::Prompts if wants.prompts => news.prompts = true,
            List::Resources if wants.resources => news.resources = true,
            List::Prompts | List::Resources => {}
        });
    }

    pub(crate) fn updated(&self, uri: &str) {
        self.publish(|wants, news| {
            if wants.watched.contains(uri) {
                news.updated.insert(uri.to_owned());
            }
        });
    }

    /// Notes news for everybody, and has those told who are not being told.
    fn publish(&self, note: impl Fn(&Wants, &mut News)) {
        for stream in lock(&self.streams).iter().filter_map(Weak::upgrade) {
            stream.note(&note);
        }
        for session in &*lock(&self.sessions) {
            session.subscriber.note(&note);
            if session.subscriber.begin_to_tell() {
                tokio::spawn(tell(session.peer.clone(), session.subscriber.clone()));
            }
        }
    }

    /// Remembers a client that has a session, once.
    pub(crate) fn welcome(&self, peer: &Peer<RoleServer>, server: &ServerCapabilities) {
        let mut sessions = lock(&self.sessions);
        sessions.retain(|session| !session.peer.is_transport_closed());
        if sessions.iter().any(|session| same(&session.peer, peer)) {
            return;
        }
        let subscriber = Subscriber::default();
        *lock(&subscriber.wants) = Wants {
            prompts: server.prompts.as_ref().is_some_and(|it| it.list_changed == Some(true)),
            resources: server.resources.as_ref().is_some_and(|it| it.list_changed == Some(true)),
            watched: BTreeSet::new(),
        };
        let (peer, subscriber) = (peer.clone(), Arc::new(subscriber));
        sessions.push(Session { peer, subscriber, level: LoggingLevel::Info });
    }

    /// Whether the session is there and watches few enough.
    pub(crate) fn watch(&self, peer: &Peer<RoleServer>, uri: String) -> bool {
        self.session(peer, |session| {
            let mut wants = lock(&session.subscriber.wants);
            let room = wants.watched.len() < MAX_WATCHED || wants.watched.contains(&uri);
            if room {
                wants.watched.insert(uri);
            }
            room
        })
        .unwrap_or(false)
    }

    pub(crate) fn forget(&self, peer: &Peer<RoleServer>, uri: &str) {
        self.session(peer, |session| {
            lock(&session.subscriber.wants).watched.remove(uri);
            lock(&session.subscriber.news).updated.remove(uri);
        });
    }

    /// The least severe messages that a client wants; `None` for one without a session.
    pub(crate) fn level(&self, peer: &Peer<RoleServer>) -> Option<LoggingLevel> {
        self.session(peer, |session| session.level)
    }

    /// Whether the client has a session for which that could be remembered.
    pub(crate) fn set_level(&self, peer: &Peer<RoleServer>, level: LoggingLevel) -> bool {
        self.session(peer, |session| session.level = level).is_some()
    }

    fn session<T>(&self, peer: &Peer<RoleServer>, act: impl FnOnce(&mut Session) -> T) -> Option<T> {
        lock(&self.sessions).iter_mut().find(|session| same(&session.peer, peer)).map(act)
    }

    /// Tells a listener of every change until it leaves; of no resource that `may_watch` keeps from it.
    ///
    /// # Errors
    /// When all streams are taken.
    pub(crate) async fn listen(
        &self,
        listener: &SubscriptionContext,
        may_watch: impl Fn(&str) -> bool,
    ) -> Result<(), Full> {
        let _open = Open::new(&self.open, self.max_streams).ok_or(Full)?;
        let subscriber = Arc::new(Subscriber::of(listener.accepted(), may_watch));
        {
            let mut streams = lock(&self.streams);
            streams.retain(|stream| stream.strong_count() > 0);
            streams.push(Arc::downgrade(&subscriber));
        }
        let tell = async {
            loop {
                subscriber.bell.notified().await;
                let news = subscriber.take();
                if let Err(error) = stream_news(listener, news).await {
                    tracing::debug!("a listener has left: {error}");
                    return;
                }
            }
        };
        tokio::select! {
            () = tell => {}
            () = listener.cancelled() => {}
        }
        Ok(())
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("streams", &self.open).finish_non_exhaustive()
    }
}

impl Subscriber {
    fn of(accepted: &SubscriptionFilter, may_watch: impl Fn(&str) -> bool) -> Self {
        let watched = accepted.resource_subscriptions.iter().flatten().filter(|uri| may_watch(uri));
        let wants = Wants {
            prompts: accepted.prompts_list_changed == Some(true),
            resources: accepted.resources_list_changed == Some(true),
            watched: watched.take(MAX_WATCHED).cloned().collect(),
        };
        Self { wants: Mutex::new(wants), ..Self::default() }
    }

    fn note(&self, note: &impl Fn(&Wants, &mut News)) {
        let mut news = lock(&self.news);
        note(&lock(&self.wants), &mut news);
        if !news.is_empty() {
            self.bell.notify_one();
        }
    }

    /// Takes what there is to tell.
    fn take(&self) -> News {
        std::mem::take(&mut lock(&self.news))
    }

    /// Whether there is something to tell and nobody tells it: from now on the caller does.
    fn begin_to_tell(&self) -> bool {
        let mut news = lock(&self.news);
        !news.is_empty() && !std::mem::replace(&mut news.told, true)
    }

    /// As [`Subscriber::take`], for whoever has begun to tell: `None` when there is no more to tell.
    fn go_on_telling(&self) -> Option<News> {
        let mut news = lock(&self.news);
        let more = !news.is_empty();
        let taken = std::mem::replace(&mut *news, News { told: more, ..News::default() });
        more.then_some(taken)
    }
}

impl News {
    fn is_empty(&self) -> bool {
        !self.prompts && !self.resources && self.updated.is_empty()
    }
}

/// A stream, counted as long as it is open.
struct Open<'a>(&'a AtomicUsize);

impl<'a> Open<'a> {
    fn new(open: &'a AtomicUsize, most: usize) -> Option<Self> {
        let this = Self(open);
        (open.fetch_add(1, Ordering::Relaxed) < most).then_some(this)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells a session what there is, until there is no more.
async fn tell(peer: Peer<RoleServer>, subscriber: Arc<Subscriber>) {
    while let Some(news) = subscriber.go_on_telling() {
        match tokio::time::timeout(HEARING, session_news(&peer, news)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("a session cannot be told of a change: {error}"),
            Err(_) => tracing::debug!("a session does not hear of a change"),
        }
    }
}

async fn session_news(peer: &Peer<RoleServer>, news: News) -> Result<(), ServiceError> {
    if news.prompts {
        peer.notify_prompt_list_changed().await?;
    }
    if news.resources {
        peer.notify_resource_list_changed().await?;
    }
    for uri in news.updated {
        peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await?;
    }
    Ok(())
}

async fn stream_news(listener: &SubscriptionContext, news: News) -> Result<(), SubscriptionSendError> {
    let sink = listener.sink();
    if news.prompts {
        sink.notify_prompt_list_changed().await?;
    }
    if news.resources {
        sink.notify_resource_list_changed().await?;
    }
    for uri in news.updated {
        sink.notify_resource_updated(uri).await?;
    }
    Ok(())
}

/// A session is told by what its client said at the handshake: that is kept once, and never the same twice.
fn same(one: &Peer<RoleServer>, other: &Peer<RoleServer>) -> bool {
    matches!((one.peer_info(), other.peer_info()), (Some(one), Some(other)) if Arc::ptr_eq(&one, &other))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watching(uris: &[&str]) -> Arc<Subscriber> {
        let wants = Wants {
            prompts: true,
            watched: uris.iter().map(|it| (*it).to_owned()).collect(),
            ..Wants::default()
        };
        Arc::new(Subscriber { wants: Mutex::new(wants), ..Subscriber::default() })
    }

    #[test]
    fn a_subscriber_that_does_not_read_does_not_grow() {
        let changes = Changes::new(1);
        let subscriber = watching(&["a", "b"]);
        lock(&changes.streams).push(Arc::downgrade(&subscriber));
        for at in 0..10_000 {
            changes.updated(&format!("unwatched-{at}"));
            changes.updated("a");
            changes.list_changed(List::Prompts);
            changes.list_changed(List::Resources);
        }
        let news = subscriber.take();
        assert_eq!(
            news,
            News { prompts: true, updated: BTreeSet::from(["a".to_owned()]), ..News::default() }
        );
        assert!(subscriber.take().is_empty());
    }

    #[test]
    fn one_at_a_time_tells_and_misses_nothing() {
        let changes = Changes::new(1);
        let subscriber = watching(&["a"]);
        lock(&changes.streams).push(Arc::downgrade(&subscriber));
        assert!(!subscriber.begin_to_tell(), "nothing to tell");
        changes.updated("a");
        assert!(subscriber.begin_to_tell() && !subscriber.begin_to_tell());
        assert!(subscriber.go_on_telling().is_some());
        changes.updated("a");
        assert!(!subscriber.begin_to_tell(), "somebody tells already");
        assert!(subscriber.go_on_telling().is_some());
        assert!(subscriber.go_on_telling().is_none());
        changes.updated("a");
        assert!(subscriber.begin_to_tell());
    }

    #[test]
    fn streams_are_counted() {
        let open = AtomicUsize::new(0);
        let first = Open::new(&open, 1).expect("room");
        assert!(Open::new(&open, 1).is_none());
        drop(first);
        assert!(Open::new(&open, 1).is_some());
    }
}
