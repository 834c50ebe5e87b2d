//! TLS: whom outgoing connections trust, which are the authorities that browsers trust and those that the configuration
//! adds, and what our own listener shows. Knows nothing of what is said over a connection.

mod certificate;
mod own;
mod validity;

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, ConfigBuilder, ConfigSide, RootCertStore, WantsVerifier, WantsVersions,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer,
        pem::{Error as PemError, PemObject},
    },
};

pub use certificate::{CertificateFiles, Unusable};
pub use own::OwnCertificate;

/// The one protocol that is spoken over TLS, as ALPN names it: upgrades and calls are a matter of HTTP/1.1.
const HTTP_1_1: &[u8] = b"http/1.1";

/// What a client of HTTP/1.1 needs for verified TLS. Certificates are verified against the authorities that
/// browsers trust, and against `more` of them, which have to be valid.
///
/// There is one such value for the process, unless there are authorities of somebody's own, so that sessions
/// to the same server are resumed.
pub fn client_config(more: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    static USUAL: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if more.is_empty() { Arc::clone(USUAL.get_or_init(|| trusting(&[]))) } else { trusting(more) }
}

/// Reads authorities from a PEM file, at least one.
///
/// # Errors
///
/// Why the file is of no use, with its name.
pub fn authorities(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |error| match error {
        PemError::Io(error) => format!("cannot read {file}: {error}"),
        other => format!("{file} is not pem: {other}"),
    };
    let certificates =
        CertificateDer::pem_file_iter(file).map_err(bad)?.collect::<Result<Vec<_>, _>>().map_err(bad)?;
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(certificates.iter().cloned());
    if certificates.is_empty() || unusable > 0 {
        return Err(format!("{file} holds no certificate, or one that cannot be used"));
    }
    Ok(certificates)
}

fn trusting(more: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in more {
        roots.add(certificate.clone()).expect("the configuration has checked the certificate");
    }
    let config = with_versions(ClientConfig::builder_with_provider(provider()));
    http_1_1_client(config.with_root_certificates(roots).with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// TLS 1.2 and 1.3.
fn with_versions<S: ConfigSide>(builder: ConfigBuilder<S, WantsVersions>) -> ConfigBuilder<S, WantsVerifier> {
    builder.with_safe_default_protocol_versions().expect("ring supports the default protocol versions")
}

/// Says what is spoken, since a server would otherwise not choose it.
fn http_1_1_client(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Arc::new(config)
}
