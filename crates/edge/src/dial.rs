//! How a server is reached: TCP, and TLS where its address says https, all within one time.

mod certificate;

use std::cell::OnceCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::Url;
use crate::socket::Socket;
use certificate::ClientCertificate;

/// What is to be spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// Whose certificates are believed, and the edge's own: the system's authorities and those of a file. The system's are read when the
/// first server with TLS is dialled, as reading them takes longer than the rest of a start.
#[derive(Debug, Default)]
pub(crate) struct Authorities {
    further: Vec<CertificateDer<'static>>,
    all: OnceLock<RootCertStore>,
    own: Option<Arc<ClientCertificate>>,
}

impl Authorities {
    /// Reads `--ca-file`.
    pub(crate) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        let what = || format!("--ca-file (GANTRY_CA_FILE) {}", file.display());
        let pem = std::fs::read(file).with_context(what)?;
        let further =
            CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().with_context(what)?;
        anyhow::ensure!(!further.is_empty(), "{}: no certificate in it", what());
        let mut roots = RootCertStore::empty();
        further.iter().try_for_each(|it| roots.add(it.clone())).with_context(what)?;
        Ok(Self { further, ..Self::default() })
    }

    /// The same, showing the certificate of these files to servers that ask for one.
    ///
    /// # Errors
    /// See [`ClientCertificate::read`].
    pub(crate) fn showing(mut self, chain: Option<PathBuf>, key: Option<PathBuf>) -> anyhow::Result<Self> {
        self.own = ClientCertificate::read(chain, key)?;
        Ok(self)
    }

    fn roots(&self) -> RootCertStore {
        let all = || {
            let mut roots = RootCertStore::empty();
            let system = rustls_native_certs::load_native_certs();
            for error in system.errors {
                tracing::warn!(%error, "some of the system's certificates cannot be read");
            }
            roots.add_parsable_certificates(system.certs);
            roots.add_parsable_certificates(self.further.iter().cloned());
            roots
        };
        self.all.get_or_init(all).clone()
    }

    fn client(&self, protocol: Protocol) -> io::Result<ClientConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let builder = builder.with_root_certificates(self.roots());
        let mut config = match &self.own {
            Some(own) => builder.with_client_cert_resolver(own.clone()),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.alpn().to_vec()];
        Ok(config)
    }
}

/// One thread's way to connect, with the TLS sessions it can resume.
pub(crate) struct Dialer {
    limit: Duration,
    authorities: Arc<Authorities>,
    http1: OnceCell<Arc<ClientConfig>>,
    http2: OnceCell<Arc<ClientConfig>>,
}

impl Dialer {
    pub(crate) fn new(limit: Duration, authorities: Arc<Authorities>) -> Self {
        Self { limit, authorities, http1: OnceCell::new(), http2: OnceCell::new() }
    }

    /// Connects to the first address that answers. They share the time, so that one which is silent leaves some
    /// to the others.
    pub(crate) async fn dial(&self, url: &Url, protocol: Protocol) -> io::Result<Socket> {
        let until = Instant::now() + self.limit;
        let name = (url.host(), url.port());
        let addresses: Vec<_> = timeout(self.limit, tokio::net::lookup_host(name)).await??.collect();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            let share = until.saturating_duration_since(Instant::now()) / left;
            let connect = async {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                if url.tls {
                    self.shake_hands(stream, url, protocol).await
                } else {
                    Ok(Socket::Plain(stream))
                }
            };
            match timeout(share, connect).await.map_err(io::Error::from).flatten() {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn shake_hands(&self, stream: TcpStream, url: &Url, protocol: Protocol) -> io::Result<Socket> {
        let name = ServerName::try_from(url.host().to_owned()).map_err(io::Error::other)?;
        let stream = self.connector(protocol)?.connect(name, stream).await?;
        if protocol == Protocol::Http2 && stream.get_ref().1.alpn_protocol() != Some(protocol.alpn()) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the server agrees to no HTTP/2"));
        }
        Ok(Socket::Tls(Box::new(stream.into())))
    }

    fn connector(&self, protocol: Protocol) -> io::Result<TlsConnector> {
        let slot = match protocol {
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
        };
        if let Some(config) = slot.get() {
            return Ok(config.clone().into());
        }
        let config = Arc::new(self.authorities.client(protocol)?);
        Ok(slot.get_or_init(|| config).clone().into())
    }
}
