//! Who calls: principals, roles, and the keys that prove them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use http::{HeaderMap, HeaderName, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::settings::{AuthMode, Settings};
use crate::{Code, ToolError};

/// How often the key file is looked at for a change.
const KEY_FILE_POLL: Duration = Duration::from_secs(1);
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees and calls tools that are marked read-only.
    Read,
    /// Calls every tool the policy offers.
    Write,
    /// Also what only the operator may do.
    Admin,
}

impl std::str::FromStr for Role {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "admin" => Ok(Self::Admin),
            _ => bail!("unknown role; use read, write or admin"),
        }
    }
}

/// A caller that was let in. Limits and the audit are kept by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The key's name, or what stands for a caller without one.
    pub name: Arc<str>,
    /// What it may do.
    pub role: Role,
}

impl Principal {
    /// The operator who started the program on stdio.
    pub(crate) fn local() -> Self {
        Self { name: "local".into(), role: Role::Admin }
    }
}

/// The bearer of a request under `--auth upstream`: the upstream's own token. Never printed.
#[derive(Clone)]
pub struct UpstreamToken(Arc<str>);

impl UpstreamToken {
    /// The token, for the request to the upstream and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for UpstreamToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpstreamToken(…)")
    }
}

/// Decides who may call.
pub(crate) struct Auth {
    rule: Rule,
    anonymous: Principal,
}

enum Rule {
    None,
    Keys(Arc<RwLock<Keys>>),
    Upstream,
}

impl Auth {
    /// Reads the settings; `loopback` is whether only this machine can connect. Returns the key that was
    /// made when nobody configured any, so that it can be shown once.
    pub(crate) fn new(
        settings: &Settings,
        loopback: bool,
        takes_upstream_token: bool,
    ) -> anyhow::Result<(Self, Option<String>)> {
        let mode = match settings.auth {
            Some(mode) => mode,
            None if !settings.api_keys.is_empty() || settings.api_keys_file.is_some() => AuthMode::ApiKey,
            None if loopback => AuthMode::None,
            None => AuthMode::ApiKey,
        };
        let mut generated = None;
        let rule = match mode {
            AuthMode::None if !settings.api_keys.is_empty() || settings.api_keys_file.is_some() => {
                bail!("--auth none with --api-keys or --api-keys-file: the keys would mean nothing")
            }
            AuthMode::None => Rule::None,
            AuthMode::Upstream if !takes_upstream_token => {
                bail!(
                    "--auth (GANTRY_AUTH): this server's upstream takes no bearer token, so it cannot be `upstream`"
                )
            }
            AuthMode::Upstream => Rule::Upstream,
            AuthMode::ApiKey => {
                let mut keys = Keys::read(&settings.api_keys, settings.api_keys_file.as_deref())?;
                if keys.0.is_empty() {
                    if settings.auth.is_some() || settings.api_keys_file.is_some() {
                        bail!("--auth api-key needs at least one key from --api-keys or --api-keys-file");
                    }
                    let key = random_key();
                    keys.insert(&format!("generated:admin:{key}")).context("generated key")?;
                    generated = Some(key);
                }
                let keys = Arc::new(RwLock::new(keys));
                if let Some(file) = settings.api_keys_file.clone() {
                    tokio::spawn(follow(file, settings.api_keys.clone(), keys.clone()));
                }
                Rule::Keys(keys)
            }
        };
        let anonymous = Principal { name: "anonymous".into(), role: Role::Admin };
        Ok((Self { rule, anonymous }, generated))
    }

    /// Whether answers depend on who asks.
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self.rule, Rule::None)
    }

    /// Tells the caller from the request's headers.
    ///
    /// # Errors
    /// `AUTHENTICATION_ERROR` without saying whether a key was near.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(Principal, Option<UpstreamToken>), ToolError> {
        match &self.rule {
            Rule::None => Ok((self.anonymous.clone(), None)),
            Rule::Keys(keys) => {
                let credential = credential(headers)?;
                let keys = keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
                let principal = keys
                    .find(credential)
                    .ok_or_else(|| ToolError::new(Code::AuthenticationError, "the key is not known"))?;
                Ok((principal, None))
            }
            Rule::Upstream => {
                let token = credential(headers)?;
                let digest = hex(&Sha256::digest(token.as_bytes())[..8]);
                let name = format!("upstream:{digest}").into();
                Ok((Principal { name, role: Role::Write }, Some(UpstreamToken(token.into()))))
            }
        }
    }
}

/// The credential of `Authorization: Bearer` or `X-API-Key`; exactly one.
fn credential(headers: &HeaderMap) -> Result<&str, ToolError> {
    let refuse = |message| ToolError::new(Code::AuthenticationError, message);
    if headers.get_all(header::AUTHORIZATION).iter().count() + headers.get_all(X_API_KEY).iter().count() > 1 {
        return Err(refuse("send one credential, not several"));
    }
    let value = match (headers.get(header::AUTHORIZATION), headers.get(X_API_KEY)) {
        (Some(value), _) => {
            let value = value.to_str().map_err(|_| refuse("unreadable Authorization header"))?;
            match value.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
                _ => return Err(refuse("use `Authorization: Bearer KEY`")),
            }
        }
        (None, Some(value)) => value.to_str().map_err(|_| refuse("unreadable X-API-Key header"))?.trim(),
        (None, None) => return Err(refuse("send a key as `Authorization: Bearer KEY` or `X-API-Key: KEY`")),
    };
    if value.is_empty() { Err(refuse("the key is empty")) } else { Ok(value) }
}

/// Keys by their SHA-256. A lookup compares digests, so its time tells nothing of a key.
struct Keys(HashMap<KeyDigest, Principal>);

struct KeyDigest([u8; 32]);

impl std::hash::Hash for KeyDigest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for KeyDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyDigest {}

impl Keys {
    fn read(inline: &[String], file: Option<&Path>) -> anyhow::Result<Self> {
        let mut keys = Self(HashMap::new());
        for (at, line) in inline.iter().enumerate() {
            keys.insert(line).with_context(|| format!("--api-keys (GANTRY_API_KEYS), key {}", at + 1))?;
        }
        if let Some(file) = file {
            let what = || format!("--api-keys-file (GANTRY_API_KEYS_FILE) {}", file.display());
            let text = std::fs::read_to_string(file).with_context(what)?;
            for (at, line) in text.lines().enumerate() {
                if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
                    keys.insert(line).with_context(|| format!("{}, line {}", what(), at + 1))?;
                }
            }
        }
        Ok(keys)
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
            None => Sha256::digest(key.as_bytes()).into(),
        };
        let principal = Principal { name: name.into(), role: role.parse()? };
        if self.0.insert(KeyDigest(digest), principal).is_some() {
            bail!("the same key twice");
        }
        Ok(())
    }

    fn find(&self, key: &str) -> Option<Principal> {
        self.0.get(&KeyDigest(Sha256::digest(key.as_bytes()).into())).cloned()
    }
}

/// Reads the key file again whenever it changes; a file that cannot be read keeps the old keys.
async fn follow(file: PathBuf, inline: Vec<String>, keys: Arc<RwLock<Keys>>) {
    let mut seen = stamp(&file);
    loop {
        tokio::time::sleep(KEY_FILE_POLL).await;
        let now = stamp(&file);
        if now == seen {
            continue;
        }
        seen = now;
        match Keys::read(&inline, Some(&file)) {
            Ok(new) => {
                tracing::info!(keys = new.0.len(), "key file read again");
                *keys.write().unwrap_or_else(std::sync::PoisonError::into_inner) = new;
            }
            Err(error) => tracing::error!("key file not taken, the old keys stay: {error:#}"),
        }
    }
}

fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn random_key() -> String {
    hex(&rand::random::<[u8; 24]>())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(lines: &[&str]) -> anyhow::Result<Keys> {
        Keys::read(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>(), None)
    }

    #[test]
    fn finds_plain_and_hashed_keys() {
        let hashed = format!("ci:read:sha256:{}", hex(&Sha256::digest(b"hush")));
        let keys = keys(&["ops:admin:a:b:c", &hashed]).expect("keys");
        assert_eq!(keys.find("a:b:c").expect("known").role, Role::Admin);
        assert_eq!(&*keys.find("hush").expect("known").name, "ci");
        assert_eq!(keys.find("a:b"), None);
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

    #[test]
    fn exactly_one_credential() {
        let mut headers = HeaderMap::new();
        assert!(credential(&headers).is_err());
        headers.insert(X_API_KEY, "k".parse().expect("value"));
        assert_eq!(credential(&headers).expect("key"), "k");
        headers.insert(header::AUTHORIZATION, "Bearer k".parse().expect("value"));
        assert!(credential(&headers).is_err());
        headers.remove(X_API_KEY);
        assert_eq!(credential(&headers).expect("key"), "k");
        headers.insert(header::AUTHORIZATION, "Basic a2V5".parse().expect("value"));
        assert!(credential(&headers).is_err());
    }
}
