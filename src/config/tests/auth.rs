//! `[auth]`: what each mode takes, where tokens and keys come from, and that none is ever printed.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::super::rsa_key::{RSA_PRIVATE, RSA_PUBLIC};
use super::super::*;
use super::{BACKEND, ROUTE, load, load_with, refuses};

const SECRET: &str = "canary-secret-canary-secret-canary";
const TOKEN: &str = "canary-token-1";

fn tokens(lines: &str) -> String {
    format!("[auth]\nmode = \"tokens\"\n[[auth.tokens]]\nsubject = \"kiosk\"\n{lines}\n{BACKEND}")
}

fn jwt(lines: &str) -> String {
    format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\n{lines}\n{BACKEND}")
}

fn jwt_of(text: &str) -> Jwt {
    match load(text).expect("it is accepted").auth.mode {
        AuthMode::Jwt(jwt) => *jwt,
        other => panic!("{other:?}"),
    }
}

fn file(text: &str) -> (TempDir, String) {
    let files = TempDir::new().expect("a temporary directory can be made");
    let path = files.path().join("key");
    fs::write(&path, text).expect("the file can be written");
    (files, path.display().to_string())
}

#[test]
fn tokens_come_from_the_file_the_environment_or_a_file_of_their_own() {
    let (_files, path) = file(" token-of-a-file-1\n");
    let text = format!(
        "[auth]\nmode = \"tokens\"\n\
         [[auth.tokens]]\nsubject = \"a\"\ntoken = \"token-of-the-key\"\n\
         [[auth.tokens]]\nsubject = \"b c\"\ntoken_env = \"SHOP_TOKEN\"\nbackends = [\"a\"]\nfunctions = []\nmax_session_s = 60\n\
         [[auth.tokens]]\nsubject = \"a\"\ntoken_file = {path:?}\n{BACKEND}"
    );
    let auth = load_with(&text, &[("SHOP_TOKEN", "token-of-variable")]).expect("it is accepted").auth;
    assert_eq!(auth.mode, AuthMode::Tokens);
    let told: Vec<_> = auth.tokens.iter().map(|one| (one.subject.as_str(), one.token.expose())).collect();
    assert_eq!(told, [("a", "token-of-the-key"), ("b c", "token-of-variable"), ("a", "token-of-a-file-1")]);
    assert_eq!(auth.tokens[0].rights, Rights::default());
    let rights = &auth.tokens[1].rights;
    assert!(rights.allow_backend("a") && !rights.allow_backend("b") && !rights.allow_function("f"));
    assert_eq!(rights.max_session, Some(Duration::from_secs(60)));
    assert!(auth.tokens.iter().all(|token| !token.may_grant));
}

#[test]
fn what_is_wrong_with_a_token_is_told_without_it() {
    let form = "must be 16 to 4096 visible ascii characters without comma";
    let long = format!("token = \"{}\"", "x".repeat(4097));
    for (lines, reason) in [
        ("", "token: missing, one of token, token_env and token_file is needed".to_owned()),
        ("token = \"\"", "token: must not be empty".to_owned()),
        ("token = \"sekrit\"", format!("token: the token {form}")),
        ("token = \"sekrit sekrit sekrit\"", format!("token: the token {form}")),
        ("token = \"sekrit,sekrit,sekrit\"", format!("token: the token {form}")),
        ("token = \"sekrit-sekrit-s\u{e4}krit\"", format!("token: the token {form}")),
        (&long, format!("token: the token {form}")),
        ("token_env = \"EMPTY\"", "token_env: environment variable EMPTY is empty".to_owned()),
        ("token_env = \"SHORT\"", format!("token_env: environment variable SHORT {form}")),
        ("token_env = \"NONE\"", "token_env: environment variable NONE is not set".to_owned()),
        ("token_env = \"sek-rit\"", "token_env: is not the name of an environment variable".to_owned()),
        (
            "token = \"x\"\ntoken_env = \"SHORT\"",
            "token_env: token is given as well, only one may be".to_owned(),
        ),
    ] {
        let line = format!("my.toml: auth.tokens[0].{reason}");
        refuses(&tokens(lines), &[("EMPTY", ""), ("SHORT", "sekrit")], &line);
    }
    let good = format!("token = \"{TOKEN}-0123\"\n");
    for (lines, reason) in [
        ("backends = [\"b\"]", "backends: no backend is named \"b\""),
        ("backends = \"a\"", "backends: expected a list, found \"a\""),
        ("functions = [\"a b\"]", "functions: each must be 1 to 64 letters, digits, \"_\" and \"-\""),
        ("max_session_s = 0", "max_session_s: must be 1 to 604800, is 0"),
        ("may_grant = true", "may_grant: belongs to auth.mode = \"jwt\""),
        ("[[auth.tokens]]\ntoken = \"x\"", "subject: missing"),
        (
            "[[auth.tokens]]\nsubject = \"a\\nb\"",
            "subject: must be 1 to 128 bytes without control characters",
        ),
        (
            "[[auth.tokens]]\nsubject = \"b\"\ntoken = \"canary-token-1-0123\"",
            "token: is the one of auth.tokens[0] as well",
        ),
    ] {
        let index = usize::from(lines.starts_with("[["));
        refuses(&tokens(&format!("{good}{lines}")), &[], &format!("my.toml: auth.tokens[{index}].{reason}"));
    }
}

#[test]
fn what_belongs_to_one_mode_is_refused_in_the_others() {
    let entry = "[[auth.tokens]]\nsubject = \"a\"\ntoken = \"0123456789abcdef\"\n";
    let secret = format!("[auth.jwt]\nsecret = \"{SECRET}\"\n");
    for (auth, reason) in [
        ("mode = \"tokens\"", "auth.tokens: missing, auth.mode is \"tokens\""),
        ("mode = \"jwt\"", "auth.jwt: missing, auth.mode is \"jwt\""),
        (&format!("mode = \"tokens\"\n{secret}{entry}"), "auth.jwt: belongs to auth.mode = \"jwt\""),
        (&secret, "auth.jwt: belongs to auth.mode = \"jwt\""),
        (entry, "auth.tokens: belongs to auth.mode = \"tokens\" or \"jwt\""),
        (
            &format!("mode = \"tokens\"\nallow_anonymous = true\n{entry}"),
            "auth.allow_anonymous: belongs to auth.mode = \"none\"",
        ),
        (
            &format!("mode = \"jwt\"\nallow_anonymous = true\n{secret}"),
            "auth.allow_anonymous: belongs to auth.mode = \"none\"",
        ),
    ] {
        refuses(&format!("[auth]\n{auth}\n{BACKEND}"), &[], &format!("my.toml: {reason}"));
    }
}

#[test]
fn with_a_mode_any_address_may_be_listened_on_and_simulators_are_warned_of() {
    let token = format!("token = \"{TOKEN}-0123\"");
    let text = format!("[server]\nhost = \"0.0.0.0\"\n[simulator]\nenabled = true\n{}", tokens(&token));
    let warnings = load(&text).expect("it is accepted").warnings;
    assert_eq!(warnings, ["simulator.enabled: the simulators under /sim/ ask for no token"]);
}

#[test]
fn functions_that_ask_for_a_token_are_no_warning() {
    let token = format!("token = \"{TOKEN}-0123\"");
    let text = tokens(&token).replace(BACKEND, &format!("{ROUTE}{BACKEND}"));
    assert_eq!(load(&text).expect("it is accepted").warnings, Vec::<String>::new());
}

#[test]
fn keys_of_jwts_say_by_which_algorithm_they_verify() {
    let (_files, set) = file(
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\
         \"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
    );
    let lines = format!(
        "secret = \"{SECRET}\"\npublic_key = {RSA_PUBLIC:?}\njwks_file = {set:?}\nissuer = \"https://id\"\n\
         audience = \"voice\"\nleeway_s = 0\nmax_grant_ttl_s = 600"
    );
    let full = jwt_of(&jwt(&lines));
    let names = |jwt: &Jwt| jwt.algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>();
    assert_eq!(names(&full), ["HS256", "RS256", "EdDSA"]);
    assert_eq!(full.keys.len(), 3);
    assert_eq!(full.signing_key.as_ref().map(|key| key.algorithm), Some(JwtAlgorithm::Hs256));
    assert_eq!((full.issuer.as_deref(), full.audience.as_deref()), (Some("https://id"), Some("voice")));
    assert_eq!((full.leeway, full.max_grant_ttl), (Duration::ZERO, Duration::from_secs(600)));

    let (_files, private) = file(&RSA_PRIVATE);
    let own = jwt_of(&jwt(&format!("signing_key_file = {private:?}\npublic_key = {RSA_PUBLIC:?}")));
    assert_eq!((names(&own), own.keys.len()), (vec!["RS256"], 1), "both halves are one key");
    assert_eq!(own.signing_key.map(|key| key.algorithm), Some(JwtAlgorithm::Rs256));
    assert_eq!((own.leeway, own.max_grant_ttl), (Duration::from_secs(10), Duration::from_secs(3600)));
    let public = jwt_of(&jwt(&format!("public_key = {RSA_PUBLIC:?}")));
    assert_eq!(public.signing_key, None);
}

#[test]
fn what_is_wrong_with_keys_of_jwts_is_told_without_them() {
    let secret = format!("secret = \"{SECRET}\"\n");
    let public = format!("public_key = {RSA_PUBLIC:?}\n");
    let (_files, set) = file("{\"keys\":[]}");
    let none = format!("jwks_file: {set} holds no key for ES256");
    for (lines, reason) in [
        (String::new(), "secret: missing, a secret, a public_key, a jwks_file or a signing_key is needed"),
        (
            "secret = \"sekrit-of-31-bytes-is-too-short\"".to_owned(),
            "secret: the key must have at least 32 bytes for HS256",
        ),
        (
            format!("public_key = \"{SECRET}\""),
            "public_key: the key holds no public key as pem (BEGIN PUBLIC KEY)",
        ),
        (
            format!("public_key = {RSA_PRIVATE:?}"),
            "public_key: the key holds no public key as pem (BEGIN PUBLIC KEY)",
        ),
        (
            format!("signing_key = {RSA_PUBLIC:?}"),
            "signing_key: the key holds no private key as pem (BEGIN PRIVATE KEY)",
        ),
        (
            format!("{public}algorithms = [\"HS256\"]"),
            "public_key: the key is for RS256, which is not in algorithms",
        ),
        (
            format!("{secret}algorithms = [\"RS256\"]"),
            "secret: the key is for HS256, which is not in algorithms",
        ),
        (
            format!("signing_key = {RSA_PRIVATE:?}\n{secret}algorithms = [\"HS256\"]"),
            "signing_key: the key is for RS256, which is not in algorithms",
        ),
        (format!("{secret}algorithms = [\"HS256\", \"ES256\"]"), "algorithms: there is no key for \"ES256\""),
        (
            format!("{secret}algorithms = [\"none\"]"),
            "algorithms: \"none\" is not known, must be \"HS256\", \"RS256\", \"ES256\" or \"EdDSA\"",
        ),
        (format!("{secret}algorithms = []"), "algorithms: must not be empty; without it the keys say it"),
        (format!("jwks_file = {set:?}\nalgorithms = [\"ES256\"]"), &none),
        (
            "jwks_file = \"/absent\"".to_owned(),
            "jwks_file: cannot read /absent: No such file or directory (os error 2)",
        ),
        (format!("{secret}leeway_s = 301"), "leeway_s: must be 0 to 300, is 301"),
        (format!("{secret}max_grant_ttl_s = 0"), "max_grant_ttl_s: must be 1 to 3600, is 0"),
        (format!("{secret}max_grant_ttl_s = 3601"), "max_grant_ttl_s: must be 1 to 3600, is 3601"),
        (format!("{secret}secret_env = \"X\""), "secret_env: secret is given as well, only one may be"),
    ] {
        refuses(&jwt(&lines), &[], &format!("my.toml: auth.jwt.{reason}"));
    }
    let entry =
        format!("{public}[[auth.tokens]]\nsubject = \"a\"\ntoken = \"0123456789abcdef\"\nmay_grant = true");
    let reason = "needs auth.jwt.secret or auth.jwt.signing_key, which sign what is granted";
    refuses(&jwt(&entry), &[], &format!("my.toml: auth.tokens[0].may_grant: {reason}"));
}

#[test]
fn a_variable_takes_the_place_of_the_file_s_source() {
    let text = jwt(&format!("secret_file = \"/absent\"\nissuer = \"a\"\npublic_key = {RSA_PUBLIC:?}"));
    let environment = [("VOXBRIDGE__AUTH__JWT__SECRET_ENV", "KEY"), ("KEY", SECRET)];
    let config = load_with(&text, &environment).expect("the file is not read");
    let AuthMode::Jwt(jwt) = config.auth.mode else { panic!("the mode is jwt") };
    assert_eq!((jwt.keys.len(), jwt.issuer.as_deref()), (2, Some("a")));
    let environment = [("VOXBRIDGE__AUTH__JWT__SECRET", SECRET)];
    assert!(load_with(&text, &environment).is_ok());
    let environment = [("VOXBRIDGE__AUTH__TOKENS", "0123456789abcdef")];
    refuses(
        &text,
        &environment,
        "environment variable VOXBRIDGE__AUTH__TOKENS: auth.tokens: expected a list",
    );
}

#[test]
fn neither_tokens_nor_keys_are_printed() {
    let entry = format!(
        "[[auth.tokens]]\nsubject = \"a \\\"b\"\ntoken = \"{TOKEN}-0123\"\nfunctions = [\"f\"]\nmay_grant = true"
    );
    let text = jwt(&format!("secret = \"{SECRET}\"\nsigning_key = {RSA_PRIVATE:?}\n{entry}"));
    let config = load(&text).expect("it is accepted");
    let shown = config.show();
    let auth = shown.split("\n[console]").next().and_then(|text| text.split("[auth]\n").nth(1));
    assert_eq!(
        auth,
        Some(
            "mode = \"jwt\"\nallow_anonymous = false\nallowed_origins = []\n\n\
             [auth.jwt]\nalgorithms = [\"HS256\", \"RS256\"]\nsecret = \"***\"\n# public_key is not set\n\
             # jwks_file is not set\nsigning_key = \"***\"\n# issuer is not set\n# audience is not set\n\
             leeway_s = 10\nmax_grant_ttl_s = 3600\n\n\
             [[auth.tokens]]\nsubject = \"a \\\"b\"\ntoken = \"***\"\n# backends is not set\n\
             functions = [\"f\"]\n# max_session_s is not set\nmay_grant = true\n"
        )
    );
    let key_line = RSA_PRIVATE.lines().nth(3).expect("a key has many lines");
    for printed in [shown, format!("{config:?}")] {
        for canary in [SECRET, TOKEN, key_line, &format!("{:?}", SECRET.as_bytes())] {
            assert!(!printed.contains(canary), "{canary} is printed:\n{printed}");
        }
    }
    let public = jwt_of(&jwt(&format!("public_key = {RSA_PUBLIC:?}")));
    assert_eq!(public.sources.public_key.as_deref(), Some(&*RSA_PUBLIC));
}
