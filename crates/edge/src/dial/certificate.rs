//! The edge's own certificate, for servers that let in only clients with one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// Shown to whoever asks for it. The files are read for each handshake in which a server does: those are few, as
/// connections are kept, and a renewed certificate needs nobody to notice it.
#[derive(Debug)]
pub(crate) struct ClientCertificate {
    chain: PathBuf,
    key: PathBuf,
    /// What was read last, for when the files are half written.
    last: Mutex<Arc<CertifiedKey>>,
}

impl ClientCertificate {
    /// That of these files, where both are named.
    ///
    /// # Errors
    /// One without the other, files that cannot be read, and a key that is not the certificate's.
    pub(crate) fn read(chain: Option<PathBuf>, key: Option<PathBuf>) -> anyhow::Result<Option<Arc<Self>>> {
        let (chain, key) = match (chain, key) {
            (Some(chain), Some(key)) => (chain, key),
            (None, None) => return Ok(None),
            _ => bail!(
                "--client-cert (GANTRY_CLIENT_CERT) and --client-key (GANTRY_CLIENT_KEY) need each other"
            ),
        };
        let last = Mutex::new(load(&chain, &key)?);
        Ok(Some(Arc::new(Self { chain, key, last })))
    }
}

fn load(chain: &PathBuf, key: &PathBuf) -> anyhow::Result<Arc<CertifiedKey>> {
    let what = || format!("--client-cert (GANTRY_CLIENT_CERT) {}", chain.display());
    let certificates = CertificateDer::pem_file_iter(chain).with_context(what)?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().with_context(what)?;
    anyhow::ensure!(!certificates.is_empty(), "{}: no certificate in it", what());
    let what = || format!("--client-key (GANTRY_CLIENT_KEY) {}", key.display());
    let key = PrivateKeyDer::from_pem_file(key).with_context(what)?;
    let key = CertifiedKey::from_der(certificates, key, &aws_lc_rs::default_provider()).with_context(what)?;
    Ok(Arc::new(key))
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match load(&self.chain, &self.key) {
            Ok(now) => *last = now,
            Err(error) => tracing::warn!(error = format!("{error:#}"), "the certificate of before is shown"),
        }
        Some(last.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_anew_and_survives_a_file_that_is_half_written() {
        let folder = tempfile::tempdir().unwrap();
        let [chain, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        let renew = || {
            let pair = rcgen::KeyPair::generate().unwrap();
            let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&pair).unwrap();
            std::fs::write(&key, pair.serialize_pem()).unwrap();
            std::fs::write(&chain, certificate.pem()).unwrap();
            certificate.der().clone()
        };
        let first = renew();
        let own = ClientCertificate::read(Some(chain.clone()), Some(key.clone())).unwrap().unwrap();
        let shown = || own.resolve(&[], &[]).unwrap().cert[0].clone();
        assert_eq!(shown(), first);
        std::fs::write(&chain, "half").unwrap();
        assert_eq!(shown(), first);
        let second = renew();
        assert_eq!(shown(), second);
        assert!(ClientCertificate::read(Some(chain), None).is_err());
    }
}
