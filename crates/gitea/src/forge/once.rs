//! Creates that are safe to retry: a key of the caller's goes into the text of what is made, where the next call with
//! the same key finds it.
//!
//! The mark is a comment of HTML with digests of the key and of what was sent, so that nothing can end it, and so that
//! a key which is used again for something else is noticed. Two calls at once in this process wait for each other; on
//! two replicas both may create, and then the later one is taken back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::client::path::Path;
use crate::error::{Error, Result};
use crate::forge::Forge;

const BEGIN: &str = "<!-- gantry:key ";
const END: &str = " -->";

/// The argument.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
pub(crate) struct Idempotency {
    idempotency_key: Option<String>,
}

/// What a key and what was sent with it come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    key: String,
    content: String,
}

/// Who else uses a key right now.
#[derive(Debug, Default)]
pub(crate) struct Keys(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

/// Something with a text that can hold a mark.
pub(crate) trait Marked {
    /// The text.
    fn text(&self) -> &str;

    /// Grows with every new one.
    fn number(&self) -> u64;
}

impl Idempotency {
    /// The mark of what is sent, if the caller gave a key.
    pub(crate) fn mark(&self, content: &impl Serialize) -> Result<Option<Mark>> {
        let Some(key) = &self.idempotency_key else { return Ok(None) };
        if key.trim().is_empty() {
            return Err(Error::argument("idempotency_key", "idempotency_key is empty"));
        }
        let content = serde_json::to_vec(content).map_err(|error| Error::Unexpected(error.to_string()))?;
        Ok(Some(Mark { key: digest(key.as_bytes()), content: digest(&content) }))
    }
}

impl Mark {
    /// The text with the mark below it.
    pub(crate) fn below(&self, text: &str) -> String {
        format!("{text}\n\n{BEGIN}{} {}{END}", self.key, self.content)
    }

    /// Whether a text bears the same key.
    ///
    /// # Errors
    /// When it does, but with something else.
    fn is_in(&self, text: &str) -> Result<bool> {
        let mark =
            line_of(text).and_then(|line| line.strip_prefix(BEGIN)?.strip_suffix(END)?.split_once(' '));
        let Some((_, content)) = mark.filter(|(key, _)| *key == self.key) else { return Ok(false) };
        if content == self.content {
            return Ok(true);
        }
        let message = "idempotency_key was used before for something else; take another one for this";
        Err(Error::argument("idempotency_key", message))
    }

    /// The one among these that was made with the key: the lowest, should there be two.
    fn find<T: Marked>(&self, made: Vec<T>) -> Result<Option<T>> {
        let mut found: Option<T> = None;
        for one in made {
            if self.is_in(one.text())? && found.as_ref().is_none_or(|it| one.number() < it.number()) {
                found = Some(one);
            }
        }
        Ok(found)
    }
}

/// The line of a text that is its mark: the last one, as whatever else is there may be quoted.
fn line_of(text: &str) -> Option<&str> {
    let last = text.trim_end().lines().next_back()?;
    (last.starts_with(BEGIN) && last.ends_with(END)).then_some(last)
}

/// A text that takes another one's place, and keeps its mark.
pub(crate) fn kept(old: &str, new: String) -> String {
    match line_of(old) {
        Some(line) if line_of(&new) != Some(line) => {
            format!("{}\n\n{line}", new.replace(line, "").trim_end())
        }
        _ => new,
    }
}

/// Something that is made once for a mark.
pub(crate) trait Create: Sync {
    /// What comes of it.
    type Made: Marked + Send;

    /// What was made lately; older things are not found again.
    fn recent(&self, forge: &Forge) -> impl Future<Output = Result<Vec<Self::Made>>> + Send;

    /// Makes it.
    fn make(&self, forge: &Forge) -> impl Future<Output = Result<Self::Made>> + Send;

    /// Whether what is there, made now or by the call that this one repeats, is all that was asked for.
    fn check(&self, _made: &Self::Made) -> Result<()> {
        Ok(())
    }

    /// Undoes it, as another replica was sooner.
    fn take_back(&self, forge: &Forge, made: &Self::Made) -> impl Future<Output = Result<()>> + Send;
}

impl Forge {
    /// Makes something, once for a mark if there is one; `path` is where its like is.
    pub(crate) async fn once<C: Create>(
        &self,
        path: &Path,
        mark: Option<&Mark>,
        create: &C,
    ) -> Result<C::Made> {
        let made = self.made_once(path, mark, create).await?;
        create.check(&made)?;
        Ok(made)
    }

    async fn made_once<C: Create>(&self, path: &Path, mark: Option<&Mark>, create: &C) -> Result<C::Made> {
        let Some(mark) = mark else { return create.make(self).await };
        let lock = self.client.keys.lock_of(format!("{} {path} {}", self.identity(), mark.key));
        let _alone = lock.lock().await;
        if let Some(there) = mark.find(create.recent(self).await?)? {
            return Ok(there);
        }
        let made = create.make(self).await?;
        match mark.find(create.recent(self).await?)? {
            Some(first) if first.number() < made.number() => {
                create.take_back(self, &made).await?;
                Ok(first)
            }
            _ => Ok(made),
        }
    }
}

impl Keys {
    fn lock_of(&self, name: String) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = locks.get(&name).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        locks.insert(name, Arc::downgrade(&lock));
        lock
    }
}

/// 128 bits of SHA-256, in hexadecimal digits: what a mark holds instead of a name.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(key: &str, content: &str) -> Mark {
        Idempotency { idempotency_key: Some(key.into()) }.mark(&content).unwrap().unwrap()
    }

    #[test]
    fn a_mark_is_found_by_its_key_and_what_it_was_sent_with() {
        let text = mark("k --> <b>", "one").below("body");
        assert!(text.starts_with("body\n\n<!-- gantry:key ") && !text.contains("<b>"), "{text}");
        assert!(mark("k --> <b>", "one").is_in(&text.replace('\n', "\r\n")).unwrap());
        assert!(!mark("other", "one").is_in(&text).unwrap());
        let error = mark("k --> <b>", "two").is_in(&text).unwrap_err();
        assert!(error.to_string().starts_with("idempotency_key"), "{error}");
    }

    #[test]
    fn what_is_quoted_is_no_mark() {
        let text = mark("k", "one").below("body");
        for text in
            [format!("{text}\nmore"), format!("{text} more"), format!("> {text}").replace('\n', "\n> ")]
        {
            assert!(!mark("k", "one").is_in(&text).unwrap(), "{text}");
        }
        assert!(mark("k", "one").is_in(&format!("{text}\n \n")).unwrap());
    }

    #[test]
    fn a_text_in_place_of_another_keeps_its_mark() {
        let old = mark("k", "one").below("body");
        for new in ["anew".to_owned(), format!("{old}\nmore"), old.replace("body", "more")] {
            let text = kept(&old, new);
            assert!(mark("k", "one").is_in(&text).unwrap(), "{text}");
            assert_eq!(text.matches(BEGIN).count(), 1, "{text}");
        }
        assert_eq!(kept("body", "anew".into()), "anew");
    }

    #[test]
    fn a_lock_lives_as_long_as_it_is_held() {
        let keys = Keys::default();
        let first = keys.lock_of("a".into());
        assert!(Arc::ptr_eq(&first, &keys.lock_of("a".into())));
        drop(first);
        keys.lock_of("b".into());
        assert_eq!(keys.0.lock().unwrap().len(), 1);
    }
}
