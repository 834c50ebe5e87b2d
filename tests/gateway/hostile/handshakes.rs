//! Handshakes that are not one (RFC 6455, 4.2.1): refused with a status and a reason, upstream is not dialled.

use super::assert_no_panic;
use crate::peers::gateway::{Gateway, PATH};
use crate::peers::http::{UPGRADE, get, send};
use crate::peers::mock::Mock;
use crate::peers::script::Script;

#[tokio::test]
async fn a_handshake_has_its_version_and_key() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Gateway::for_mock(&mock).await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    assert!(UPGRADE.contains(key) && UPGRADE.contains(version));
    let with = |old: &str, new: &str| UPGRADE.replace(old, new);
    for headers in [
        with(version, ""),
        with(version, "Sec-WebSocket-Version: 8\r\n"),
        with(version, "Sec-WebSocket-Version: 130\r\n"),
        with(key, ""),
        with(key, "Sec-WebSocket-Key: \r\n"),
        with(key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n"),
        with(key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSBub25jZQ==\r\n"),
        with(key, "Sec-WebSocket-Key: !!hlIHNhbXBsZSBub25jZQ==\r\n"),
        with("Connection: Upgrade", "Connection: keep-alive"),
    ] {
        let answer = get(gateway.port(), PATH, &headers).await;
        assert_eq!(answer.status, 400, "{headers}");
        assert_eq!(answer.json()["error"]["code"], "bad_handshake", "{headers}");
        let is_of_another_version = headers.contains("Version: ") && !headers.contains(version);
        assert_eq!(
            answer.header("sec-websocket-version"),
            is_of_another_version.then_some("13"),
            "{headers}"
        );
    }
    let answer = get(gateway.port(), PATH, &with("Upgrade: websocket", "Upgrade: h2c")).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (426, &"upgrade_required".into()));
    let answer = send(gateway.port(), "POST", PATH, &format!("{UPGRADE}Content-Length: 0\r\n")).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (405, &"method_not_allowed".into()));
    assert!(mock.upgrades().is_empty(), "upstream was dialled");
    assert_no_panic(&gateway);
    gateway.assert_serves().await;
}
