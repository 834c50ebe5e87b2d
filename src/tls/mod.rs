//! TLS: whom outgoing connections trust, which are the authorities that browsers trust and those that the configuration
//! adds, and what our own listener shows. Knows nothing of what is said over a connection.

mod certificate;
mod own;
mod validity;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

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
/// For the same authorities it is the same value in the whole process for as long as anybody has it, so that sessions to the
/// same server are resumed, whoever began them. Who trusts somebody else resumes none of them.
pub fn client_config(more: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    static USUAL: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| trusting(&[]));
    static OTHERS: LazyLock<Mutex<Others>> = LazyLock::new(Mutex::default);
    if more.is_empty() {
        return Arc::clone(&USUAL);
    }
    let mut others = OTHERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(config) = others.get(more).and_then(Weak::upgrade) {
        return config;
    }
    others.retain(|_, config| config.strong_count() > 0);
    let config = trusting(more);
    others.insert(more.to_vec(), Arc::downgrade(&config));
    config
}

/// What trusts authorities of somebody's own, by those.
type Others = HashMap<Vec<CertificateDer<'static>>, Weak<ClientConfig>>;

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

#[cfg(test)]
mod tests {
    use super::{certificate::tests::generated, *};

    #[test]
    fn there_is_one_value_for_the_same_authorities_while_it_is_used() {
        let authority = || generated("authority.example").cert.der().clone();
        let [first, second] = [authority(), authority()];
        let config = client_config(std::slice::from_ref(&first));
        assert!(Arc::ptr_eq(&config, &client_config(std::slice::from_ref(&first))));
        for others in [vec![], vec![second.clone()], vec![first.clone(), second]] {
            assert!(!Arc::ptr_eq(&config, &client_config(&others)));
        }
        assert!(Arc::ptr_eq(&client_config(&[]), &client_config(&[])));
        let last = Arc::downgrade(&config);
        drop(config);
        assert!(last.upgrade().is_none(), "it is kept for nobody");
    }
}
