//! What is too large for memory and read in pieces: a few temporary files without names, of bounded size together,
//! each downloaded once however many calls want it. Whoever asks for one has proved to the forge that they may.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kit::{Code, ToolError};
use tokio::sync::OnceCell;

use crate::error::Result;

/// Each is an open file.
const MOST_FILES: usize = 32;
/// So much is gathered before it is written.
const BLOCK: usize = 256 << 10;

/// The temporary files.
#[derive(Debug)]
pub(crate) struct Spool(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    limit: u64,
    /// Bytes in files, also in those that only a reader holds any more.
    held: AtomicU64,
    /// The least recently used first.
    slots: Mutex<Vec<Slot>>,
}

/// Where a download is, or will be.
#[derive(Debug, Clone)]
struct Slot {
    key: Arc<str>,
    content: Arc<OnceCell<Content>>,
}

/// A whole download.
#[derive(Debug, Clone)]
pub(crate) struct Content(Arc<Stored>);

#[derive(Debug)]
struct Stored {
    file: Arc<File>,
    /// Counted as held.
    len: u64,
    shelf: Arc<Shelf>,
}

/// A download on its way in.
pub(crate) struct Sink {
    stored: Stored,
    block: Vec<u8>,
}

impl Spool {
    /// Files of at most `limit` bytes together.
    pub(crate) fn new(limit: u64) -> Self {
        Self(Arc::new(Shelf { limit, held: AtomicU64::new(0), slots: Mutex::default() }))
    }

    /// What is kept under `key`, downloaded if need be; callers that want it at once wait for the one that downloads.
    pub(crate) async fn open(
        &self,
        key: String,
        download: impl AsyncFnOnce(Sink) -> Result<Content>,
    ) -> Result<Content> {
        let slot = self.0.slot(key);
        let begin = async || {
            let file = blocking(tempfile::tempfile).await?;
            let stored = Stored { file: Arc::new(file), len: 0, shelf: self.0.clone() };
            download(Sink { stored, block: Vec::with_capacity(BLOCK) }).await
        };
        slot.content.get_or_try_init(begin).await.cloned()
    }
}

impl Shelf {
    fn slot(&self, key: String) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match slots.iter().position(|slot| *slot.key == *key) {
            Some(at) => slots.remove(at),
            None => Slot { key: key.into(), content: Arc::default() },
        };
        slots.push(slot.clone());
        if slots.len() > MOST_FILES {
            slots.remove(0);
        }
        slot
    }

    /// Makes room for `more` bytes of a file that has `len`, by letting go of those that were not used for longest.
    fn reserve(&self, len: u64, more: u64) -> Result<()> {
        if len + more > self.limit {
            let message = format!(
                "gitea's answer is larger than the {} bytes of --spool-bytes (GANTRY_SPOOL_BYTES)",
                self.limit
            );
            return Err(ToolError::new(Code::ServiceError, message).into());
        }
        while self.held.fetch_add(more, Ordering::Relaxed) + more > self.limit {
            self.held.fetch_sub(more, Ordering::Relaxed);
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(at) = slots.iter().position(|slot| slot.content.initialized()) else {
                let message =
                    "the room for diffs and logs (--spool-bytes) is taken by other downloads; try again";
                return Err(ToolError::new(Code::ServiceError, message).into());
            };
            slots.remove(at);
        }
        Ok(())
    }
}

impl Sink {
    /// Adds a piece.
    pub(crate) async fn write(&mut self, piece: &[u8]) -> Result<()> {
        let more = piece.len() as u64;
        self.stored.shelf.reserve(self.stored.len, more)?;
        self.stored.len += more;
        self.block.extend_from_slice(piece);
        if self.block.len() >= BLOCK { self.flush().await } else { Ok(()) }
    }

    /// There is no more.
    pub(crate) async fn end(mut self) -> Result<Content> {
        self.flush().await?;
        Ok(Content(Arc::new(self.stored)))
    }

    async fn flush(&mut self) -> Result<()> {
        let (file, mut block) = (self.stored.file.clone(), std::mem::take(&mut self.block));
        let at = self.stored.len - block.len() as u64;
        self.block = blocking(move || {
            file.write_all_at(&block, at)?;
            block.clear();
            Ok(block)
        })
        .await?;
        Ok(())
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.shelf.held.fetch_sub(self.len, Ordering::Relaxed);
    }
}

impl Content {
    /// In bytes.
    pub(crate) fn len(&self) -> u64 {
        self.0.len
    }

    /// At most `len` bytes from `offset` on; fewer only at the end.
    pub(crate) async fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let (stored, mut bytes) = (self.0.clone(), vec![0; len.min(left)]);
        blocking(move || {
            stored.file.read_exact_at(&mut bytes, offset)?;
            Ok(bytes)
        })
        .await
    }

    /// Reads it through from its beginning, on a thread where that may take its time.
    pub(crate) async fn scan<T: Send + 'static>(
        &self,
        work: impl FnOnce(BufReader<Reader>) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.scan_from(0, work).await
    }

    /// [`Content::scan`] from some place on.
    pub(crate) async fn scan_from<T: Send + 'static>(
        &self,
        at: u64,
        work: impl FnOnce(BufReader<Reader>) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let reader = Reader { content: self.clone(), at };
        blocking(move || work(BufReader::with_capacity(BLOCK, reader))).await
    }
}

/// Reads a content from some place on.
pub(crate) struct Reader {
    content: Content,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Stored { file, .. } = &*self.content.0;
        let read = file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Work on files, beside the threads that serve calls.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten();
    done.map_err(|error| {
        ToolError::internal(format!("a temporary file in {} fails", std::env::temp_dir().display()))
            .because(&error)
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn put(spool: &Spool, key: &str, bytes: &[u8]) -> Result<Content> {
        let download = async |mut into: Sink| {
            for piece in bytes.chunks(3) {
                into.write(piece).await?;
            }
            into.end().await
        };
        spool.open(key.into(), download).await
    }

    async fn is_kept(spool: &Spool, key: &str) -> bool {
        let mut kept = true;
        let download = async |into: Sink| {
            kept = false;
            into.end().await
        };
        spool.open(key.into(), download).await.unwrap();
        kept
    }

    #[tokio::test]
    async fn reads_any_part() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * BLOCK + 7).collect();
        let content = put(&Spool::new(1 << 20), "a", &bytes).await.unwrap();
        assert_eq!(content.len(), bytes.len() as u64);
        let at = BLOCK - 2;
        assert_eq!(content.read_at(at as u64, 9).await.unwrap(), &bytes[at..at + 9]);
        assert_eq!(content.read_at(bytes.len() as u64 - 2, 9).await.unwrap().len(), 2);
        assert_eq!(content.read_at(u64::MAX, 9).await.unwrap().len(), 0);
        let read = |mut reader: BufReader<Reader>| {
            let mut all = vec![];
            reader.read_to_end(&mut all).map(|_| all)
        };
        assert!(content.scan(read).await.unwrap() == bytes);
    }

    #[tokio::test]
    async fn one_download_serves_all_who_wait() {
        let spool = Spool::new(100);
        let download = async |mut into: Sink| {
            tokio::task::yield_now().await;
            into.write(b"once").await?;
            into.end().await
        };
        let never = async |_: Sink| panic!("downloaded twice");
        let (first, second) = tokio::join!(spool.open("a".into(), download), spool.open("a".into(), never));
        assert_eq!(first.unwrap().len(), second.unwrap().len());
    }

    #[tokio::test]
    async fn the_least_recently_used_makes_room() {
        let spool = Spool::new(10);
        for key in ["a", "b"] {
            put(&spool, key, b"12345").await.unwrap();
        }
        assert!(is_kept(&spool, "a").await);
        put(&spool, "c", b"12345").await.unwrap();
        assert_eq!(spool.0.held.load(Ordering::Relaxed), 10);
        assert!(is_kept(&spool, "a").await && !is_kept(&spool, "b").await);
    }

    #[tokio::test]
    async fn what_is_too_large_is_told_and_leaves_nothing() {
        let spool = Spool::new(10);
        let error = put(&spool, "a", b"12345678901").await.unwrap_err();
        assert!(error.to_string().contains("--spool-bytes"), "{error}");
        assert_eq!(spool.0.held.load(Ordering::Relaxed), 0);
        let kept = put(&spool, "b", b"1234567890").await.unwrap();
        put(&spool, "c", b"1").await.unwrap_err();
        drop(kept);
        put(&spool, "c", b"1").await.unwrap();
    }
}
