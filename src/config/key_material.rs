//! Keys of JWTs from PEM: which algorithm one is for is read from the key itself, never from a token.
//! Knows no key of the configuration; reasons never repeat a key.

use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

use super::{KeyMaterial, SigningKey};

/// A public key from PEM: `BEGIN PUBLIC KEY`.
pub(super) fn public_key(pem: &str) -> Result<KeyMaterial, &'static str> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "holds no public key as pem (BEGIN PUBLIC KEY)")?;
    subject_public_key_info(&der).ok_or("is no public key of RSA (2048 to 8192 bits), P-256 or Ed25519")
}

/// A private key from PEM, and its public half.
pub(super) fn private_key(pem: &str) -> Result<(SigningKey, KeyMaterial), &'static str> {
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "holds no private key as pem (BEGIN PRIVATE KEY)")?;
    let pair = match &der {
        PrivateKeyDer::Pkcs8(key) => of_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => {
            RsaKeyPair::from_der(key.secret_pkcs1_der()).ok().map(|pair| rsa_of(&pair))
        }
        _ => return Err("must be PKCS#8 (BEGIN PRIVATE KEY)"),
    };
    let public = pair.ok_or("is no private key of RSA (2048 to 4096 bits), P-256 or Ed25519")?;
    let key = SigningKey { algorithm: public.algorithm(), bytes: der.secret_der().to_vec() };
    Ok((key, public))
}

fn of_pkcs8(der: &[u8]) -> Option<KeyMaterial> {
    if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
        return Some(rsa_of(&pair));
    }
    if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new()) {
        return Some(KeyMaterial::P256(pair.public_key().as_ref().to_vec()));
    }
    // Tools leave the public half out, which this takes for a key all the same.
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
    Some(KeyMaterial::Ed25519(pair.public_key().as_ref().to_vec()))
}

fn rsa_of(pair: &RsaKeyPair) -> KeyMaterial {
    let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
    KeyMaterial::Rsa { n, e }
}

/// An RSA key, if it is of a size that is neither weak nor a burden. Leading zeros are dropped.
pub(super) fn rsa(n: &[u8], e: &[u8]) -> Option<KeyMaterial> {
    let trimmed = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
    let (n, e) = (trimmed(n), trimmed(e));
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|last| last % 2 == 1);
    // An exponent of 1 would make every text its own signature.
    let fits = (2048..=8192).contains(&bits) && odd(&n) && odd(&e) && e.len() <= 4 && e != [1];
    fits.then_some(KeyMaterial::Rsa { n, e })
}

/// A point of P-256, without a look at whether it is on the curve: then nothing verifies with it.
pub(super) fn p256(x: &[u8], y: &[u8]) -> Option<KeyMaterial> {
    (x.len() == 32 && y.len() == 32).then(|| KeyMaterial::P256([&[4], x, y].concat()))
}

/// The public half of an Ed25519 key.
pub(super) fn ed25519(x: &[u8]) -> Option<KeyMaterial> {
    (x.len() == 32).then(|| KeyMaterial::Ed25519(x.to_vec()))
}

/// `SEQUENCE { SEQUENCE { OID, parameters }, BIT STRING }` (RFC 5280, section 4.1.2.7).
fn subject_public_key_info(der: &[u8]) -> Option<KeyMaterial> {
    let (whole, rest) = element(SEQUENCE, der)?;
    let (algorithm, bits) = element(SEQUENCE, whole)?;
    let (bits, more) = element(BIT_STRING, bits)?;
    let (unused, key) = bits.split_first()?;
    if !rest.is_empty() || !more.is_empty() || *unused != 0 {
        return None;
    }
    match algorithm {
        RSA => {
            let (numbers, rest) = element(SEQUENCE, key)?;
            let (n, more) = element(INTEGER, numbers)?;
            let (e, end) = element(INTEGER, more)?;
            (rest.is_empty() && end.is_empty()).then(|| rsa(n, e))?
        }
        EC_P256 => {
            let (form, point) = key.split_first()?;
            let (x, y) = point.split_at_checked(32)?;
            (*form == 4).then(|| p256(x, y))?
        }
        ED25519 => ed25519(key),
        _ => None,
    }
}

/// What an element of this tag at the beginning of `der` holds, and what follows it. Lengths of up to 65535 bytes.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => {
            let (bytes, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*bytes)), rest)
        }
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
/// `rsaEncryption` with NULL (RFC 3279, section 2.3.1).
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// `id-ecPublicKey` with `secp256r1` (RFC 5480, section 2.1.1).
const EC_P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// `id-Ed25519` (RFC 8410, section 3).
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{
        KeyPair as Generated, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData,
    };

    use super::*;
    use crate::config::{
        JwtAlgorithm,
        rsa_key::{RSA_PRIVATE, RSA_PUBLIC},
    };

    #[test]
    fn a_private_key_and_its_public_half_agree() {
        for (algorithm, expected) in
            [(&PKCS_ECDSA_P256_SHA256, JwtAlgorithm::Es256), (&PKCS_ED25519, JwtAlgorithm::EdDsa)]
        {
            let pair = Generated::generate_for(algorithm).expect("a key can be made");
            let (signing, public) = private_key(&pair.serialize_pem()).expect("a private key");
            assert_eq!((signing.algorithm, public.algorithm()), (expected, expected));
            assert_eq!(public_key(&pair.public_key_pem()), Ok(public));
            assert_eq!(format!("{signing:?}"), format!("{} signing key", expected.name()));
        }
    }

    #[test]
    fn an_rsa_key_may_be_in_either_form() {
        let (signing, public) = private_key(&RSA_PRIVATE).expect("a private key");
        assert_eq!(public_key(&RSA_PUBLIC).as_ref(), Ok(&public));
        assert_eq!(signing.algorithm, JwtAlgorithm::Rs256);
        // What PKCS#8 wraps is PKCS#1.
        let (whole, _) = element(SEQUENCE, &signing.bytes).expect("a sequence");
        let (_, rest) = element(INTEGER, whole).expect("a version");
        let (_, rest) = element(SEQUENCE, rest).expect("an algorithm");
        let (inner, _) = element(4, rest).expect("an octet string");
        let base64 = base64_simd::STANDARD.encode_to_string(inner);
        let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{base64}\n-----END RSA PRIVATE KEY-----\n");
        let (signing, again) = private_key(&pem).expect("a private key");
        assert_eq!((signing.bytes.as_slice(), again), (inner, public));
    }

    #[test]
    fn keys_of_other_curves_and_kinds_are_no_keys() {
        let p384 = Generated::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key can be made");
        let kind = "is no public key of RSA (2048 to 8192 bits), P-256 or Ed25519";
        assert_eq!(public_key(&p384.public_key_pem()), Err(kind));
        let kind = "is no private key of RSA (2048 to 4096 bits), P-256 or Ed25519";
        assert_eq!(private_key(&p384.serialize_pem()), Err(kind));
        let p256 = Generated::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key can be made");
        let none = "holds no public key as pem (BEGIN PUBLIC KEY)";
        assert_eq!(public_key(&p256.serialize_pem()), Err(none));
        assert_eq!(public_key("secret"), Err(none));
        let none = "holds no private key as pem (BEGIN PRIVATE KEY)";
        assert_eq!(private_key(&p256.public_key_pem()), Err(none));
        let sec1 = "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n";
        assert_eq!(private_key(sec1), Err("must be PKCS#8 (BEGIN PRIVATE KEY)"));
    }

    #[test]
    fn weak_rsa_keys_are_refused() {
        let n = |bytes: usize| vec![0xff; bytes];
        assert!(rsa(&n(256), &[1, 0, 1]).is_some());
        assert_eq!(rsa(&[&[0], &*n(256)].concat(), &[0, 1, 0, 1]), rsa(&n(256), &[1, 0, 1]));
        for (n, e) in [
            (n(255), &[1, 0, 1][..]),
            (n(1025), &[1, 0, 1]),
            (n(256), &[1]),
            (n(256), &[2]),
            (n(256), &[]),
            (n(256), &[1, 0, 0, 0, 1]),
            (vec![], &[3]),
        ] {
            assert_eq!(rsa(&n, e), None, "{} {e:?}", n.len());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = subject_public_key_info(&bytes);
            let _ = of_pkcs8(&bytes);
        }

        #[test]
        fn a_damaged_key_is_another_key_or_none(at in 0usize..91, change in 1u8..) {
            let pair = Generated::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key can be made");
            let mut der = pair.subject_public_key_info();
            let whole = subject_public_key_info(&der);
            prop_assert!(whole.is_some());
            der[at] ^= change;
            prop_assert_ne!(subject_public_key_info(&der), whole);
        }
    }
}
