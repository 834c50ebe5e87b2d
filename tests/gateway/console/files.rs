//! How the files of the console are served, to whom and where.
//! Knows no file by name but the page itself and one that it loads.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::identity::stage::Stage;
use crate::peers::gateway::Config;
use crate::peers::http::{self, Answer};
use crate::peers::mock::Mock;
use crate::peers::s;
use crate::peers::script::Script;
use crate::peers::tls::Files;

/// The page's policy: nothing from elsewhere, nothing to elsewhere, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'";

/// One of five keys, never dialled.
fn config() -> Config {
    Config::for_url("ws://127.0.0.1:9/")
}

/// The files of the page as they are in the sources, by the path that each is served at.
fn files() -> BTreeMap<String, String> {
    fn add(directory: &Path, path: &str, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(directory).expect("the directory can be read") {
            let file = entry.expect("an entry").path();
            let name = file.file_name().expect("a name").to_str().expect("UTF-8");
            if file.is_dir() {
                add(&file, &format!("{path}{name}/"), files);
            } else {
                files.insert(format!("{path}{name}"), fs::read_to_string(&file).expect("it is text"));
            }
        }
    }
    let mut files = BTreeMap::new();
    add(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/page"), "/console/", &mut files);
    let page = files.remove("/console/index.html").expect("there is a page");
    files.insert("/".to_owned(), page);
    files
}

#[track_caller]
fn assert_headers(answer: &Answer, what: &str) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-cache"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}");
    }
    let features = answer.header("permissions-policy").expect("a policy of features");
    let allowed: Vec<_> = features.split(", ").filter(|feature| !feature.ends_with("=()")).collect();
    assert_eq!(allowed, ["microphone=(self)", "autoplay=(self)"], "{what}");
    assert!(features.contains(" camera=()") && features.contains(" geolocation=()"), "{features}");
    for name in ["set-cookie", "access-control-allow-origin"] {
        assert_eq!(answer.header(name), None, "{what}");
    }
}

fn refusal(answer: &Answer) -> (u16, String) {
    let code = answer.json()["error"]["code"].as_str().expect("a code").to_owned();
    (answer.status, code)
}

fn not_found() -> (u16, String) {
    (404, "not_found".to_owned())
}

#[tokio::test]
async fn every_file_is_served_as_it_is_with_its_type_and_every_header() {
    let gateway = config().start().await;
    let open =
        format!("open: http://127.0.0.1:{}/ (console: talk to the backends in a browser)", gateway.port());
    gateway.expect_printed(&open).await;
    let mut connection = http::Connection::open(gateway.port()).await;
    for (path, content) in files() {
        connection.head("GET", &path, "").await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, &answer.body), (200, &content), "{path}");
        assert_headers(&answer, &path);
        let media_type = match path.rsplit_once('.') {
            None => "text/html; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            Some(_) => "",
        };
        assert_eq!(answer.header("content-type"), Some(media_type), "{path}");
        connection.head("HEAD", &path, "").await;
        let head = connection.answer().await;
        assert_eq!(
            (head.status, head.header("content-length")),
            (200, Some(&*content.len().to_string())),
            "{path}"
        );
        assert_eq!(head.header("content-type"), Some(media_type), "{path}");
        assert_headers(&head, &path);
    }
}

#[test]
fn the_page_names_what_it_loads_from_where_it_is_itself() {
    let page = files().remove("/").expect("there is a page");
    let attributes = page.split([' ', '>']).filter_map(|part| part.trim().split_once("=\""));
    let references = attributes.filter(|(name, _)| ["href", "src"].contains(name));
    let references = references.map(|(_, value)| value.split('"').next().unwrap_or_default());
    let served = files();
    let mut count = 0;
    for reference in references {
        let path = format!("/{}", reference.strip_prefix("./").unwrap_or(reference));
        assert!(
            reference.starts_with('#') || served.contains_key(&path),
            "{reference} is not below the page"
        );
        count += 1;
    }
    assert!(count >= 2, "only {count} references");
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let gateway = config().start().await;
    let mut tags = Vec::new();
    for path in files().keys() {
        let first = http::get(gateway.port(), path, "").await;
        let tag = first.header("etag").expect("a version").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 30, "{tag}");
        let ask =
            async |known: &str| http::get(gateway.port(), path, &format!("If-None-Match: {known}\r\n")).await;
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", W/\"x\",{tag}"), "*".to_owned()] {
            let answer = ask(&known).await;
            assert_eq!((answer.status, answer.header("etag")), (304, Some(&*tag)), "{path} {known}");
            assert_eq!(
                (answer.header("content-length"), answer.header("content-type")),
                (None, None),
                "{path}"
            );
            assert_headers(&answer, path);
        }
        let several = "If-None-Match: \"other\"\r\nIf-None-Match: ".to_owned() + &tag + "\r\n";
        assert_eq!(http::get(gateway.port(), path, &several).await.status, 304);
        let head = http::send(gateway.port(), "HEAD", path, &format!("If-None-Match: {tag}\r\n")).await;
        assert_eq!(head.status, 304, "{path}");
        let unquoted = tag.trim_matches('"').to_owned();
        let cut = tag[..tag.len() - 1].to_owned();
        for other in ["\"other\"", "W/\"other\"", "", "\"", "W/\"", "W/", "\"\"", ",", &unquoted, &cut] {
            let answer = ask(other).await;
            assert_eq!((answer.status, answer.header("etag")), (200, Some(&*tag)), "{path} {other}");
        }
        tags.push(tag);
    }
    let all = tags.len();
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), all, "two files have one version");
}

#[tokio::test]
async fn other_methods_and_other_paths_are_refused_counted_and_logged() {
    let gateway = config().start().await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "ODD"] {
        for path in ["/", "/console/main.js"] {
            let answer = http::send(gateway.port(), method, path, "").await;
            assert_eq!(refusal(&answer), (405, "method_not_allowed".to_owned()), "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
    let paths = [
        "//",
        "/.",
        "/index.html",
        "/console",
        "/console/",
        "/console//",
        "/console/index.html",
        "/Console/main.js",
        "/console/main.js/",
        "/console//main.js",
        "/console/./main.js",
        "//console/main.js",
        "/console/no.js",
        "/console/..",
        "/console/../Cargo.toml",
        "/console/../../Cargo.toml",
        "/console/../src/main.rs",
        "/console/%2e%2e/Cargo.toml",
        "/console/..%2fCargo.toml",
        "/console/%2e%2e%2f%2e%2e%2fetc/passwd",
        "/console/..%5cmod.rs",
        "/console//etc/passwd",
        "/console/%00",
        "/console/main.js%00",
        "/console/%0a",
        "/console/%ff%fe",
        "/console/%",
        "/console/%c3%28",
        "/console%2fmain.js",
    ];
    for path in paths {
        assert_eq!(refusal(&http::get(gateway.port(), path, "").await), not_found(), "{path}");
    }
    // One path may be written in many ways, and a query says nothing to the gateway.
    for path in ["/?token=x", "/?", "/console/%6dain.js", "/console/main.js?v=1"] {
        assert_eq!(http::get(gateway.port(), path, "").await.status, 200, "{path}");
    }
    let metrics = http::get(gateway.port(), "/metrics", "").await.body;
    for (code, count) in [("method_not_allowed", 12), ("not_found", paths.len())] {
        let line = format!("voxbridge_refusals_total{{code=\"{code}\"}} {count}");
        assert!(metrics.contains(&line), "no {line}");
    }
    gateway.expect_log(&["refused path=/ ", "code=method_not_allowed"], s(5)).await;
    gateway.expect_log(&["refused path=- ", "code=not_found"], s(5)).await;
    assert!(!gateway.log().contains("Cargo"), "a path that is nobody's is in the log");
}

#[tokio::test]
async fn it_can_be_switched_off_and_on_again_while_the_program_runs() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Config::for_mock(&mock).section("[console]\nenabled = false").start().await;
    let mut live = gateway.connect().await;
    live.open_s().await;
    for on in [false, true, false] {
        let text = format!("enabled = {on}");
        if on || gateway.log().contains("configuration reloaded") {
            gateway.reload_with(|toml| toml.replace(&format!("enabled = {}", !on), &text)).await;
            gateway.expect_log(&["configuration reloaded", "sections changed: [console]"], s(1)).await;
        }
        for path in files().keys() {
            for method in ["GET", "HEAD"] {
                let answer = http::send(gateway.port(), method, path, "").await;
                assert_eq!(answer.status, if on { 200 } else { 404 }, "{method} {path} {text}");
                assert_eq!(answer.header("content-security-policy").is_some(), on, "{method} {path} {text}");
            }
            let posted = refusal(&http::send(gateway.port(), "POST", path, "").await);
            let unknown = if on { (405, "method_not_allowed".to_owned()) } else { not_found() };
            assert_eq!(posted, unknown, "{path} {text}");
        }
        assert_eq!(http::get(gateway.port(), "/v1/backends", "").await.status, 200);
    }
    assert!(!gateway.output().contains("open: http"), "a page is announced that is not there");
    live.assert_goes_on().await;
}

#[tokio::test]
async fn it_needs_no_token_and_is_served_to_pages_of_any_origin() {
    let stage = Stage::start_with("", &[("VOXBRIDGE__AUTH__ALLOWED_ORIGINS", "https://shop.example")]).await;
    for headers in ["", "Origin: https://evil.example\r\n", "Authorization: Bearer wrong\r\n"] {
        for path in ["/", "/console/main.js"] {
            let answer = http::get(stage.gateway.port(), path, headers).await;
            assert_eq!(answer.status, 200, "{path} {headers}");
            assert_headers(&answer, path);
        }
    }
    assert_eq!(http::get(stage.gateway.port(), "/v1/backends", "").await.status, 401);
}

#[tokio::test]
async fn it_is_where_clients_connect_and_not_where_probes_are_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    let admin = listener.local_addr().expect("the listener is bound").port();
    drop(listener);
    let gateway = config().section(&format!("admin_port = {admin}")).start().await;
    for path in ["/", "/console/main.js"] {
        assert_eq!(http::get(gateway.port(), path, "").await.status, 200, "{path}");
        assert_eq!(refusal(&http::get(admin, path, "").await), not_found(), "{path}");
    }
}

#[tokio::test]
async fn a_listener_with_tls_serves_it_with_tls() {
    let (tls, trust) = Files::new();
    let gateway = config().section(&tls.toml()).start().await;
    let url = format!("https://127.0.0.1:{}/", gateway.port());
    gateway.expect_printed(&format!("open: {url} (console: talk to the backends in a browser)")).await;
    for (path, content) in files() {
        let mut stream = trust.connect(gateway.port()).await.expect("it is trusted");
        let request = format!("GET {path} HTTP/1.1\r\nHost: voice.example.com\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it can be sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it is answered");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {answer}");
        assert!(
            answer.contains(POLICY) && answer.ends_with(&format!("\r\n\r\n{content}")),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn who_opens_it_where_it_may_not_connect_is_told_at_start() {
    let told = "the console may not connect if it is opened here";
    let gateway = config().section("[auth]\nallowed_origins = [\"https://shop.example\"]").start().await;
    let origin = format!("origin=http://127.0.0.1:{}", gateway.port());
    gateway.expect_log(&["INFO", told, &origin], s(5)).await;
    let any = config().start().await;
    any.expect_log(&["starting service"], s(5)).await;
    assert!(!any.log().contains(told), "any page may connect");
}
