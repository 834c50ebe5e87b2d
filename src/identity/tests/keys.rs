//! Whose signature is taken: each algorithm has its own keys, and a key's name is asked for where it has one.

use base64_simd::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde_json::json;

use super::super::*;
use super::{
    RSA_PRIVATE, RSA_PUBLIC, SECRET, claims, hs256, identities, refused, signed, with_header, with_secret,
};

/// Two secrets by name, as they are while one takes the other's place.
const SET: &str = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"old\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},\
    {\"kty\":\"oct\",\"kid\":\"new\",\"k\":\"bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3\"}]}";

#[test]
fn each_algorithm_takes_its_own_key_and_no_other() {
    ring_provider::install();
    let p256 = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key can be made");
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made");
    let rsa = PrivatePkcs8KeyDer::from_pem_slice(RSA_PRIVATE.as_bytes()).expect("it is a key");
    let keys = [
        (Algorithm::HS256, EncodingKey::from_secret(SECRET.as_bytes()), format!("secret = \"{SECRET}\"")),
        (
            Algorithm::RS256,
            EncodingKey::from_rsa_der(rsa.secret_pkcs8_der()),
            format!("public_key = {RSA_PUBLIC:?}"),
        ),
        (
            Algorithm::ES256,
            EncodingKey::from_ec_der(&p256.serialize_der()),
            format!("public_key = {:?}", p256.public_key_pem()),
        ),
        (
            Algorithm::EdDSA,
            EncodingKey::from_ed_der(&ed25519.serialize_der()),
            format!("public_key = {:?}", ed25519.public_key_pem()),
        ),
    ];
    for (own, _, lines) in &keys {
        let known = identities(lines);
        for (algorithm, key, _) in &keys {
            let token = signed(&Header::new(*algorithm), &claims(json!({})), key);
            match known.identify(Some(&token)) {
                Ok(_) => assert_eq!(algorithm, own),
                Err(stranger) => {
                    assert_ne!(algorithm, own, "{stranger:?}");
                    assert_eq!(stranger, Stranger::Invalid("no such key"), "{own:?} {algorithm:?}");
                }
            }
        }
    }
}

#[test]
fn a_public_key_is_no_secret_and_no_signature_is_none() {
    let known = identities(&format!("public_key = {RSA_PUBLIC:?}"));
    let both = identities(&format!("public_key = {RSA_PUBLIC:?}\nsecret = \"{SECRET}\""));
    // What everybody knows, in each form that a careless server would take for the secret.
    let der = SubjectPublicKeyInfoDer::from_pem_slice(RSA_PUBLIC.as_bytes()).expect("it is a key");
    for key in [RSA_PUBLIC.as_bytes(), RSA_PUBLIC.trim().as_bytes(), &der, &der[24..]] {
        let token = signed(&Header::default(), &claims(json!({})), &EncodingKey::from_secret(key));
        refused(&known, &token, "no such key");
        refused(&both, &token, "signature");
    }
    let secret = with_secret("");
    let [header, body, signature]: [String; 3] =
        hs256(json!({})).split('.').map(str::to_owned).collect::<Vec<_>>().try_into().expect("three parts");
    for algorithm in ["none", "None", "NONE", "", "hs256", "HS1"] {
        let forged = URL_SAFE_NO_PAD.encode_to_string(json!({ "alg": algorithm }).to_string());
        for signature in ["", signature.as_str()] {
            refused(&secret, &format!("{forged}.{body}.{signature}"), "unknown");
        }
    }
    for algorithm in ["HS384", "HS512", "RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        refused(&secret, &with_header(&json!({ "alg": algorithm })), "no such key");
    }
    refused(&secret, &format!("{header}.{body}."), "signature");
    refused(&secret, &format!("{header}.{body}"), "unknown");
    refused(&secret, &format!("{header}.{body}.{signature}.{signature}"), "unknown");
    refused(&secret, &format!("{header}.{body}.{signature}="), "base64");
    refused(
        &secret,
        &with_header(&json!({ "alg": "HS256", "crit": ["b64"], "b64": false })),
        "critical extension",
    );
    refused(&secret, &with_header(&json!({ "alg": "HS256", "crit": [] })), "critical extension");
    assert!(
        secret.identify(Some(&with_header(&json!({ "alg": "HS256", "kid": "any", "jku": "x" })))).is_ok()
    );
}

#[test]
fn keys_are_chosen_by_their_name() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    std::fs::write(file.path(), SET).expect("it can be written");
    let known = identities(&format!("jwks_file = {:?}", file.path()));
    let new = EncodingKey::from_secret(b"newnewnewnewnewnewnewnewnewnewnewnew");
    let old = EncodingKey::from_secret(SECRET.as_bytes());
    let named = |kid: Option<&str>| Header { kid: kid.map(str::to_owned), ..Header::default() };
    for (kid, key, expected) in [
        (Some("old"), &old, None),
        (Some("new"), &new, None),
        (None, &old, None),
        (None, &new, None),
        (Some("old"), &new, Some("signature")),
        (Some("other"), &new, Some("no such key")),
        (Some(""), &new, Some("no such key")),
    ] {
        let result = known.identify(Some(&signed(&named(kid), &claims(json!({})), key)));
        assert_eq!(result.err(), expected.map(Stranger::Invalid), "{kid:?}");
    }
    let expired = signed(&named(None), &claims(json!({ "exp": 1 })), &old);
    assert_eq!(known.identify(Some(&expired)), Err(Stranger::Expired), "the other key does not hide it");
}
