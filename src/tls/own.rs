//! The certificate of our own listener: shown to who connects, read again when its files change, and the only one that is
//! trusted where we connect to ourselves. Knows no socket and no clock.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{
    HTTP_1_1,
    certificate::{CertificateFiles, Stamp, Unusable},
    http_1_1_client, provider, validity, with_versions,
};

/// A certificate whose files may change while it is in use.
#[derive(Debug)]
pub struct OwnCertificate {
    current: Arc<Current>,
    files: CertificateFiles,
    /// How the files were when they were read last, whatever came of it.
    read: Stamp,
    /// How they were when they were looked at last.
    seen: Stamp,
}

/// What is in force.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

/// Trusts the certificate in force and no other.
#[derive(Debug)]
struct Pinned {
    current: Arc<Current>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl OwnCertificate {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// As [`CertificateFiles::read`].
    pub fn read(files: CertificateFiles) -> Result<Self, Unusable> {
        let stamp = files.stamp();
        let current = Current(RwLock::new(Arc::new(files.read()?)));
        Ok(Self { current: Arc::new(current), files, read: stamp, seen: stamp })
    }

    /// Looks at the files, and reads them if they have changed since they were read and not since the last look: of two
    /// files one is always replaced first. What is read is in force from then on. To be called at intervals.
    ///
    /// # Errors
    ///
    /// Files that are of no use: what was in force stays so. They are not read again before they change.
    pub fn refresh(&mut self) -> Result<bool, Unusable> {
        let stamp = self.files.stamp();
        let is_at_rest = std::mem::replace(&mut self.seen, stamp) == stamp;
        if stamp == self.read || !is_at_rest {
            return Ok(false);
        }
        self.read = stamp;
        let new = Arc::new(self.files.read()?);
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(true)
    }

    /// What is wrong with the dates of the certificate in force, or will be within 7 days, with the file's name.
    pub fn trouble(&self, now: UnixTime) -> Option<String> {
        let trouble = validity::trouble(self.current.key().cert.first()?, now)?;
        Some(format!("the certificate in {} {trouble}", self.files.certificate))
    }

    /// Reads these files at once, which from now on are those that are looked at, and answers whether they held another
    /// certificate. What is read is in force from then on.
    ///
    /// # Errors
    ///
    /// Files that are of no use: what was in force stays so, and so do its files.
    pub fn read_again(&mut self, files: CertificateFiles) -> Result<bool, Unusable> {
        let stamp = files.stamp();
        let new = Arc::new(files.read()?);
        let mut current = self.current.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_another = current.cert != new.cert;
        *current = new;
        drop(current);
        (self.files, self.read, self.seen) = (files, stamp, stamp);
        Ok(is_another)
    }

    /// What a listener needs for TLS 1.2 and 1.3 with HTTP/1.1: upgrades are a matter of that, and a client that is offered
    /// more would choose it. Each handshake is with the certificate then in force.
    pub fn server_config(&self) -> ServerConfig {
        let builder = with_versions(ServerConfig::builder_with_provider(provider()));
        let resolver = Arc::clone(&self.current);
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        config
    }

    /// What a client needs that speaks to this listener: whatever name the certificate has and whoever has signed it, it has
    /// to be the one in force, and the listener has to have its key.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        let builder = with_versions(ClientConfig::builder_with_provider(provider()));
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let verifier = Pinned { current: Arc::clone(&self.current), algorithms };
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        http_1_1_client(builder.with_no_client_auth())
    }
}

impl Current {
    fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key())
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.current.key().end_entity_cert()? == end_entity {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use rustls::{ClientConnection, ServerConnection, sign::SigningKey};
    use tempfile::TempDir;

    use super::*;
    use crate::tls::certificate::tests::{files_in, generated, write};

    /// An own certificate in files of its own.
    fn own(name: &str) -> (OwnCertificate, TempDir) {
        let directory = TempDir::new().expect("a directory");
        let files = files_in(&directory);
        renew(&files, name);
        (OwnCertificate::read(files).expect("they are as they should be"), directory)
    }

    fn renew(files: &CertificateFiles, name: &str) {
        let new = generated(name);
        write(&files.certificate, &new.cert.pem());
        write(&files.key, &new.signing_key.serialize_pem());
    }

    /// A handshake between the two, and a word from one to the other.
    fn meet(client: &Arc<ClientConfig>, server: ServerConfig) -> Result<(), Error> {
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client = ClientConnection::new(Arc::clone(client), name)?;
        let mut server = ServerConnection::new(Arc::new(server))?;
        client.writer().write_all(b"hello").expect("there is room");
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).expect("a vector takes all");
            server.read_tls(&mut &bytes[..]).expect("a vector can be read");
            server.process_new_packets()?;
            bytes.clear();
            server.write_tls(&mut bytes).expect("a vector takes all");
            client.read_tls(&mut &bytes[..]).expect("a vector can be read");
            client.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("a vector takes all");
        server.read_tls(&mut &bytes[..]).expect("a vector can be read");
        server.process_new_packets()?;
        let mut word = [0; 5];
        server.reader().read_exact(&mut word).expect("it has arrived");
        assert_eq!(&word, b"hello");
        Ok(())
    }

    #[test]
    fn our_own_certificate_is_trusted_whatever_its_name() {
        let (own, _files) = own("voice.example.com");
        assert_eq!(meet(&own.client_config(), own.server_config()), Ok(()));
    }

    #[test]
    fn another_certificate_with_the_same_name_is_refused() {
        let [(own, _files), (other, _others)] = [own("localhost"), own("localhost")];
        let refused = Err(CertificateError::ApplicationVerificationFailure.into());
        assert_eq!(meet(&own.client_config(), other.server_config()), refused);
        assert!(meet(&crate::tls::client_config(&[]), own.server_config()).is_err());
    }

    /// Who has the certificate, which is public, but not its key.
    #[test]
    fn our_own_certificate_without_its_key_is_refused_by_both_versions() {
        let (own, _files) = own("localhost");
        let stolen = own.current.key().cert.clone();
        let key = generated("localhost").signing_key.serialize_der();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key).into();
        let key: Arc<dyn SigningKey> = provider().key_provider.load_private_key(key).expect("a key");
        let forged = Arc::new(CertifiedKey::new(stolen, key));
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[version]);
            let forged = Arc::new(Current(RwLock::new(Arc::clone(&forged))));
            let server = builder.expect("a version").with_no_client_auth().with_cert_resolver(forged);
            let refused = Err(CertificateError::BadSignature.into());
            assert_eq!(meet(&own.client_config(), server), refused, "{version:?}");
        }
    }

    #[test]
    fn files_that_have_changed_are_read_once_they_are_at_rest() {
        let (mut own, _directory) = own("localhost");
        let (client, server) = (own.client_config(), own.server_config());
        let first = own.current.key();
        assert_eq!(own.refresh(), Ok(false));
        renew(&own.files, "localhost");
        assert_eq!(own.refresh(), Ok(false), "they may change still");
        assert!(Arc::ptr_eq(&own.current.key(), &first));
        assert_eq!(own.refresh(), Ok(true));
        assert_ne!(own.current.key().cert, first.cert);
        assert_eq!(own.refresh(), Ok(false));
        assert_eq!(meet(&client, server), Ok(()), "both sides know the new one");
    }

    #[test]
    fn broken_files_leave_the_old_certificate_in_force_and_are_told_once() {
        let (mut own, _directory) = own("localhost");
        let first = own.current.key();
        write(&own.files.key, "");
        assert_eq!(own.refresh(), Ok(false));
        assert!(matches!(own.refresh(), Err(Unusable::Key(_))));
        assert_eq!(own.refresh(), Ok(false));
        std::fs::remove_file(&own.files.certificate).expect("it was there");
        assert_eq!(own.refresh(), Ok(false));
        assert!(matches!(own.refresh(), Err(Unusable::Certificate(_))));
        assert!(Arc::ptr_eq(&own.current.key(), &first));
        renew(&own.files, "localhost");
        assert_eq!(own.refresh(), Ok(false));
        assert_eq!(own.refresh(), Ok(true));
    }
}
