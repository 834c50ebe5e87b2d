//! The gateway's own certificate in files, and clients that trust it and nothing else.
//! Knows no protocol above TLS.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// The name that clients know the gateway by. It is no name of this machine's.
pub(crate) const NAME: &str = "voice.example.com";

/// A certificate and its key in files.
pub(crate) struct Files {
    directory: TempDir,
}

/// A client's side of TLS, which trusts one certificate.
pub(crate) struct Trust(Arc<ClientConfig>);

impl Files {
    /// New files, and who trusts what is in them.
    pub(crate) fn new() -> (Self, Trust) {
        let directory = TempDir::new().expect("a temporary directory can be made");
        let files = Self { directory };
        let trust = files.renew();
        (files, trust)
    }

    /// Replaces the certificate and its key, one after the other.
    pub(crate) fn renew(&self) -> Trust {
        self.renew_for((1975, 1, 1), (4096, 1, 1))
    }

    /// The same with a certificate for some time, from a day to another: year, month and day.
    pub(crate) fn renew_for(&self, begin: (i32, u8, u8), end: (i32, u8, u8)) -> Trust {
        // The address is for those who have to dial by it.
        let names = [NAME.to_owned(), "127.0.0.1".to_owned()];
        let mut parameters = CertificateParams::new(names).expect("names");
        parameters.not_before = date_time_ymd(begin.0, begin.1, begin.2);
        parameters.not_after = date_time_ymd(end.0, end.1, end.2);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        self.write_certificate(&certificate.pem());
        self.write_key(&key.serialize_pem());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).expect("a certificate that can be trusted");
        let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        // A session that is resumed shows no certificate.
        config.resumption = Resumption::disabled();
        Trust(Arc::new(config))
    }

    pub(crate) fn write_certificate(&self, pem: &str) {
        replace(&self.certificate(), pem);
    }

    pub(crate) fn write_key(&self, pem: &str) {
        replace(&self.key(), pem);
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    /// The lines of `[server]` that name the files.
    pub(crate) fn toml(&self) -> String {
        format!("tls_cert = {:?}\ntls_key = {:?}", self.certificate(), self.key())
    }
}

/// Puts a file in the other's place, as those who renew certificates do.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("the file can be written");
    fs::rename(new, path).expect("the file can be put in place");
}

impl Trust {
    /// The same, offering these protocols.
    pub(crate) fn offering(&self, protocols: &[&str]) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self(Arc::new(config))
    }

    /// A handshake on a connection; an error if the other side is not whom this one trusts.
    pub(crate) async fn handshake<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(NAME).expect("a name");
        TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await
    }

    /// A connection to a port of this machine's.
    pub(crate) async fn connect(&self, port: u16) -> io::Result<TlsStream<TcpStream>> {
        self.handshake(TcpStream::connect(("127.0.0.1", port)).await?).await
    }
}
