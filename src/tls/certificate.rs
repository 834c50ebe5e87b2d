//! A certificate with its private key, from PEM files: what is wrong with them, and when they change. Knows nothing of
//! connections.

use std::{fs, io, os::unix::fs::MetadataExt};

use rustls::{
    Error, InconsistentKeys,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};

use super::provider;

/// Where a certificate and its key are. Both may be in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those that lead to an authority.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// Why there is no certificate to be had from the files. The reasons name the file and hold nothing of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// The certificate's file.
    Certificate(String),
    /// The key's file, or that it is the key of another certificate.
    Key(String),
}

/// What the system says of the files; it changes when they are written, replaced, or made readable.
pub(super) type Stamp = [Option<[i64; 5]>; 2];

impl CertificateFiles {
    /// Reads both, and holds one against the other.
    ///
    /// # Errors
    ///
    /// Which of the files is of no use, and why.
    pub fn read(&self) -> Result<CertifiedKey, Unusable> {
        let chain = chain(&self.certificate).map_err(Unusable::Certificate)?;
        let key = key(&self.key).map_err(Unusable::Key)?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Unusable::Key(format!(
                "the key in {} is not that of the first certificate in {}",
                self.key, self.certificate
            )),
            // Of a key that is damaged, or of a kind that is not known.
            _ => Unusable::Key(format!("the key in {} cannot be used", self.key)),
        })
    }

    pub(super) fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|file| {
            let metadata = fs::metadata(file).ok()?;
            // Owner and permissions change the second time alone, a file of the same length in the other's place
            // the inode.
            let (written, changed) = (metadata.mtime_nsec(), metadata.ctime_nsec());
            Some([metadata.ino() as i64, metadata.mtime(), written, metadata.ctime(), changed])
        })
    }
}

impl Unusable {
    /// Why, without saying of which file.
    pub fn reason(&self) -> &str {
        match self {
            Self::Certificate(reason) | Self::Key(reason) => reason,
        }
    }
}

fn chain(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = fs::read(file).map_err(|error| unreadable(file, &error))?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{file} is not pem: {error}"))?;
    if chain.is_empty() {
        return Err(format!("{file} holds no certificate"));
    }
    match chain.iter().position(|certificate| ParsedCertificate::try_from(certificate).is_err()) {
        Some(index) => Err(format!("certificate {} in {file} cannot be used", index + 1)),
        None => Ok(chain),
    }
}

fn key(file: &str) -> Result<PrivateKeyDer<'static>, String> {
    let pem = fs::read(file).map_err(|error| unreadable(file, &error))?;
    let is_encrypted = |line: &[u8]| {
        line.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY")
            || line.starts_with(b"Proc-Type:") && line.windows(9).any(|word| word == b"ENCRYPTED")
    };
    if pem.split(|byte| *byte == b'\n').any(is_encrypted) {
        return Err(format!("the key in {file} is encrypted, and there is nobody to ask for the password"));
    }
    // What is wrong with a key may not be told: it could be a part of it.
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| format!("{file} holds no private key in pem"))
}

fn unreadable(file: &str, error: &io::Error) -> String {
    format!("cannot read {file}: {error}")
}

#[cfg(test)]
pub(super) mod tests {
    use std::{io::Write, path::Path};

    use rcgen::CertifiedKey as Generated;
    use tempfile::TempDir;

    use super::*;

    pub(crate) fn generated(name: &str) -> Generated<rcgen::KeyPair> {
        rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate")
    }

    pub(crate) fn files_in(directory: &TempDir) -> CertificateFiles {
        let name = |name| directory.path().join(name).to_str().expect("a path in utf-8").to_owned();
        CertificateFiles { certificate: name("cert.pem"), key: name("key.pem") }
    }

    pub(crate) fn write(file: &str, text: &str) {
        let directory = Path::new(file).parent().expect("a directory");
        let mut new = tempfile::NamedTempFile::new_in(directory).expect("a file");
        new.write_all(text.as_bytes()).expect("it can be written");
        new.persist(file).expect("it can be moved into place");
    }

    fn read(certificate: &str, key: &str) -> Result<CertifiedKey, Unusable> {
        let directory = TempDir::new().expect("a directory");
        let files = files_in(&directory);
        write(&files.certificate, certificate);
        write(&files.key, key);
        let hide = |text: &str| text.replace(directory.path().to_str().expect("utf-8"), "DIR");
        files.read().map_err(|unusable| match unusable {
            Unusable::Certificate(reason) => Unusable::Certificate(hide(&reason)),
            Unusable::Key(reason) => Unusable::Key(hide(&reason)),
        })
    }

    #[test]
    fn a_certificate_and_its_key_are_read_also_from_one_file() {
        let (one, other) = (generated("localhost"), generated("localhost"));
        let key = one.signing_key.serialize_pem();
        let chain = one.cert.pem() + &other.cert.pem();
        let read_key = read(&chain, &key).expect("they belong together");
        assert_eq!(read_key.cert, [one.cert.der().clone(), other.cert.der().clone()]);
        let both = key + &chain;
        assert!(read(&both, &both).is_ok());
    }

    #[test]
    fn what_cannot_be_used_is_told_by_file_and_reason() {
        let (one, other) = (generated("localhost"), generated("localhost"));
        let (certificate, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        let of_certificate = |text: &str| read(text, &key).err();
        let certificate_is = |reason: &str| Some(Unusable::Certificate(reason.to_owned()));
        assert_eq!(of_certificate(""), certificate_is("DIR/cert.pem holds no certificate"));
        assert_eq!(of_certificate(&key), certificate_is("DIR/cert.pem holds no certificate"));
        let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let second = certificate.clone() + no_certificate;
        assert_eq!(
            of_certificate(no_certificate),
            certificate_is("certificate 1 in DIR/cert.pem cannot be used")
        );
        assert_eq!(of_certificate(&second), certificate_is("certificate 2 in DIR/cert.pem cannot be used"));
        let cut = of_certificate(&certificate[..certificate.len() / 2]);
        assert!(matches!(&cut, Some(Unusable::Certificate(reason)) if reason.contains("not pem")), "{cut:?}");

        let of_key = |text: &str| read(&certificate, text).err();
        let key_is = |reason: &str| Some(Unusable::Key(reason.to_owned()));
        for none in ["", &certificate, &key[..key.len() / 2]] {
            assert_eq!(of_key(none), key_is("DIR/key.pem holds no private key in pem"));
        }
        assert_eq!(
            of_key(&other.signing_key.serialize_pem()),
            key_is("the key in DIR/key.pem is not that of the first certificate in DIR/cert.pem")
        );
        let damaged = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(of_key(damaged), key_is("the key in DIR/key.pem cannot be used"));
        for encrypted in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        ] {
            let reason = "the key in DIR/key.pem is encrypted, and there is nobody to ask for the password";
            assert_eq!(of_key(encrypted), key_is(reason));
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        let directory = TempDir::new().expect("a directory");
        let files = files_in(&directory);
        let one = generated("localhost");
        assert!(matches!(files.read(), Err(Unusable::Certificate(reason)) if reason.contains("cannot read")));
        write(&files.certificate, &one.cert.pem());
        assert!(matches!(files.read(), Err(Unusable::Key(reason)) if reason.contains("cannot read")));
        assert_eq!(files.stamp()[1], None);
    }
}
