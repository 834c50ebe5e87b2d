//! Whom outgoing TLS connections trust: the authorities that browsers trust, and those that the
//! configuration adds. Knows nothing of what is said over a connection.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};

/// What a client of HTTP/1.1 needs for verified TLS. Certificates are verified against the authorities that
/// browsers trust, and against `more` of them, which have to be valid.
///
/// There is one such value for the process, unless there are authorities of somebody's own, so that sessions
/// to the same server are resumed.
pub fn client_config(more: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    static USUAL: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if more.is_empty() { Arc::clone(USUAL.get_or_init(|| trusting(&[]))) } else { trusting(more) }
}

fn trusting(more: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in more {
        roots.add(certificate.clone()).expect("the configuration has checked the certificate");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Upgrades and calls are a matter of HTTP/1.1, which a server would otherwise not choose.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}
