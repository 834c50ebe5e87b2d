//! Static tokens, what a JWT has to say, what is no token at all, and tokens for one use.

use base64_simd::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::*;
use super::{SECRET, STATIC, claims, hs256, refused, signed, with_secret};
use crate::config::Config;

#[test]
fn where_no_token_is_asked_for_nobody_is_asked() {
    let open = Identities::new(&Auth::default());
    assert!(open.is_open() && !open.can_grant());
    assert_eq!(open.identify(None), Ok(Identity::default()));
    assert_eq!(open.identify(Some("anything")), Ok(Identity::default()));
    assert_eq!(open.grant(&Identity::default(), &Wish::default()).err(), Some(NoGrant::NotAllowed));
}

#[test]
fn static_tokens_are_found_by_every_letter() {
    let text = format!(
        "[auth]\nmode = \"tokens\"\n\
         [[auth.tokens]]\nsubject = \"shop\"\ntoken = \"{STATIC}\"\nbackends = [\"a\"]\n\
         [[auth.tokens]]\nsubject = \"kiosk\"\ntoken = \"{STATIC}-2\"\n\
         [[backends]]\nname = \"a\"\nkind = \"openai-realtime\"\npath = \"/a\"\nurl = \"ws://[::1]/\""
    );
    let known = Identities::new(&Config::from_toml("test.toml", &text, []).expect("it is accepted").auth);
    assert!(!known.is_open() && !known.can_grant());
    let subject = |token: &str| known.identify(Some(token)).map(|identity| identity.subject);
    assert_eq!(subject(STATIC), Ok(Some("shop".to_owned())));
    assert_eq!(subject(&format!("{STATIC}-2")), Ok(Some("kiosk".to_owned())));
    assert_eq!(known.identify(None), Err(Stranger::Missing));
    let case = STATIC.to_uppercase();
    for other in
        ["", "x", &STATIC[1..], &STATIC[..STATIC.len() - 1], &case, &format!("{STATIC}-"), &hs256(json!({}))]
    {
        refused(&known, other, "unknown");
    }
    refused(&known, &format!("{STATIC}\n"), "not visible ascii");
    refused(&known, &format!("{STATIC}\u{e4}"), "not visible ascii");
    refused(&known, &"x".repeat(8193), "too long");
    refused(&known, &"x".repeat(8192), "unknown");
}

#[test]
fn a_jwt_says_who_its_bearer_is_and_what_it_is_good_for() {
    let known = with_secret("");
    let identity = known.identify(Some(&hs256(json!({})))).expect("it is good");
    assert_eq!((identity.subject.as_deref(), identity.may_grant), (Some("visitor"), false));
    assert_eq!((&identity.rights, &identity.single_use), (&Rights::default(), &None));
    let token = hs256(json!({
        "backends": ["a", "b"], "functions": [], "max_session_s": 600, "grant": true, "nbf": now() - 5, "x": {},
    }));
    let identity = known.identify(Some(&token)).expect("it is good");
    assert!(identity.rights.allow_backend("b") && !identity.rights.allow_backend("c"));
    assert!(!identity.rights.allow_function("f") && identity.may_grant);
    assert_eq!(identity.rights.max_session.map(|limit| limit.as_secs()), Some(600));
    // What no timer could hold is a week.
    let token = hs256(json!({ "max_session_s": u64::MAX, "exp": 1.0e19 }));
    let identity = known.identify(Some(&token)).expect("it is good");
    assert_eq!(identity.rights.max_session.map(|limit| limit.as_secs()), Some(604_800));
}

#[test]
fn claims_that_are_wrong_keep_their_bearer_out() {
    let known = with_secret("leeway_s = 5");
    for (more, reason) in [
        (json!({ "sub": null }), "claims"),
        (json!({ "sub": 7 }), "claims"),
        (json!({ "sub": "" }), "sub"),
        (json!({ "sub": "x".repeat(257) }), "sub"),
        (json!({ "exp": null }), "claims"),
        (json!({ "exp": "tomorrow" }), "claims"),
        (json!({ "exp": -1 }), "no exp"),
        (json!({ "nbf": now() + 60 }), "not yet valid"),
        (json!({ "nbf": "now" }), "claims"),
        (json!({ "backends": "a" }), "claims"),
        (json!({ "backends": [1] }), "claims"),
        (json!({ "functions": {} }), "claims"),
        (json!({ "max_session_s": 0 }), "max_session_s"),
        (json!({ "max_session_s": -1 }), "claims"),
        (json!({ "max_session_s": 1.5 }), "claims"),
        (json!({ "grant": "yes" }), "claims"),
        (json!({ "single_use": true }), "single_use without jti"),
        (json!({ "single_use": true, "jti": "" }), "single_use without jti"),
        (json!({ "single_use": 1, "jti": "a" }), "claims"),
        (json!({ "aud": "somebody else" }), "aud"),
    ] {
        refused(&known, &hs256(more.clone()), reason);
    }
    for (name, reason) in [("backends", "claims"), ("functions", "claims"), ("single_use", "claims")] {
        let mut nothing = claims(json!({}));
        nothing[name] = Value::Null;
        let token = signed(&Header::default(), &nothing, &EncodingKey::from_secret(SECRET.as_bytes()));
        refused(&known, &token, reason);
    }
    for over in [6, 60, 10_000] {
        assert_eq!(known.identify(Some(&hs256(json!({ "exp": now() - over })))), Err(Stranger::Expired));
    }
    assert_eq!(
        with_secret("leeway_s = 0").identify(Some(&hs256(json!({ "exp": now() })))),
        Err(Stranger::Expired)
    );
    assert!(known.identify(Some(&hs256(json!({ "exp": now() - 3 })))).is_ok(), "within the leeway");
    assert!(known.identify(Some(&hs256(json!({ "nbf": now() + 3 })))).is_ok(), "within the leeway");
}

#[test]
fn issuer_and_audience_have_to_be_ours_if_they_are_configured() {
    let known = with_secret("issuer = \"https://id\"\naudience = \"voice\"");
    let good = json!({ "iss": "https://id", "aud": ["x", "voice"] });
    assert!(known.identify(Some(&hs256(good))).is_ok());
    for (more, reason) in [
        (json!({ "aud": "voice" }), "no iss"),
        (json!({ "iss": "https://id" }), "no aud"),
        (json!({ "iss": "https://other", "aud": "voice" }), "iss"),
        (json!({ "iss": "https://id", "aud": "other" }), "aud"),
        (json!({ "iss": "https://id", "aud": [] }), "aud"),
        (json!({ "iss": 7, "aud": "voice" }), "no iss"),
        (json!({ "iss": "https://id", "aud": { "voice": 1 } }), "no aud"),
    ] {
        refused(&known, &hs256(more), reason);
    }
}

#[test]
fn a_token_that_is_cut_anywhere_is_none() {
    let known = with_secret("");
    let token = hs256(json!({}));
    for length in 0..token.len() {
        assert!(known.identify(Some(&token[..length])).is_err(), "{length}");
        assert!(known.identify(Some(&token[length + 1..])).is_err(), "{length}");
    }
}

#[test]
fn a_token_for_one_use_is_used_up_by_the_first() {
    let known = with_secret("");
    let token = hs256(json!({ "single_use": true, "jti": "j-1" }));
    let first = known.identify(Some(&token)).expect("it is good");
    let second = known.identify(Some(&token)).expect("it is still good");
    assert_eq!((known.check_unused(&first), known.check_unused(&first)), (Ok(()), Ok(())));
    assert_eq!(known.admit(&first), Ok(()));
    assert_eq!(known.admit(&second), Err(Stranger::Invalid("used")));
    assert_eq!(known.check_unused(&first), Err(Stranger::Invalid("used")));
    let other =
        known.identify(Some(&hs256(json!({ "single_use": true, "jti": "j-2" })))).expect("it is good");
    assert_eq!(known.admit(&other), Ok(()));
    let often = known.identify(Some(&hs256(json!({ "jti": "j-1" })))).expect("it is not for one use");
    assert_eq!((known.admit(&often), known.admit(&often)), (Ok(()), Ok(())));
}

proptest! {
    #[test]
    fn no_text_gets_in_or_panics(token in "\\PC{0,300}") {
        prop_assert!(with_secret("").identify(Some(&token)).is_err());
    }

    #[test]
    fn no_three_parts_get_in_or_panic(
        header in proptest::collection::vec(any::<u8>(), 0..80),
        body in proptest::collection::vec(any::<u8>(), 0..80),
        signature in proptest::collection::vec(any::<u8>(), 0..80),
        signed in any::<bool>(),
    ) {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
        let header = if signed { b"{\"alg\":\"HS256\"}".to_vec() } else { header };
        let token = format!("{}.{}.{}", part(&header), part(&body), part(&signature));
        prop_assert!(with_secret("").identify(Some(&token)).is_err());
    }

    #[test]
    fn a_letter_that_is_changed_keeps_its_bearer_out(at in any::<prop::sample::Index>(), letter in "[A-Za-z0-9_.-]") {
        let mut token = hs256(json!({}));
        let at = at.index(token.len());
        prop_assume!(token[at..=at] != letter);
        token.replace_range(at..=at, &letter);
        prop_assert!(with_secret("").identify(Some(&token)).is_err());
    }
}
