//! TLS at the door: the certificate a program serves, whose certificates its clients must have, and how both change
//! while it runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// How often the files are read. A change counts when it was read twice alike, so half-written files do not, and is
/// served well within a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// The TLS settings of every program that listens.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Listening")]
pub struct TlsArgs {
    /// Certificate chain in PEM, the server's own first: serves TLS, and nothing else on this port; read again when
    /// it changes
    #[arg(long, env = "GANTRY_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted); read again when it changes
    #[arg(long, env = "GANTRY_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,

    /// Only clients with a certificate of these authorities (PEM) may connect, probes included; it names no caller,
    /// so --auth holds besides; read again when it changes
    #[arg(long, env = "GANTRY_CLIENT_CA_FILE", value_name = "FILE")]
    client_ca_file: Option<PathBuf>,
}

impl TlsArgs {
    /// Whether clients come with TLS.
    pub fn is_on(&self) -> bool {
        self.tls_cert.is_some()
    }

    /// The scheme of this program's own URLs.
    pub fn scheme(&self) -> &'static str {
        if self.is_on() { "https" } else { "http" }
    }

    /// What to accept connections with; `None` without TLS.
    ///
    /// # Errors
    /// Files that are missing or do not fit each other; the message names the setting.
    pub fn read(&self) -> anyhow::Result<Option<Tls>> {
        let (chain, key) = match (&self.tls_cert, &self.tls_key) {
            (Some(chain), Some(key)) => (chain.clone(), key.clone()),
            (Some(_), None) => bail!("--tls-cert (GANTRY_TLS_CERT) needs --tls-key (GANTRY_TLS_KEY)"),
            (None, Some(_)) => bail!("--tls-key (GANTRY_TLS_KEY) needs --tls-cert (GANTRY_TLS_CERT)"),
            (None, None) if self.client_ca_file.is_some() => {
                bail!("--client-ca-file (GANTRY_CLIENT_CA_FILE) needs --tls-cert (GANTRY_TLS_CERT)")
            }
            (None, None) => return Ok(None),
        };
        let files = Files { chain, key, clients: self.client_ca_file.clone() };
        let in_use = files.read().map_err(anyhow::Error::msg)?;
        let config = in_use.config(&files)?;
        Ok(Some(Tls { files, in_use, config: watch::Sender::new(config) }))
    }
}

/// What connections are accepted with, now and after the next change of the files.
#[derive(Clone)]
pub struct Tls {
    files: Files,
    in_use: Pem,
    config: watch::Sender<Arc<ServerConfig>>,
}

impl Tls {
    /// For the next connection. It offers HTTP/2 and HTTP/1.1 by ALPN.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.config.borrow().clone().into()
    }

    /// Takes the files whenever they have changed and can be used, for this and all its clones. Never ends. Reading
    /// them works for an edit, a rename and the symlink swap of a mounted Secret, where watching inodes does not.
    pub async fn follow(self) {
        let mut before = Ok(self.in_use.clone());
        let mut tried = before.clone();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let files = self.files.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || files.read()).await else { continue };
            if now == before && now != tried {
                match now.clone().map_err(anyhow::Error::msg).and_then(|pem| pem.config(&self.files)) {
                    Ok(config) => {
                        self.config.send_replace(config);
                        tracing::info!(file = %self.files.chain.display(), "certificate files loaded again");
                    }
                    Err(error) => {
                        tracing::error!("certificate files not taken, the old ones stay: {error:#}")
                    }
                }
                tried = now.clone();
            }
            before = now;
        }
    }
}

#[derive(Clone)]
struct Files {
    chain: PathBuf,
    key: PathBuf,
    clients: Option<PathBuf>,
}

impl Files {
    fn read(&self) -> Result<Pem, String> {
        let read = |setting: &str, path: &Path| {
            std::fs::read(path).map_err(|error| format!("{setting} {}: {error}", path.display()))
        };
        Ok(Pem {
            chain: read(CHAIN, &self.chain)?,
            key: read(KEY, &self.key)?,
            clients: self.clients.as_deref().map(|path| read(CLIENTS, path)).transpose()?,
        })
    }
}

const CHAIN: &str = "--tls-cert (GANTRY_TLS_CERT)";
const KEY: &str = "--tls-key (GANTRY_TLS_KEY)";
const CLIENTS: &str = "--client-ca-file (GANTRY_CLIENT_CA_FILE)";

/// What the files said.
#[derive(Clone, PartialEq)]
struct Pem {
    chain: Vec<u8>,
    key: Vec<u8>,
    clients: Option<Vec<u8>>,
}

impl Pem {
    /// A configuration that knows no session of the one before: whoever comes back meets the new certificate and the
    /// new authorities.
    fn config(&self, files: &Files) -> anyhow::Result<Arc<ServerConfig>> {
        let chain =
            certificates(&self.chain).with_context(|| format!("{CHAIN} {}", files.chain.display()))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| anyhow::anyhow!("no private key in PEM, or an encrypted one"))
            .with_context(|| format!("{KEY} {}", files.key.display()))?;
        warn_of_dates(&chain[0]);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let roots = roots(pem).with_context(|| CLIENTS)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build()?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            Error::InconsistentKeys(_) => {
                anyhow::anyhow!("{KEY} {} is not the key of {CHAIN}", files.key.display())
            }
            error => anyhow::Error::new(error).context(format!("{CHAIN} {}", files.chain.display())),
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if self.clients.is_some() {
            // Nobody looks at the certificate of a client that resumes, and it may have expired since.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        } else {
            config.ticketer = aws_lc_rs::Ticketer::new()?;
        }
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    anyhow::ensure!(!certificates.is_empty(), "no certificate in PEM");
    Ok(certificates)
}

fn roots(pem: &[u8]) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// Clients refuse a certificate out of its time, and the operator should not hear of it from them. webpki looks at
/// the time before it looks for an authority, of which it is given none here.
fn warn_of_dates(certificate: &CertificateDer<'_>) {
    let date = |time: UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(seconds).map_or_else(|_| "?".to_owned(), |it| it.to_string())
    };
    let verdict = ParsedCertificate::try_from(certificate).and_then(|certificate| {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
        let (roots, now) = (RootCertStore::empty(), UnixTime::now());
        verify_server_cert_signed_by_trust_anchor(&certificate, &roots, &[], now, algorithms)
    });
    match verdict {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            tracing::warn!("{CHAIN}: the certificate expired on {}", date(not_after));
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            tracing::warn!("{CHAIN}: the certificate is not valid before {}", date(not_before));
        }
        _ => {}
    }
}
