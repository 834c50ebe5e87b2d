//! What `jsonwebtoken` computes with: ring, which is here for TLS anyway. Each key is for one algorithm, and no
//! other is computed with it, whatever a token's header says.
//! Knows no claim and no configuration.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use ring::{error::Unspecified, hmac};

/// Makes `jsonwebtoken` compute with ring; once is enough.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| PROVIDER.install_default().expect("nobody else installs a provider"));
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(RingSigner::new(*algorithm, key)?)),
    verifier_factory: |algorithm, key| Ok(Box::new(RingVerifier::new(*algorithm, key)?)),
    // For making and fingerprinting JWKs, which nobody does here.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Whether a key of this family is for this algorithm.
fn is_for(algorithm: Algorithm, family: AlgorithmFamily) -> bool {
    matches!(
        (algorithm, family),
        (Algorithm::HS256, AlgorithmFamily::Hmac)
            | (Algorithm::RS256, AlgorithmFamily::Rsa)
            | (Algorithm::ES256, AlgorithmFamily::Ec)
            | (Algorithm::EdDSA, AlgorithmFamily::Ed)
    )
}

struct RingVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl RingVerifier {
    fn new(algorithm: Algorithm, key: &DecodingKey) -> Result<Self> {
        if !is_for(algorithm, key.family()) {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Ok(Self { algorithm, key: key.clone() })
    }

    fn check(&self, message: &[u8], signature: &[u8]) -> std::result::Result<(), Unspecified> {
        let bytes = match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                return PublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature);
            }
            DecodingKeyKind::SecretOrDer(bytes) => bytes,
        };
        match self.key.family() {
            AlgorithmFamily::Hmac => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, bytes), message, signature)
            }
            AlgorithmFamily::Rsa => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bytes).verify(message, signature)
            }
            AlgorithmFamily::Ec => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).verify(message, signature)
            }
            AlgorithmFamily::Ed => UnparsedPublicKey::new(&ED25519, bytes).verify(message, signature),
        }
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        self.check(message, signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

struct RingSigner {
    algorithm: Algorithm,
    key: EncodingKey,
}

impl RingSigner {
    fn new(algorithm: Algorithm, key: &EncodingKey) -> Result<Self> {
        if !is_for(algorithm, key.family()) {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Ok(Self { algorithm, key: key.clone() })
    }
}

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        let (bytes, random) = (self.key.as_bytes(), SystemRandom::new());
        Ok(match self.key.family() {
            AlgorithmFamily::Hmac => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), message).as_ref().to_vec()
            }
            AlgorithmFamily::Rsa => {
                let pair = RsaKeyPair::from_pkcs8(bytes).or_else(|_| RsaKeyPair::from_der(bytes));
                let pair = pair.map_err(|_| Error::new())?;
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| Error::new())?;
                signature
            }
            AlgorithmFamily::Ec => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes, &random);
                let pair = pair.map_err(|_| Error::new())?;
                pair.sign(&random, message).map_err(|_| Error::new())?.as_ref().to_vec()
            }
            AlgorithmFamily::Ed => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map_err(|_| Error::new())?;
                pair.sign(message).as_ref().to_vec()
            }
        })
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
