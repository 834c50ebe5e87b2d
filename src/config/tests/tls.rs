//! The certificate of the listener: what is refused by key and reason, and what is in force.

use super::{BACKEND, load, load_with, refuses};

#[test]
fn a_certificate_and_its_key_are_both_there_and_belong_together() {
    let generated = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (one, other) = (generated(), generated());
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("the file can be written");
        path.to_str().expect("a path in utf-8").to_owned()
    };
    let certificate = file("cert.pem", &one.cert.pem());
    let key = file("key.pem", &one.signing_key.serialize_pem());
    let others = file("other.pem", &other.signing_key.serialize_pem());
    let (empty, no_file) = (file("empty.pem", ""), format!("{certificate}.not"));
    let with = |certificate: &str, key: &str| {
        format!("[server]\ntls_cert = {certificate:?}\ntls_key = {key:?}\n{BACKEND}")
    };
    for (certificate, key, expected) in [
        (&*certificate, "", "tls_key: missing, tls_cert is given".to_owned()),
        ("", &key, "tls_cert: missing, tls_key is given".to_owned()),
        (&empty, &key, format!("tls_cert: {empty} holds no certificate")),
        (&no_file, &key, format!("tls_cert: cannot read {no_file}: No such file or directory (os error 2)")),
        (
            &certificate,
            &no_file,
            format!("tls_key: cannot read {no_file}: No such file or directory (os error 2)"),
        ),
        (&certificate, &empty, format!("tls_key: {empty} holds no private key in pem")),
        (
            &certificate,
            &others,
            format!("tls_key: the key in {others} is not that of the first certificate in {certificate}"),
        ),
    ] {
        refuses(&with(certificate, key), &[], &format!("my.toml: server.{expected}"));
    }
    assert_eq!(load(&with("", "")).expect("none is needed").server.tls, None);
    let config = load(&with(&certificate, &key)).expect("they belong together");
    let shown = format!("tls_cert = {certificate:?}\ntls_key = {key:?}\n");
    assert!(config.show().contains(&shown), "{}", config.show());
    let variables = [("VOXBRIDGE__SERVER__TLS_CERT", &*certificate), ("VOXBRIDGE__SERVER__TLS_KEY", &*key)];
    assert_eq!(load_with(BACKEND, &variables).expect("by environment").server.tls, config.server.tls);
    let expected = format!(
        "environment variable VOXBRIDGE__SERVER__TLS_KEY: server.tls_key: {empty} holds no private key in pem"
    );
    refuses(&with(&certificate, &key), &[("VOXBRIDGE__SERVER__TLS_KEY", &*empty)], &expected);
}
