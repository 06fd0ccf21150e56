//! API keys: `NAME:ROLE:KEY` lines, kept and compared as SHA-256.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, bail};
use subtle::ConstantTimeEq;

use super::args::AuthArgs;
use super::credential::{Fingerprint, fingerprint};
use super::{Principal, Role, hex};
use crate::followed::Followed;

/// A key with fewer characters than this is worth a warning.
const SHORT: usize = 16;

/// Keys in the order of their SHA-256, and their names in one text: ten thousand take half a megabyte. A lookup
/// compares digests, so its time tells nothing of a key.
#[derive(Default)]
pub(super) struct Keys {
    keys: Vec<Key>,
    names: String,
}

struct Key {
    digest: Fingerprint,
    /// Where in `names` its own is.
    name: Range<u32>,
    role: Role,
}

impl Keys {
    /// The configured keys, which follow their file.
    pub(super) fn configured(args: &AuthArgs) -> anyhow::Result<Followed<Self>> {
        let inline = args.api_keys.clone();
        let Some(file) = args.api_keys_file.clone() else {
            return Ok(Followed::fixed(Self::read(&inline, None)?));
        };
        Followed::read(file.clone(), move || Self::read(&inline, Some(&file)))
    }

    /// One admin key made now, and the key itself, so that it can be shown.
    pub(super) fn generated() -> anyhow::Result<(Self, String)> {
        let key = hex(&rand::random::<[u8; 24]>());
        let mut keys = Self::default();
        keys.insert(&format!("generated:admin:{key}")).context("generated key")?;
        Ok((keys, key))
    }

    fn read(inline: &[String], file: Option<&Path>) -> anyhow::Result<Self> {
        let mut keys = Self::default();
        for (at, line) in inline.iter().enumerate() {
            keys.insert(line).with_context(|| format!("--api-keys (GANTRY_API_KEYS), key {}", at + 1))?;
        }
        if let Some(file) = file {
            let what = || format!("--api-keys-file (GANTRY_API_KEYS_FILE) {}", file.display());
            let text = std::fs::read_to_string(file).with_context(what)?;
            keys.keys.reserve_exact(text.lines().count());
            for (at, line) in text.lines().enumerate() {
                if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
                    keys.insert(line).with_context(|| format!("{}, line {}", what(), at + 1))?;
                }
            }
        }
        // Also later: editors empty a file before they write it.
        if keys.keys.is_empty() {
            bail!("--auth api-key needs at least one key from --api-keys or --api-keys-file");
        }
        keys.sort()?;
        Ok(keys)
    }

    fn sort(&mut self) -> anyhow::Result<()> {
        self.keys.sort_unstable_by_key(|key| key.digest);
        self.names.shrink_to_fit();
        if let Some([one, same]) = self.keys.array_windows().find(|[one, next]| one.digest == next.digest) {
            bail!("--api-keys, --api-keys-file: {} and {} are the same key", self.name(one), self.name(same));
        }
        Ok(())
    }

    fn name(&self, key: &Key) -> &str {
        &self.names[key.name.start as usize..key.name.end as usize]
    }

    /// Errors never repeat the line: it holds a secret.
    fn insert(&mut self, line: &str) -> anyhow::Result<()> {
        let mut parts = line.trim().splitn(3, ':');
        let (Some(name), Some(role), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            bail!("not in the form NAME:ROLE:KEY");
        };
        if name.is_empty() || key.is_empty() {
            bail!("name and key must not be empty");
        }
        let digest = match key.strip_prefix("sha256:") {
            Some(hex) => unhex(hex).context("not 64 hexadecimal digits after sha256:")?,
            None => {
                if key.len() < SHORT {
                    tracing::warn!(name, "this key has less than {SHORT} characters and can be guessed");
                }
                fingerprint(key)
            }
        };
        let start = u32::try_from(self.names.len())?;
        self.names.push_str(name);
        let name = start..u32::try_from(self.names.len())?;
        self.keys.push(Key { digest, name, role: role.parse()? });
        Ok(())
    }

    pub(super) fn find(&self, key: Fingerprint) -> Option<Principal> {
        let at = self.keys.partition_point(|known| known.digest < key);
        let known = self.keys.get(at).filter(|known| known.digest.ct_eq(&key).into())?;
        Some(Principal::new(self.name(known), known.role))
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let pairs: &[[u8; 2]; 32] = pairs.try_into().ok()?;
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(*pairs) {
        *byte = 16 * digit(high)? + digit(low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Role;

    fn keys(lines: &[&str]) -> anyhow::Result<Keys> {
        Keys::read(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>(), None)
    }

    #[test]
    fn no_key_at_all_is_refused() {
        assert!(keys(&[]).is_err());
    }

    #[test]
    fn finds_plain_and_hashed_keys() {
        let hashed = format!("ci:read:sha256:{}", hex(&fingerprint("hush")));
        let keys = keys(&["ops:admin:a:b:c", &hashed]).expect("keys");
        assert_eq!(keys.find(fingerprint("a:b:c")).expect("known").role, Role::Admin);
        assert_eq!(&*keys.find(fingerprint("hush")).expect("known").name, "ci");
        assert_eq!(keys.find(fingerprint("a:b")), None);
    }

    #[test]
    fn finds_each_of_many_and_no_other() {
        let lines: Vec<_> = (0..1000).map(|n| format!("name-{n}:read:a key that is number {n}")).collect();
        let keys = keys(&lines.iter().map(String::as_str).collect::<Vec<_>>()).expect("keys");
        for n in 0..1000 {
            let found = keys.find(fingerprint(format!("a key that is number {n}"))).expect("known");
            assert_eq!(*found.name, format!("name-{n}"));
        }
        assert_eq!(keys.find(fingerprint("a key that is number 1000")), None);
        assert_eq!(keys.find([0; 32]), None);
        assert_eq!(keys.find([0xff; 32]), None);
    }

    #[test]
    fn the_same_key_twice_is_refused_by_its_names() {
        let hashed = format!("ci:read:sha256:{}", hex(&fingerprint("secretsecret")));
        let error = format!("{:#}", keys(&["ops:admin:secretsecret", &hashed]).err().expect("refused"));
        assert!(error.contains("ops") && error.contains("ci") && !error.contains("secretsecret"), "{error}");
    }

    #[test]
    fn a_bad_key_is_refused_without_repeating_it() {
        for line in
            ["secretsecret", "a:king:secretsecret", ":read:secretsecret", "a:read:sha256:secretsecret"]
        {
            let error = format!("{:#}", keys(&[line]).err().expect("refused"));
            assert!(error.contains("--api-keys"), "{error}");
            assert!(!error.contains("secretsecret"), "{error}");
        }
    }
}
