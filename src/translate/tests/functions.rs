//! What a hostile Settings can have the gateway call: nothing that the configuration does not name.

use actix_web::http::Uri;
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use url::Host;

use super::settings::{backend, outcome};
use crate::{config::Backend, translate::settings::Translated};

const ALLOWED: &str = "function_calls = \"server\"\n[functions]\n\
    allowed_endpoint_hosts = [\"fn.example\", \"port.example:8443\", \"xn--bcher-kva.example\", \"[2001:db8::1]:8443\"]\n";

fn settings(endpoint: Value) -> Value {
    let function = json!({"name": "f", "endpoint": endpoint});
    json!({"type": "Settings", "agent": {"think": {"functions": [function]}}})
}

/// The URL that would be called, or none: then the client was told why, in one way or the other.
#[track_caller]
fn called(url: &str, backend: &Backend) -> Option<String> {
    let translated: Translated = match outcome(&settings(json!({"url": url})), backend) {
        Ok(translated) => translated,
        Err(error) => {
            let expected =
                json!({"code": "INVALID_SETTINGS", "path": "agent.think.functions[0].endpoint.url"});
            assert_eq!(error, expected, "{url:?}");
            return None;
        }
    };
    let told: Vec<_> = translated.warnings.iter().map(|warning| warning.code.as_str()).collect();
    let endpoint = translated.endpoints.get("f");
    assert_eq!(told, if endpoint.is_some() { &[][..] } else { &["ENDPOINT_NOT_ALLOWED"] }, "{url:?}");
    for warning in &translated.warnings {
        let text = &warning.description;
        assert!(text.starts_with("agent.think.functions[0].endpoint "), "{text}");
        assert!(!text.contains(char::is_control) && text.chars().count() <= 201, "{text}");
        assert!(!text.contains("sekrit"), "{text}");
    }
    Some(endpoint?.url.to_string())
}

#[test]
fn only_what_the_configuration_names_is_called() {
    let backend = backend(ALLOWED);
    for url in [
        // Other hosts, and those that only look like one of ours.
        "http://127.0.0.1",
        "http://localhost:8080/function-call",
        "http://169.254.169.254/latest/meta-data",
        "https://evil.example/?x=https://fn.example",
        "https://evil.example/fn.example",
        "https://evil.example#fn.example",
        "https://sub.fn.example",
        "https://fn.example.evil.example",
        "https://fn.example.",
        "https://fn.example..",
        "https://.fn.example",
        "https://fn-example",
        "https://xfn.example",
        "https://fn.exampl\u{435}",
        "https://b\u{fc}ch\u{435}r.example",
        "https://fn%2eexample%2eevil.example",
        "https://fn.example%00.evil.example",
        "https://fn.example%2f.evil.example",
        "https://*",
        "https://0",
        "https://",
        "https:///",
        "https://:443",
        "http:",
        "",
        // User names, which move the host to the right.
        "https://fn.example@evil.example",
        "https://fn.example:443@evil.example",
        "https://user:sekrit@fn.example",
        "https://sekrit@fn.example",
        "https://:sekrit@fn.example",
        "https://fn.example%40evil.example",
        "https://a@b@fn.example",
        // Addresses in every spelling.
        "http://2130706433",
        "http://0x7f000001",
        "http://0177.0.0.1",
        "http://127.1",
        "http://0x7f.1",
        "http://\u{2460}\u{2461}\u{2466}.0.0.1",
        "http://127\u{3002}0\u{3002}0\u{3002}1",
        "http://[::1]",
        "http://[::]",
        "http://[::ffff:127.0.0.1]",
        "http://[::ffff:7f00:1]",
        "http://[64:ff9b::7f00:1]",
        "https://[2001:db8::1]",
        "https://[2001:db8::1]:8444",
        "http://[fe80::1%25eth0]",
        // Ports.
        "https://port.example",
        "http://port.example:80",
        "https://port.example:8444",
        "https://port.example:08444",
        "https://port.example:65537",
        "https://port.example:8443@evil.example",
        // Schemes.
        "ws://fn.example",
        "wss://fn.example",
        "ftp://fn.example",
        "file://fn.example/etc/passwd",
        "gopher://fn.example",
        "data:text/plain,fn.example",
        "javascript:https://fn.example",
        "self:/fn.example",
        "//fn.example",
        "fn.example",
        "/fn.example",
        // What parsers do not agree upon.
        "https:\\\\fn.example",
        "https://fn.example\\@evil.example",
        "https://evil.example\\@fn.example",
        "https://evil.example\\.fn.example",
        "https://fn.example\\",
        " https://fn.example",
        "https://fn.example ",
        "https://fn.\texample",
        "https://fn.example\n",
        "https://fn.example\r\nHost: evil.example",
        "ht\ntps://fn.example",
        "https://fn.example/\0",
        "https://fn.example/x y?sekrit",
        "https://fn.example /",
        "https://fn.example\u{2028}",
        "https://fn.example:443:443",
        "https://fn.example:80:443@evil.example",
        "https://[fn.example]",
        "https://[fn.example",
    ] {
        assert_eq!(called(url, &backend), None, "{url:?}");
    }
    assert_eq!(called(&format!("https://fn.example/{}", "a".repeat(4096)), &backend), None);
}

#[test]
fn an_allowed_host_may_be_spelt_as_in_any_url() {
    let backend = backend(ALLOWED);
    for (url, expected) in [
        ("https://fn.example", "https://fn.example/"),
        ("HTTP://FN.Example:8081/Path?q=1#part", "http://fn.example:8081/Path?q=1"),
        ("https://fn.example:443/%2e%2e/x", "https://fn.example/x"),
        ("https://fn%2Eexample", "https://fn.example/"),
        ("https://fn\u{3002}example", "https://fn.example/"),
        ("https:fn.example", "https://fn.example/"),
        ("https:////fn.example", "https://fn.example/"),
        ("https://@fn.example", "https://fn.example/"),
        ("https://fn.example/@evil.example", "https://fn.example/@evil.example"),
        ("https://fn.example?@evil.example", "https://fn.example/?@evil.example"),
        ("https://fn.example#@evil.example", "https://fn.example/"),
        ("https://port.example:8443", "https://port.example:8443/"),
        ("https://port.example:08443", "https://port.example:8443/"),
        ("https://B\u{dc}CHER.example", "https://xn--bcher-kva.example/"),
        ("http://[2001:0db8:0::1]:8443/", "http://[2001:db8::1]:8443/"),
    ] {
        assert_eq!(called(url, &backend).as_deref(), Some(expected), "{url:?}");
    }
}

#[test]
fn a_private_address_is_called_if_it_is_named_itself() {
    let backend =
        backend("function_calls = \"server\"\n[functions]\nallowed_endpoint_hosts = [\"127.0.0.1:9\"]\n");
    for url in ["http://127.0.0.1:9/", "http://2130706433:9/", "http://0x7f.1:9/"] {
        assert_eq!(called(url, &backend).as_deref(), Some("http://127.0.0.1:9/"), "{url}");
    }
    for url in ["http://localhost:9", "http://[::ffff:127.0.0.1]:9", "http://127.0.0.2:9", "http://127.0.0.1"]
    {
        assert_eq!(called(url, &backend), None, "{url}");
    }
}

#[test]
fn no_header_smuggles_another() {
    let backend = backend(ALLOWED);
    let endpoint = |headers: Value| {
        let endpoint = json!({"url": "https://fn.example", "headers": headers});
        let mut translated = outcome(&settings(endpoint), &backend).expect("a session");
        (translated.endpoints.remove("f").map(|endpoint| endpoint.headers), translated.warnings.len())
    };
    for (name, value) in [
        ("x", "a\r\nhost: evil.example"),
        ("x", "a\nb"),
        ("x", "a\0"),
        ("x", "\u{e9}"),
        ("x\r\nhost", "evil.example"),
        ("x: y", "z"),
        ("host ", "evil.example"),
        (" host", "evil.example"),
        ("host:", "evil.example"),
        ("\u{212a}eep-alive", "1"),
        ("", "a"),
    ] {
        assert_eq!(endpoint(json!({ name: value })), (None, 1), "{name:?}: {value:?}");
    }
    let many: serde_json::Map<_, _> = (0..65).map(|n| (format!("x-{n}"), json!(""))).collect();
    assert_eq!(endpoint(Value::Object(many.clone())), (None, 1));
    let fewer = many.into_iter().skip(1).collect();
    assert_eq!(endpoint(Value::Object(fewer)).0.map(|headers| headers.len()), Some(64));
    assert_eq!(endpoint(json!({"x": "a".repeat(8191)})).1, 0);
    assert_eq!(endpoint(json!({"x": "a".repeat(8192)})), (None, 1));
    // What is dropped takes no place.
    assert_eq!(endpoint(json!({"cookie": "a", "HOST": "a".repeat(8192)})).0.map(|h| h.len()), Some(1));
}

#[test]
fn many_endpoints_that_are_not_allowed_are_few_warnings() {
    let functions: Vec<_> =
        (0..1000).map(|n| json!({"name": format!("f{n}"), "endpoint": {"url": "http://h"}})).collect();
    let settings = json!({"type": "Settings", "agent": {"think": {"functions": functions}}});
    let translated = outcome(&settings, &backend(ALLOWED)).expect("a session");
    assert!(translated.endpoints.is_empty());
    assert_eq!(translated.warnings.len(), 17);
    let last = &translated.warnings[16].description;
    assert_eq!(last, "agent.think.functions: 984 further endpoints are not allowed");
}

#[test]
fn an_endpoint_is_printed_without_its_secrets() {
    let endpoint = json!({"url": "https://fn.example/sekrit?key=sekrit", "headers": {"x": "sekrit"}});
    let translated = outcome(&settings(endpoint), &backend(ALLOWED)).expect("a session");
    let printed = format!("{:?}", translated.endpoints);
    assert_eq!(printed, "{\"f\": Endpoint(https://fn.example, 1 headers)}");
}

proptest! {
    /// However the pieces of a URL are put together: what passes leads to an allowed host and port, for the
    /// parser that judged it and for the one that will call it.
    #[test]
    fn what_passes_leads_to_an_allowed_host(pieces in prop::collection::vec(select(PIECES), 1..8)) {
        let text = pieces.concat();
        let backend = backend(ALLOWED);
        for url in [text.clone(), format!("https://{text}")] {
            let Some(called) = called(&url, &backend) else { continue };
            let uri: Uri = called.parse().expect("the client can call it");
            let https = uri.scheme_str() == Some("https");
            prop_assert!(https || uri.scheme_str() == Some("http"), "{url:?}");
            let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
            prop_assert!(!uri.authority().expect("an authority").as_str().contains('@'), "{url:?}");
            let host = Host::parse(uri.host().expect("a host")).expect("a host").to_string();
            let fits = match host.as_str() {
                "fn.example" | "xn--bcher-kva.example" => true,
                "port.example" | "[2001:db8::1]" => port == 8443,
                _ => false,
            };
            prop_assert!(fits, "{url:?} leads to {host}:{port}");
        }
    }
}

const PIECES: &[&str] = &[
    "http",
    "https",
    "HTTPS",
    "ws",
    ":",
    "://",
    "//",
    "/",
    "\\",
    "@",
    "#",
    "?",
    "%",
    "%2e",
    "%40",
    "%00",
    ".",
    "\t",
    "\n",
    " ",
    "[",
    "]",
    "fn.example",
    "FN.example",
    "port.example",
    "port.example:8443",
    "https://fn.example",
    "http://port.example",
    "evil.example",
    "b\u{fc}cher.example",
    "127.0.0.1",
    "[2001:db8::1]",
    ":8443",
    ":80",
    ":443",
    "user",
    "user:pass@",
    "\u{3002}",
    "\u{ad}",
    "|",
    "`",
    "{",
    "\"",
    "^",
];
