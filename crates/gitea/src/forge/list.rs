//! Lists: a page of one, or the whole of it up to a cap, always with how to go on.

use http::HeaderMap;
use http::header::LINK;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client;
use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::{Forge, encoded, number};

const PER_PAGE: u32 = 30;
/// The most that forges give at once unless they are told otherwise (`MAX_RESPONSE_ITEMS`).
const MOST_PER_PAGE: u32 = 50;

/// Which part of a list. What these say, the server's instructions tell once for all lists.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
pub(crate) struct Paging {
    page: Option<u32>,
    per_page: Option<u32>,
    cursor: Option<String>,
    all: Option<bool>,
    /// What this list has on a page where it is not as others.
    #[serde(skip)]
    usual: Option<u32>,
    /// The most that the forge gives of this list at once, where it gives more than of others.
    #[serde(skip)]
    most: Option<u32>,
}

/// A page of a list, or as much of it as there was room for.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Of the first item.
    pub(crate) page: u32,
    pub(crate) per_page: u32,
    /// Items in the whole list, where the forge tells.
    pub(crate) total_count: Option<u64>,
    pub(crate) has_next: bool,
    /// Goes on behind the last item.
    pub(crate) next_cursor: Option<String>,
}

/// Where in a list to begin, and how far to go.
#[derive(Debug, Clone, Copy)]
struct Start {
    page: u32,
    per_page: u32,
    all: bool,
}

impl Paging {
    /// So many on a page, where the caller does not say.
    #[must_use]
    pub(crate) fn usually(self, per_page: u32) -> Self {
        Self { usual: Some(per_page), ..self }
    }

    /// So many on a page at most, where that is not as with other lists.
    #[must_use]
    pub(crate) fn at_most(self, per_page: u32) -> Self {
        Self { most: Some(per_page), ..self }
    }

    /// So many on a page, whatever the caller says: for lists that the forge pages as it likes.
    #[must_use]
    pub(crate) fn always(self, per_page: u32) -> Self {
        Self { per_page: Some(per_page), ..self }
    }

    /// How many are on a page.
    pub(crate) fn per_page(&self) -> Result<u32> {
        Ok(self.start()?.per_page)
    }

    fn start(&self) -> Result<Start> {
        let all = self.all.unwrap_or(false);
        let most = self.most.unwrap_or(MOST_PER_PAGE);
        let usual = if all { most } else { self.usual.unwrap_or(PER_PAGE) };
        let per_page = self.per_page.unwrap_or(usual);
        let (page, per_page) = match &self.cursor {
            Some(cursor) => position(cursor)?,
            None => (self.page.unwrap_or(1), per_page),
        };
        for (field, value) in [("page", page), ("per_page", per_page)] {
            if value == 0 {
                return Err(Error::argument(field, format!("{field} must be at least 1")));
            }
        }
        Ok(Start { page, per_page: per_page.min(most), all })
    }
}

/// `PAGE.PER_PAGE`
fn position(cursor: &str) -> Result<(u32, u32)> {
    let read = || {
        let (page, per_page) = cursor.split_once('.')?;
        Some((page.parse().ok()?, per_page.parse().ok()?))
    };
    read().ok_or_else(|| Error::argument("cursor", "cursor is none of a list's next_cursor"))
}

/// Longer lists are not read for work of our own.
const MOST_PAGES: u32 = 200;

/// What one request gave of a list.
struct Chunk<T> {
    items: Vec<T>,
    total: Option<u64>,
    /// Whether there is more, where the forge says so.
    more: Option<bool>,
}

impl Forge {
    /// A list that the forge pages.
    pub(crate) async fn list<T: DeserializeOwned + Serialize>(
        &self,
        path: Path,
        query: &impl Serialize,
        paging: &Paging,
    ) -> Result<Page<T>> {
        self.collect(path, encoded(query)?, paging, |headers, bytes| {
            Ok(Chunk { items: items(bytes)?, total: number(headers, "x-total-count"), more: more(headers) })
        })
        .await
    }

    /// All of a list, for work that must know all of it.
    ///
    /// # Errors
    /// For a list of 10,000 items and more.
    pub(crate) async fn whole<T: DeserializeOwned>(
        &self,
        path: Path,
        query: &impl Serialize,
    ) -> Result<Vec<T>> {
        let query = encoded(query)?;
        let separator = if query.is_empty() { "" } else { "&" };
        let mut whole = vec![];
        for page in 1..=MOST_PAGES {
            let asked = format!("{query}{separator}page={page}&limit={MOST_PER_PAGE}");
            let answer = self.ask(&path, asked).await?;
            let items: Vec<T> = items(&answer.bytes)?;
            let last = items.is_empty();
            whole.extend(items);
            let total = number(&answer.headers, "x-total-count");
            if last
                || total.is_some_and(|total| whole.len() as u64 >= total)
                || more(&answer.headers) == Some(false)
            {
                return Ok(whole);
            }
        }
        Err(Error::Unexpected(format!("more than {} objects at {path}", MOST_PAGES * MOST_PER_PAGE)))
    }

    /// A list inside of an object: `{"total_count": 1, KEY: […]}`.
    pub(crate) async fn list_in<T: DeserializeOwned + Serialize>(
        &self,
        path: Path,
        key: &str,
        query: &impl Serialize,
        paging: &Paging,
    ) -> Result<Page<T>> {
        self.collect(path, encoded(query)?, paging, |headers, bytes| {
            let mut object: Map<String, Value> = client::read(bytes)?;
            let total = object.get("total_count").and_then(Value::as_u64);
            let total = total.or_else(|| number(headers, "x-total-count"));
            let items = match object.remove(key).unwrap_or_default() {
                Value::Null => vec![],
                items => serde_json::from_value(items)
                    .map_err(|error| Error::Unexpected(kit::clip(&error.to_string())))?,
            };
            Ok(Chunk { items, total, more: more(headers) })
        })
        .await
    }

    /// A list that the forge gives only as a whole; the page is cut out of it here.
    pub(crate) async fn list_whole<T: DeserializeOwned>(
        &self,
        path: Path,
        query: &impl Serialize,
        paging: &Paging,
    ) -> Result<Page<T>> {
        let items: Option<Vec<T>> = self.find(path, query).await?;
        self.cut(items.unwrap_or_default(), paging)
    }

    /// A page of what is here already.
    pub(crate) fn cut<T>(&self, items: Vec<T>, paging: &Paging) -> Result<Page<T>> {
        let Start { page, per_page, all } = paging.start()?;
        let total = items.len();
        let skip = (page as usize - 1).saturating_mul(per_page as usize);
        let take = if all {
            self.args().max_items.get().next_multiple_of(per_page as usize)
        } else {
            per_page as usize
        };
        let items: Vec<T> = items.into_iter().skip(skip).take(take).collect();
        let has_next = skip.saturating_add(items.len()) < total;
        let next = page.saturating_add((items.len() / per_page as usize) as u32);
        Ok(Page {
            items,
            page,
            per_page,
            total_count: Some(total as u64),
            has_next,
            next_cursor: has_next.then(|| format!("{next}.{per_page}")),
        })
    }

    async fn collect<T: Serialize>(
        &self,
        path: Path,
        query: String,
        paging: &Paging,
        read: impl Fn(&HeaderMap, &[u8]) -> Result<Chunk<T>>,
    ) -> Result<Page<T>> {
        let Start { page: first, per_page, all } = paging.start()?;
        let (mut items, mut bytes, mut page) = (vec![], 0, first);
        let (total, has_next) = loop {
            let separator = if query.is_empty() { "" } else { "&" };
            let asked = format!("{query}{separator}page={page}&limit={per_page}");
            let answer = self.ask(&path, asked).await?;
            let chunk = read(&answer.headers, &answer.bytes)?;
            let seen = u64::from(page - 1) * u64::from(per_page) + chunk.items.len() as u64;
            let full = chunk.items.len() as u64 >= u64::from(per_page);
            let more = chunk.more.or(chunk.total.map(|total| seen < total)).unwrap_or(full)
                && !chunk.items.is_empty();
            if all {
                bytes += size(&chunk.items);
                if bytes > self.kit().text_limit() && !items.is_empty() {
                    break (chunk.total, true);
                }
            }
            items.extend(chunk.items);
            page = page.saturating_add(1);
            if !all || !more || items.len() >= self.args().max_items.get() {
                break (chunk.total, more);
            }
            let total = chunk.total.map(|total| total as f64);
            self.call().progress(items.len() as f64, total, "items read").await;
        };
        let next_cursor = has_next.then(|| format!("{page}.{per_page}"));
        Ok(Page { items, page: first, per_page, total_count: total, has_next, next_cursor })
    }
}

/// Where there is nothing, Gitea may say `null`: for the branches of an empty repository.
fn items<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>> {
    Ok(client::read::<Option<Vec<T>>>(bytes)?.unwrap_or_default())
}

/// Bytes that items take in an answer.
fn size<T: Serialize>(items: &[T]) -> usize {
    serde_json::to_vec(items).map_or(usize::MAX, |json| json.len())
}

/// Gitea names the next page in `Link`, where there is one.
fn more(headers: &HeaderMap) -> Option<bool> {
    Some(headers.get(LINK)?.to_str().ok()?.contains("rel=\"next\""))
}
