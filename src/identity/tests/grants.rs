//! What can be granted, by whom, and with which keys.

use std::collections::BTreeSet;
use std::time::Duration;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::{Value, json};

use super::super::*;
use super::{RSA_PRIVATE, RSA_PUBLIC, STATIC, hs256, identities, with_secret};

fn set(names: &[&str]) -> Option<BTreeSet<String>> {
    Some(names.iter().map(|&name| name.to_owned()).collect())
}

fn giver(more: Value) -> (Identities, Identity) {
    let known = with_secret("max_grant_ttl_s = 600\nissuer = \"i\"\naudience = \"v\"");
    let mut own = json!({ "grant": true, "iss": "i", "aud": "v" });
    more.as_object().expect("claims").iter().for_each(|(name, value)| own[name] = value.clone());
    let identity = known.identify(Some(&hs256(own))).expect("it is good");
    (known, identity)
}

#[test]
fn what_is_granted_is_taken_and_no_more_than_one_has() {
    let rights = json!({ "backends": ["a", "b"], "functions": ["f", "g"], "max_session_s": 100 });
    let (known, own) = giver(rights);
    let granted = |wish: &Wish| {
        let granted = known.grant(&own, wish).expect("it is granted");
        (known.identify(Some(granted.access_token.expose())).expect("it is good"), granted.expires_in)
    };
    let (same, expires_in) = granted(&Wish::default());
    assert_eq!((same.subject.as_deref(), expires_in), (Some("visitor"), 60));
    assert_eq!((&same.rights, same.may_grant), (&own.rights, false), "who was granted to cannot grant");
    let (less, expires_in) = granted(&Wish {
        ttl: Some(Duration::from_secs(600)),
        subject: Some("guest 7".to_owned()),
        backends: set(&["a"]),
        functions: set(&[]),
        max_session: Some(Duration::from_secs(50)),
        single_use: true,
    });
    assert_eq!((less.subject.as_deref(), expires_in), (Some("guest 7"), 600));
    assert_eq!((&less.rights.backends, &less.rights.functions), (&set(&["a"]), &set(&[])));
    assert_eq!(less.rights.max_session.map(|limit| limit.as_secs()), Some(50));
    assert_eq!((known.admit(&less), known.admit(&less)), (Ok(()), Err(Stranger::Invalid("used"))));
    let long = Wish { max_session: Some(Duration::from_secs(5000)), ..Wish::default() };
    assert_eq!(granted(&long).0.rights.max_session.map(|limit| limit.as_secs()), Some(100));

    let with = |wish: Wish| known.grant(&own, &wish).err();
    assert_eq!(with(Wish { backends: set(&["a", "c"]), ..Wish::default() }), Some(NoGrant::Backend));
    assert_eq!(with(Wish { functions: set(&["h"]), ..Wish::default() }), Some(NoGrant::Function));
    for seconds in [0, 601, u64::MAX] {
        let ttl = Some(Duration::from_secs(seconds));
        assert_eq!(with(Wish { ttl, ..Wish::default() }), Some(NoGrant::Ttl(600)));
    }
    let (_, plain) = giver(json!({ "grant": false }));
    assert_eq!(known.grant(&plain, &Wish::default()).err(), Some(NoGrant::NotAllowed));
    let (_, brief) = giver(json!({ "exp": now() + 20 }));
    let expires_in = known.grant(&brief, &Wish::default()).expect("it is granted").expires_in;
    assert!((18..=20).contains(&expires_in), "it outlives its giver: {expires_in}");
}

#[test]
fn every_kind_of_key_signs_what_is_granted() {
    let pems = [
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key can be made").serialize_pem(),
        KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made").serialize_pem(),
        RSA_PRIVATE.to_owned(),
    ];
    for pem in pems {
        let known = identities(&format!(
            "signing_key = {pem:?}\n[[auth.tokens]]\nsubject = \"shop\"\ntoken = \"{STATIC}\"\nmay_grant = true"
        ));
        assert!(known.can_grant());
        let shop = known.identify(Some(STATIC)).expect("it is configured");
        let granted = known.grant(&shop, &Wish::default()).expect("it is granted");
        let identity = known.identify(Some(granted.access_token.expose())).expect("it is good");
        assert_eq!((identity.subject.as_deref(), identity.may_grant), (Some("shop"), false));
        assert_ne!(granted, known.grant(&shop, &Wish::default()).expect("another"), "each has its own jti");
    }
    assert!(!identities(&format!("public_key = {RSA_PUBLIC:?}")).can_grant());
}
