//! Which service a path and a query choose, and what is refused.

use super::stage::Stage;
use crate::peers::http::{self, UPGRADE};

const AGENT: &str = "/v1/agent/converse";

#[tokio::test]
async fn every_ending_of_every_path_leads_to_its_service() {
    let stage = Stage::start("aliases = [\"/alias\", \"/v1/listen\", \"/own/v2/listen\"]").await;
    for base in ["/dg", "/alias"] {
        for (ending, upstream) in [
            ("", AGENT),
            ("/agent", AGENT),
            ("/transcription", "/v1/listen"),
            ("/v1/agent/converse", AGENT),
            ("/v1/listen", "/v1/listen"),
            ("/v2/listen", "/v2/listen"),
        ] {
            let target = format!("{base}{ending}");
            assert_eq!(stage.forwarded(&target).await, upstream, "{target}");
        }
    }
    assert_eq!(stage.forwarded("/v1/listen").await, "/v1/listen");
    assert_eq!(stage.forwarded("/own/v2/listen").await, "/v2/listen");
    // However a path is written, it is the same.
    assert_eq!(stage.forwarded("/dg/v1/liste%6e").await, "/v1/listen");
    assert_eq!(stage.forwarded("/%64g/%74ranscription").await, "/v1/listen");
}

#[tokio::test]
async fn the_query_chooses_before_the_path() {
    let stage = Stage::start("").await;
    for (target, upstream) in [
        ("/dg?service=agent", AGENT),
        ("/dg?service=transcription", "/v1/listen"),
        ("/dg/agent?service=transcription", "/v1/listen"),
        ("/dg/transcription?service=agent", AGENT),
        ("/dg/v1/listen?service=agent", AGENT),
        ("/dg/v2/listen?service=transcription", "/v2/listen"),
        ("/dg?service=nonsense&service=agent", AGENT),
        ("/dg?service=agent&servic%65=transcription", "/v1/listen"),
    ] {
        assert_eq!(stage.forwarded(target).await, upstream, "{target}");
    }
}

#[tokio::test]
async fn an_unknown_service_is_refused_before_upstream_is_dialled() {
    let stage = Stage::start("").await;
    let port = stage.gateway.port();
    for query in
        ["service=nonsense", "service=", "service", "service=Agent", "service=agent&service=x", "s%65rvice=x"]
    {
        let answer = http::get(port, &format!("/dg?{query}"), UPGRADE).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()["error"]["code"], "unknown_service", "{query}");
    }
    assert!(stage.upstream.is_left_alone().await);
}

#[tokio::test]
async fn a_path_that_no_ending_makes_is_not_found() {
    let stage = Stage::start("aliases = [\"/own/v1/listen\"]").await;
    for path in ["/dg/nonsense", "/dg/v3/listen", "/dg/agent/agent", "/own/v1/listen/agent", "/v1/listen"] {
        assert_eq!(http::get(stage.gateway.port(), path, UPGRADE).await.status, 404, "{path}");
    }
    assert!(stage.upstream.is_left_alone().await);
}
