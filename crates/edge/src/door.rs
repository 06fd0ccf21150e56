//! How clients are let in: no more than there is room for, and whatever the kernel makes of it.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections the kernel lets in before they are accepted, per thread.
pub(crate) const BACKLOG: u16 = 1024;
/// A pause when the process can take no more connections.
const BREATH: Duration = Duration::from_millis(50);
/// The same trouble is not told again for so long.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// Who comes in, and the room they take until it is dropped.
pub(crate) type Guest = (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>);

/// One thread's listener.
pub(crate) struct Door {
    listener: TcpListener,
    /// Of all threads together.
    room: Arc<Semaphore>,
    told: Cell<Option<Instant>>,
}

impl Door {
    pub(crate) fn new(listener: std::net::TcpListener, room: Arc<Semaphore>) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::from_std(listener)?, room, told: Cell::new(None) })
    }

    /// Lets clients in until `end`.
    pub(crate) async fn open(&self, end: impl Future, enter: impl Fn(Guest)) {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                guest = self.next() => enter(guest),
                _ = &mut end => return,
            }
        }
    }

    /// Lets those in who have come already: closing would reset their connections.
    pub(crate) async fn close(self, enter: impl Fn(Guest)) {
        tokio::task::yield_now().await;
        for _ in 0..BACKLOG {
            match tokio::time::timeout(Duration::ZERO, self.next()).await {
                Ok(guest) => enter(guest),
                Err(_) => break,
            }
        }
    }

    async fn next(&self) -> Guest {
        loop {
            self.wait_for_room().await;
            match self.listener.accept().await {
                // Another thread may have been faster: so many more there can be.
                Ok((stream, address)) => {
                    return (stream, address, self.room.clone().try_acquire_owned().ok());
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if self.may_tell() {
                        tracing::error!(%error, "no connection can be accepted");
                    }
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    /// What is waited for is not taken: a thread to which nobody comes would keep it from the others.
    async fn wait_for_room(&self) {
        if self.room.available_permits() == 0 {
            if self.may_tell() {
                tracing::warn!("as many connections as are allowed are open, more must wait");
            }
            let _ = self.room.acquire().await;
        }
    }

    fn may_tell(&self) -> bool {
        let may = self.told.get().is_none_or(|at| at.elapsed() >= TELL_AGAIN);
        if may {
            self.told.set(Some(Instant::now()));
        }
        may
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
