//! What the commands print of a configuration, good or bad: no secret of it, wherever it was put by mistake.

use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::search::Canaries;
use crate::peers::gateway::run_with;

/// A secret of every kind; each is good where it belongs.
const KEY: &str = "canary-key-1a2b-1a2b-1a2b-1a2b-1a2b-1a2b";
const BACKEND: &str = "[[backends]]\nname = \"openai\"\nkind = \"openai-realtime\"\npath = \"/openai\"\n";

/// Runs `check` with the secret in the environment too; what it printed.
async fn checked(toml: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let environment = [environment, &[("CANARY", KEY), ("RUST_LOG", "trace")]].concat();
    let (finished, _) = run_with(&["check", "--config", "FILE"], toml, &environment).await;
    (finished.status, finished.stdout + &finished.stderr)
}

#[tokio::test]
async fn what_is_in_force_is_printed_without_secrets() {
    let files = TempDir::new().expect("a temporary directory");
    let file = files.path().join("secret");
    std::fs::write(&file, KEY).expect("it can be written");
    let set = files.path().join("keys.json");
    let k = base64_simd::URL_SAFE_NO_PAD.encode_to_string(KEY);
    std::fs::write(&set, json!({"keys": [{"kty": "oct", "kid": "new", "k": k}]}).to_string())
        .expect("it can be written");
    let good = format!(
        "[auth]\nmode = \"jwt\"\n[auth.jwt]\nsecret = \"{KEY}\"\njwks_file = {set:?}\n\
         [[auth.tokens]]\nsubject = \"a\"\ntoken = \"{KEY}-1\"\n\
         [[auth.tokens]]\nsubject = \"b\"\ntoken_env = \"CANARY\"\n\
         [[functions.route]]\nnames = [\"f\"]\nurl = \"https://h/?code={KEY}\"\n\
         headers = {{ a = \"{KEY}\", b = \"Bearer ${{CANARY}}\" }}\n"
    );
    for source in [
        format!("api_key = \"{KEY}\""),
        "api_key_env = \"CANARY\"".to_owned(),
        format!("api_key_file = {file:?}"),
    ] {
        let backend =
            format!("{BACKEND}url = \"wss://h/v1?api-key={KEY}\"\n{source}\nheaders = {{ a = \"{KEY}\" }}\n");
        let (status, printed) = checked(&format!("{good}{backend}"), &[]).await;
        assert_eq!(status, Some(0), "{printed}");
        Canaries::new(&[KEY]).assert_none("what is printed", &printed);
        assert!(printed.contains("***"), "{printed}");
    }
    let deepgram = "[[backends]]\nname = \"dg\"\nkind = \"deepgram-agent\"\npath = \"/dg\"\nurl = \"wss://h\"\n\
                    transcription_url = \"wss://h/v1/listen\"\n";
    let (status, printed) =
        checked(&format!("{deepgram}api_key = \"{KEY}\"\nquery_defaults = {{ api_key = \"{KEY}\" }}\n"), &[])
            .await;
    assert_eq!(status, Some(0), "{printed}");
    Canaries::new(&[KEY]).assert_none("what is printed", &printed);
}

/// Lines of a backend that are refused, each with the secret where it does not belong.
fn wrong_backends() -> Vec<String> {
    let mut lines: Vec<String> = [
        "api_key_env",
        "api_key_file",
        "model",
        "auth_header",
        "function_calls",
        "dialect",
        "connect_timeout_ms",
        "dial_attempts",
        "voice",
        "voices",
        "headers",
        "tools",
        "lock",
        "greeting_mode",
        "barge_in",
        "turn_detection",
        "transcription",
        "limits",
        "query_defaults",
        "aliases",
    ]
    .iter()
    .map(|name| format!("{name} = \"{KEY}\""))
    .collect();
    lines.extend([
        format!("api_key = [\"{KEY}\"]"),
        format!("api_key = {{ key = \"{KEY}\" }}"),
        format!("api_key = \"{KEY}\\n\""),
        format!("api_key = \"{KEY}\"\napi_key_env = \"CANARY\""),
        format!("api_key = \"{KEY}\"\napi_key = \"{KEY}\""),
        format!("api_key = {KEY}"),
        format!("api_key = \"{KEY}"),
        format!("api_key = '{KEY}' '{KEY}'"),
        format!("apikey = \"{KEY}\""),
        format!("headers = {{ a = \"{KEY}\\u0001\" }}"),
        format!("headers = {{ a = [\"{KEY}\"] }}"),
        format!("headers = {{ a = \"${{CANARY}}\", \"a b\" = \"{KEY}\" }}"),
        format!("headers = {{ a = \"${{{KEY}}}\" }}"),
        format!("headers = {{ a = \"{KEY}${{\" }}"),
        format!("headers = {{ authorization = \"{KEY}\", host = \"{KEY}\" }}"),
        format!("instructions = [\"{KEY}\"]"),
    ]);
    lines
}

#[tokio::test]
async fn what_is_refused_is_refused_without_secrets() {
    let canaries = Canaries::new(&[KEY]);
    let mut files: Vec<String> =
        wrong_backends().iter().map(|lines| format!("{BACKEND}url = \"wss://h\"\n{lines}\n")).collect();
    files.extend(
        [
            format!("wss://user:{KEY}@h"),
            format!("https://h/?api-key={KEY}"),
            format!("wss://h/#{KEY}"),
            format!("wss://h:99999/?token={KEY}"),
            format!("wss:///?key={KEY}"),
            KEY.to_owned(),
        ]
        .map(|url| format!("{BACKEND}url = \"{url}\"\n")),
    );
    let backend = format!("{BACKEND}url = \"wss://h\"\n");
    for section in [
        format!("[server]\nport = \"{KEY}\""),
        format!("[server]\nkey = \"{KEY}\""),
        format!("[logging]\nlevel = \"{KEY}\""),
        format!("[auth]\nmode = \"{KEY}\""),
        format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\nsecret_env = \"{KEY}\""),
        format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\nsecret_file = \"{KEY}\""),
        format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\nsecret = [\"{KEY}\"]"),
        format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\nsecret = \"{KEY}\"\nissuer = []"),
        format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\npublic_key = \"{KEY}\""),
        format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\nsigning_key = \"{KEY}\""),
        format!("[auth]\nmode = \"tokens\"\ntokens = \"{KEY}\""),
        format!("[auth]\nmode = \"tokens\"\ntokens = [\"{KEY}\"]"),
        format!("[auth]\nmode = \"tokens\"\n[[auth.tokens]]\nsubject = \"a\"\ntoken = [\"{KEY}\"]"),
        format!("[auth]\nmode = \"tokens\"\n[[auth.tokens]]\nsubject = \"a\"\ntoken = \"{KEY} \""),
        format!("[auth]\nmode = \"tokens\"\n[[auth.tokens]]\nsubject = \"a\"\ntoken_env = \"{KEY}\""),
        format!("[auth]\nmode = \"tokens\"\n[[auth.tokens]]\ntoken = \"{KEY}\""),
        format!(
            "[auth]\nmode = \"tokens\"\n[[auth.tokens]]\nsubject = \"a\"\ntoken = \"{KEY}\"\n\
                 [[auth.tokens]]\nsubject = \"b\"\ntoken = \"{KEY}\""
        ),
        format!("[auth]\nmode = \"none\"\n[[auth.tokens]]\nsubject = \"a\"\ntoken = \"{KEY}\""),
        format!("[[functions.route]]\nnames = [\"f\"]\nurl = \"https://user:{KEY}@h/\""),
        format!("[[functions.route]]\nnames = [\"f\"]\nurl = \"ftp://h/?code={KEY}\""),
        format!(
            "[[functions.route]]\nnames = [\"f\"]\nurl = \"https://h\"\nheaders = {{ a = \"{KEY}\", host = \"{KEY}\" }}"
        ),
        format!("[[functions.route]]\nnames = [\"f\"]\nurl = \"https://h\"\nheaders = \"{KEY}\""),
    ] {
        files.push(format!("{section}\n{backend}"));
    }
    let mut accepted = Vec::new();
    for toml in files {
        let (status, printed) = checked(&toml, &[]).await;
        // Some are no mistake: a model may have any name.
        if status == Some(0) && toml.contains("model = ") || toml.contains("voice = ") {
            accepted.push(toml);
            continue;
        }
        assert_eq!(status, Some(2), "accepted:\n{toml}\n{printed}");
        assert!(printed.contains("voxbridge: "), "{printed}");
        canaries.assert_none(&format!("what is said of\n{toml}\n"), &printed);
    }
    assert_eq!(accepted.len(), 2, "everything else is refused: {accepted:?}");
}

#[tokio::test]
async fn variables_that_are_refused_are_refused_without_their_values() {
    let toml = format!("{BACKEND}url = \"wss://h\"\n");
    let canaries = Canaries::new(&[KEY]);
    for name in [
        "SERVER__PORT",
        "SERVER__HOST__KEY",
        "SERVER__TLS_KEY",
        "LOGGING__LEVEL",
        "AUTH__MODE",
        "AUTH__JWT__SECRET",
        "AUTH__JWT__SECRET_ENV",
        "AUTH__TOKENS",
        "API_KEY",
        "BACKENDS__OPENAI",
        "BACKENDS__OPENAI__APIKEY",
        "BACKENDS__OPENAI__API_KEY__X",
        "BACKENDS__OTHER__API_KEY",
        "BACKENDS__OPENAI__API_KEY_ENV",
        "BACKENDS__OPENAI__API_KEY_FILE",
        "BACKENDS__OPENAI__HEADERS",
        "BACKENDS__OPENAI__HEADERS__HOST",
        "BACKENDS__OPENAI__URL",
        "BACKENDS__OPENAI__DIAL_ATTEMPTS",
        "BACKENDS__OPENAI__BARGE_IN",
    ] {
        let (status, printed) = checked(&toml, &[(&format!("VOXBRIDGE__{name}"), KEY)]).await;
        assert_eq!(status, Some(2), "{name}: {printed}");
        canaries.assert_none(&format!("what is said of {name}"), &printed);
    }
    let key = [("VOXBRIDGE__BACKENDS__OPENAI__API_KEY", KEY)];
    let (status, printed) = checked(&toml, &key).await;
    assert_eq!(status, Some(0), "{printed}");
    canaries.assert_none("what is in force", &printed);
    let (status, printed) = checked(&toml, &[key[0], ("VOXBRIDGE__SERVER__PORT", "x")]).await;
    assert_eq!(status, Some(2), "{printed}");
    canaries.assert_none("what is said of the port", &printed);
}

#[tokio::test]
async fn files_with_keys_that_cannot_be_used_are_not_quoted() {
    let files = TempDir::new().expect("a temporary directory");
    let file = files.path().join("secret.pem");
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&file).status();
    assert!(made.is_ok_and(|status| status.success()), "openssl makes a key");
    let pem = std::fs::read_to_string(&file).expect("it was made");
    let body: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    let canaries = Canaries::new(&[KEY, &body]);
    let backend = format!("{BACKEND}url = \"wss://h\"\n");
    for (wrong, text) in [
        ("whole", pem.clone()),
        ("cut", pem[..pem.len() - 30].to_owned()),
        ("swapped", pem.replace("PRIVATE", "PUBLIC")),
        ("a key as it is", KEY.to_owned()),
    ] {
        std::fs::write(&file, &text).expect("it can be written");
        for lines in [
            format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\npublic_key_file = {file:?}"),
            format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\njwks_file = {file:?}"),
        ] {
            let (status, printed) = checked(&format!("{lines}\n{backend}"), &[]).await;
            assert_eq!(status, Some(2), "{wrong} {lines}: {printed}");
            canaries.assert_none(wrong, &printed);
        }
    }
}
