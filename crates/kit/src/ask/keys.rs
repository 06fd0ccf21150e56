//! The keys that seal states: several at once, so that they can be changed while answers are on their way.

use std::path::Path;

use anyhow::{Context, ensure};
use rmcp::model::RequestStateCodec;
use sha2::{Digest, Sha256};

use crate::followed::Followed;

const SETTING: &str = "--state-key-file (GANTRY_STATE_KEY_FILE)";

/// The keys, read again from their file when it changes.
pub(crate) struct Keys(Followed<RequestStateCodec>);

impl Keys {
    /// Reads the file; without one makes a key that holds until the program stops.
    ///
    /// # Errors
    /// When the file cannot be read or a key is too short; the message names the setting and no key.
    pub(crate) fn new(file: Option<&Path>) -> anyhow::Result<Self> {
        Ok(Self(match file {
            Some(file) => {
                let file = file.to_owned();
                Followed::read(file.clone(), move || read(&file))?
            }
            None => Followed::fixed(codec(&[&rand::random::<[u8; 32]>()])?),
        }))
    }

    /// The codec of this moment.
    pub(crate) fn codec(&self) -> RequestStateCodec {
        self.0.get().clone()
    }
}

fn read(file: &Path) -> anyhow::Result<RequestStateCodec> {
    let what = || format!("{SETTING} {}", file.display());
    let text = std::fs::read(file).with_context(what)?;
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let keys: Vec<&[u8]> = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#")).collect();
    ensure!(!keys.is_empty(), "{}: there is no key in it", what());
    for (at, key) in keys.iter().enumerate() {
        let least = RequestStateCodec::MIN_KEY_LENGTH;
        ensure!(key.len() >= least, "{}: key {} is shorter than {least} bytes", what(), at + 1);
    }
    codec(&keys).with_context(what)
}

fn codec(keys: &[&[u8]]) -> anyhow::Result<RequestStateCodec> {
    let named: Vec<(String, &[u8])> = keys.iter().map(|key| (name(key), *key)).collect();
    let first = named.first().context("no key")?.0.clone();
    Ok(RequestStateCodec::new_with_keyring(first, named)?)
}

/// A state names its key, so that rotation needs no trying; the name tells nothing of the key.
fn name(key: &[u8]) -> String {
    let digest = Sha256::new().chain_update(b"gantry state key").chain_update(key).finalize();
    digest[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_key_is_refused_without_repeating_it() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("keys");
        for text in ["", "# only words\n", "0123456789abcdef0123456789abcdef\nsecretsecret\n"] {
            std::fs::write(&file, text).expect("written");
            let error = format!("{:#}", Keys::new(Some(&file)).err().expect("refused"));
            assert!(error.contains("--state-key-file") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_still_opens() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("keys");
        let (old, new) = ("o".repeat(32), "n".repeat(40));
        std::fs::write(&file, &old).expect("written");
        let keys = Keys::new(Some(&file)).expect("keys");
        let sealed = keys.codec().seal(b"before");
        std::fs::write(&file, format!("# rotated\n{new}\n{old}\n")).expect("written");
        let only_old = codec(&[old.as_bytes()]).expect("codec");
        let sealed_anew = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            only_old.open(&keys.codec().seal(b"after")).is_err()
        });
        assert!(sealed_anew, "the new key seals");
        assert_eq!(keys.codec().open(&sealed).expect("the old key is held"), b"before");
    }
}
