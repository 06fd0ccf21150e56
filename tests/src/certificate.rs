//! A certificate for the programs of a test, and the authority that clients believe it from.

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// Files in PEM.
#[derive(Debug)]
pub struct Certificate {
    /// The authority's.
    pub authority: String,
    chain: String,
    key: String,
    _folder: TempDir,
}

impl Certificate {
    /// One for these names, by an authority made for it.
    pub fn new(names: &[&str]) -> Result<Self> {
        let mut params = CertificateParams::new([])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        let folder = TempDir::new()?;
        let file = |name: &str, text: String| -> Result<String> {
            let path = folder.path().join(name);
            std::fs::write(&path, text)?;
            Ok(path.to_str().context("path")?.to_owned())
        };
        Ok(Self {
            authority: file("ca.crt", authority.pem())?,
            chain: file("tls.crt", certificate.pem())?,
            key: file("tls.key", key.serialize_pem())?,
            _folder: folder,
        })
    }

    /// The arguments of a program that serves it.
    #[must_use]
    pub fn served(&self) -> [&str; 4] {
        ["--tls-cert", &self.chain, "--tls-key", &self.key]
    }
}
