//! The simulator's doors over real sockets.

use awc::error::WsClientError;
use serde_json::Value;

use crate::simulator::{
    deepgram::{Options, configure},
    served::Server,
};

fn start() -> Server {
    Server::start("/sim/deepgram", || configure(Options::default()))
}

const PATHS: [&str; 3] = ["/v1/agent/converse", "/v1/listen", "/v2/listen"];

#[actix_web::test]
async fn an_upgrade_has_a_request_id_and_echoes_the_scheme_alone() {
    let server = start();
    for path in PATHS {
        let query = match path {
            "/v1/listen" => "?key=k&model=nova-3",
            "/v2/listen" => "?key=k&model=flux-general-en",
            _ => "?key=k",
        };
        let request = awc::Client::new().ws(format!("{}{path}{query}", server.url)).protocols(["token", "k"]);
        let (response, _socket) = request.connect().await.expect("an upgrade");
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("sec-websocket-protocol"), Some("token"), "{path}");
        assert!(header("dg-request-id").is_some_and(|id| id.len() == 36), "{path}");
        assert_eq!(header("dg-error"), None);
    }
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn refusals_come_before_the_upgrade_with_their_headers() {
    let server = start();
    for (path, query, status, part) in [
        (PATHS[0], "key=k", 401, "credentials"),
        (PATHS[1], "key=k", 401, "credentials"),
        (PATHS[2], "key=k", 401, "credentials"),
        (PATHS[0], "b%C3%B6gus=1", 400, "b\\u{f6}gus"),
        (PATHS[0], "close_code=x%0D%0A", 400, "close_code"),
        (PATHS[0], "refuse=429", 429, "told to refuse"),
        (PATHS[1], "refuse=503", 503, "told to refuse"),
    ] {
        let url = format!("{}{path}?{query}", server.url);
        let refused = awc::Client::new().ws(&url).connect().await;
        let Err(WsClientError::InvalidResponseStatus(got)) = refused else { panic!("{query}: upgraded") };
        assert_eq!(got.as_u16(), status, "{query}");
        let mut response = awc::Client::new().get(&url).send().await.expect("an answer");
        let header =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (id, error) = (header("dg-request-id").expect("an id"), header("dg-error").expect("an error"));
        assert!(error.contains(part), "{query}: {error}");
        let body: Value = serde_json::from_slice(&response.body().await.expect("a body")).expect("JSON");
        assert_eq!(body["request_id"], id);
    }
    server.handle.stop(false).await;
}
