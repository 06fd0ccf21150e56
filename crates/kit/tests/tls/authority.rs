//! An authority of the tests, and the files its certificates lie in.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate chain and its key, in PEM.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
    /// The first of the chain.
    pub(crate) leaf: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this machine, of the present.
    pub(crate) fn pair(&self) -> Pair {
        self.pair_until(2099)
    }

    pub(crate) fn pair_until(&self, year: i32) -> Pair {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("params");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        Pair { chain: certificate.pem(), key: key.serialize_pem(), leaf: certificate.der().to_vec() }
    }
}

/// A folder with `tls.crt` and `tls.key`, as a mounted Secret has them.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new(pair: &Pair) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write(pair);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("written");
        text_of(&path)
    }

    pub(crate) fn write(&self, pair: &Pair) {
        self.put("tls.crt", &pair.chain);
        self.put("tls.key", &pair.key);
    }

    /// The arguments that lead here.
    pub(crate) fn arguments(&self) -> [String; 4] {
        let path = |name| text_of(&self.path(name));
        ["--tls-cert".to_owned(), path("tls.crt"), "--tls-key".to_owned(), path("tls.key")]
    }

    /// Makes the files links through `..data`, as the kubelet does, and then lets that lead to this pair.
    pub(crate) fn swap(&self, version: &str, pair: &Pair) {
        std::fs::create_dir(self.path(version)).expect("a version");
        self.put(&format!("{version}/tls.crt"), &pair.chain);
        self.put(&format!("{version}/tls.key"), &pair.key);
        std::os::unix::fs::symlink(version, self.path("..data_tmp")).expect("a link");
        std::fs::rename(self.path("..data_tmp"), self.path("..data")).expect("swapped");
        for name in ["tls.crt", "tls.key"] {
            if !self.path(name).is_symlink() {
                std::fs::remove_file(self.path(name)).expect("removed");
                std::os::unix::fs::symlink(format!("..data/{name}"), self.path(name)).expect("a link");
            }
        }
    }
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}
