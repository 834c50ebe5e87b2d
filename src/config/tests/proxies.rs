//! `server.trusted_proxies`: what is an address or a network, and what is refused as none.

use super::{BACKEND, load, load_with, refuses};

fn read(list: &str) -> Vec<String> {
    let text = format!("[server]\ntrusted_proxies = {list}\n{BACKEND}");
    let config = load(&text).unwrap_or_else(|error| panic!("{error}"));
    config.server.trusted_proxies.iter().map(ToString::to_string).collect()
}

#[test]
fn addresses_and_networks_of_both_kinds() {
    assert_eq!(read("[]"), Vec::<String>::new());
    let list = read(r#"["10.0.0.0/8", "192.0.2.7", "::1", "fd00::/8", "2001:db8::/32"]"#);
    assert_eq!(list, ["10.0.0.0/8", "192.0.2.7/32", "::1/128", "fd00::/8", "2001:db8::/32"]);
    let mapped = read(r#"["::ffff:192.0.2.7", "::ffff:10.0.0.0/104", "::ffff:0:0/96"]"#);
    assert_eq!(mapped, ["192.0.2.7/32", "10.0.0.0/8", "0.0.0.0/0"]);
}

#[test]
fn a_variable_sets_the_list() {
    let name = "VOXBRIDGE__SERVER__TRUSTED_PROXIES";
    let text = format!("[server]\ntrusted_proxies = [\"10.0.0.7\"]\n{BACKEND}");
    let config = load_with(&text, &[(name, "192.0.2.0/24, ::1")]).expect("a list");
    let shown = config.show();
    assert!(shown.contains("trusted_proxies = [\"192.0.2.0/24\", \"::1/128\"]\n"), "{shown}");
    let reason = "server.trusted_proxies[1]: has bits set behind its prefix, is 10.0.0.0/8 meant?";
    refuses(&text, &[(name, "::1,10.0.0.7/8")], &format!("environment variable {name}: {reason}"));
}

#[test]
fn anything_else_is_refused() {
    let form = "must be an address or a network, like \"10.0.0.7\", \"10.0.0.0/8\" or \"fd00::/8\"";
    for (entry, reason) in [
        ("", form),
        ("localhost", form),
        ("unix", form),
        ("10.0.0.0/33", form),
        ("10.0.0/8", form),
        ("10.0.0.1:80", form),
        ("[::1]", form),
        ("fe80::1%eth0", form),
        ("::/129", form),
        ("*", form),
        ("10.0.0.1/8", "has bits set behind its prefix, is 10.0.0.0/8 meant?"),
        ("fd00::1/8", "has bits set behind its prefix, is fd00::/8 meant?"),
    ] {
        let text = format!("[server]\ntrusted_proxies = [\"::1\", {entry:?}]\n{BACKEND}");
        refuses(&text, &[], &format!("my.toml: server.trusted_proxies[1]: {reason}"));
    }
    let text = format!("[server]\ntrusted_proxies = \"::1\"\n{BACKEND}");
    refuses(&text, &[], "my.toml: server.trusted_proxies: expected a list, found \"::1\"");
    let text = format!("[server]\ntrusted_proxies = [7]\n{BACKEND}");
    refuses(&text, &[], "my.toml: server.trusted_proxies[0]: expected text, found an integer");
}

#[test]
fn trust_in_everybody_is_worth_a_warning() {
    let warnings = |list: &str| {
        load(&format!("[server]\ntrusted_proxies = {list}\n{BACKEND}")).expect("a list").warnings
    };
    for list in [r#"["0.0.0.0/0"]"#, r#"["10.0.0.0/8", "::/0"]"#] {
        let said = warnings(list);
        assert!(said.len() == 1 && said[0].starts_with("server.trusted_proxies: every"), "{said:?}");
    }
    assert!(warnings(r#"["0.0.0.0/1", "::1"]"#).is_empty());
}
