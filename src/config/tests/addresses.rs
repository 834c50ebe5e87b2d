//! Hosts, origins, and headers that the environment fills in: which are taken, as what, and which are refused.

use url::Url;

use super::super::*;
use super::{BACKEND, ROUTE, load, load_with, refuses};

#[test]
fn headers_are_filled_in_from_the_environment() {
    let environment = [("TOKEN", "s3cret"), ("_a9", "${TOKEN}"), ("DOLLAR", "$")];
    for (value, expected) in [
        ("Bearer ${TOKEN}", "Bearer s3cret"),
        ("${TOKEN}${TOKEN}-${DOLLAR}", "s3crets3cret-$"),
        ("${_a9}", "${TOKEN}"),
        ("${DOLLAR}{TOKEN}", "${TOKEN}"),
        ("$TOKEN $ {} $", "$TOKEN $ {} $"),
        ("", ""),
    ] {
        let header = format!("headers = {{ Authorization = \"{value}\" }}\n");
        let config = load_with(&format!("{ROUTE}{header}{BACKEND}"), &environment).expect(value);
        assert_eq!(config.functions.routes[0].headers["Authorization"], expected, "{value}");
        let config = load_with(&format!("{BACKEND}{header}"), &environment).expect(value);
        assert_eq!(config.backends[0].headers["Authorization"], expected, "{value}");
    }
}

#[test]
fn headers_that_cannot_be_filled_in_are_refused_without_their_value() {
    let environment = [("EMPTY", ""), ("LINES", "sekrit\nsekrit")];
    let carry = "holds a character that no http header can carry";
    let no_name = "has in \"${…}\" what is not the name of an environment variable";
    for (value, expected) in [
        ("sekrit ${UNSET}", "environment variable UNSET is not set"),
        ("${EMPTY}", "environment variable EMPTY is empty"),
        ("${LINES}", carry),
        ("sekrit é", carry),
        ("${}", no_name),
        ("${sk-sekrit}", no_name),
        ("${ UNSET }", no_name),
        ("sekrit ${UNSET", "has \"${\" without \"}\""),
    ] {
        let header = format!("headers = {{ x-key = \"{value}\" }}\n");
        let key = "my.toml: functions.route[0].headers.x-key";
        refuses(&format!("{ROUTE}{header}{BACKEND}"), &environment, &format!("{key}: {expected}"));
        let key = "my.toml: backends[0].headers.x-key";
        refuses(&format!("{BACKEND}{header}"), &environment, &format!("{key}: {expected}"));
    }
}

#[test]
fn endpoint_hosts_are_those_of_urls() {
    for (entry, yes, no) in [
        ("Example.COM", "https://example.com:8443/x", "https://example.com.evil"),
        ("example.com", "http://EXAMPLE.com", "https://sub.example.com"),
        ("example.com:443", "https://example.com", "http://example.com"),
        ("example.com:8443", "https://example.com:8443", "https://example.com"),
        ("bücher.example", "https://xn--bcher-kva.example", "https://bucher.example"),
        ("127.0.0.1", "http://0x7f.1:9/", "http://127.0.0.2"),
        ("127.1:9", "http://2130706433:9/", "http://127.0.0.1:8"),
        ("[::1]", "http://[0:0::1]:9", "http://[::2]"),
        ("[FD00::1]:80", "http://[fd00::1]", "https://[fd00::1]"),
        ("[::ffff:10.0.0.1]", "http://[::ffff:a00:1]", "http://10.0.0.1"),
        ("example.com.", "https://example.com.", "https://example.com"),
    ] {
        let text = format!("[functions]\nallowed_endpoint_hosts = [\"{entry}\"]\n{BACKEND}");
        let functions = load(&text).expect(entry).functions;
        let allows = |url| functions.allows_endpoint(&Url::parse(url).expect(url));
        assert_eq!((allows(yes), allows(no)), (true, false), "{entry}");
    }
    assert!(!Functions::default().allows_endpoint(&Url::parse("https://h").expect("a url")));
}

#[test]
fn bad_endpoint_hosts() {
    let reason = "must be like \"example.com\", \"example.com:8443\" or \"[fd00::1]:8443\"";
    for entry in [
        "",
        "*",
        "*.example.com",
        "https://example.com",
        "example.com/x",
        "example.com:",
        "example.com:0",
        "example.com:+80",
        "example.com:65536",
        "example.com:http",
        "::1",
        "fd00::1:80",
        "[::1",
        "[::1]80",
        "[example.com]",
        "user@example.com",
        "a b",
        "1.2.3.4.5",
        "ex%2fample.com",
    ] {
        let text = format!("[functions]\nallowed_endpoint_hosts = [\"a\", \"{entry}\"]\n{BACKEND}");
        refuses(&text, &[], &format!("my.toml: functions.allowed_endpoint_hosts[1]: {reason}"));
    }
}

#[test]
fn origins_are_as_browsers_write_them() {
    for (entry, expected) in [
        ("https://example.com", "https://example.com"),
        ("HTTPS://Example.COM:443", "https://example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[0::1]:80", "http://[::1]"),
        ("https://bücher.example:8443", "https://xn--bcher-kva.example:8443"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("tauri://LOCALHOST:1420", "tauri://localhost:1420"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ] {
        let config = load(&format!("[auth]\nallowed_origins = [\"{entry}\"]\n{BACKEND}")).expect(entry);
        assert_eq!(config.auth.allowed_origins, [expected]);
    }
    assert!(load(BACKEND).expect("none").auth.allowed_origins.is_empty());
}

#[test]
fn bad_origins() {
    let reason =
        "must be scheme, host and port alone, like \"https://example.com\" or \"http://localhost:3000\"";
    for entry in [
        "",
        "*",
        "null",
        "example.com",
        "https:example.com",
        "https://",
        "https://*.example.com",
        "https://example.com/",
        "https://example.com/x",
        "https://example.com?x",
        "https://example.com#x",
        "https://user@example.com",
        "https://@example.com",
        "https://exa\\tmple.com",
        "https:\\\\\\\\example.com",
        "https://example.com:99999",
        "wss://example.com",
        "file://h",
        "app://",
    ] {
        let text = format!("[auth]\nallowed_origins = [\"{entry}\"]\n{BACKEND}");
        refuses(&text, &[], &format!("my.toml: auth.allowed_origins[0]: {reason}"));
    }
}
