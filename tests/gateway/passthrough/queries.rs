//! The query of an upgrade goes upstream as it is written, without the gateway's own parameters and with the defaults
//! that the client leaves out.

use super::stage::Stage;
use crate::peers::raw::RawUpstream;

#[tokio::test]
async fn parameters_go_up_as_they_are_written_and_in_their_order() {
    let stage = Stage::start("").await;
    let cases = [
        ("/dg", ""),
        ("/dg?", ""),
        ("/dg?b=2&a=1&b=3", "?b=2&a=1&b=3"),
        (
            "/dg?keyterm=a%20b&keyterm=c+d&keyterm=%C3%A4&x%5B%5D=1",
            "?keyterm=a%20b&keyterm=c+d&keyterm=%C3%A4&x%5B%5D=1",
        ),
        ("/dg?flag&empty=&=nameless&a=b=c", "?flag&empty=&=nameless&a=b=c"),
        ("/dg?a=%0d%0aX-Evil:%20y%00&%0D%0A=b", "?a=%0d%0aX-Evil:%20y%00&%0D%0A=b"),
        ("/dg?a=%zz&%=b&%e2%28=c", "?a=%zz&%=b&%e2%28=c"),
        ("/dg?services=1&tokens=2&traceid=3&Token=4", "?services=1&tokens=2&traceid=3&Token=4"),
    ];
    for (target, forwarded) in cases {
        assert_eq!(stage.forwarded(target).await, format!("/v1/agent/converse{forwarded}"), "{target}");
    }
}

#[tokio::test]
async fn the_gateways_own_parameters_stay_however_they_are_written() {
    let stage = Stage::start("").await;
    for own in [
        "service=agent",
        "token=x",
        "traceId=x",
        "tok%65n=x",
        "%74raceId=x",
        "servic%65=agent",
        "token",
        "token=",
    ] {
        let target = format!("/dg?{own}&model=nova-3&{own}");
        assert_eq!(stage.forwarded(&target).await, "/v1/agent/converse?model=nova-3", "{own}");
        assert_eq!(stage.forwarded(&format!("/dg?{own}")).await, "/v1/agent/converse", "{own}");
    }
}

#[tokio::test]
async fn a_long_query_goes_up_whole() {
    let stage = Stage::start("").await;
    let long = "x".repeat(30_000);
    let forwarded = stage.forwarded(&format!("/dg?a={long}&token=secret")).await;
    assert_eq!(forwarded, format!("/v1/agent/converse?a={long}"));
}

const DEFAULTS: &str = "query_defaults = { model = \"nova-3\", smart_format = true, endpointing = 300, \
    keyterm = [\"two words\", \"b&c\"] }";

#[tokio::test]
async fn what_a_client_of_transcription_leaves_out_has_its_default() {
    let stage = Stage::start(DEFAULTS).await;
    let pairs = async |target: &str| {
        let forwarded = stage.forwarded(target).await;
        let (path, query) = forwarded.split_once('?').unwrap_or((&forwarded, ""));
        assert_eq!(path, "/v1/listen");
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect::<Vec<_>>()
    };
    let owned = |pairs: &[(&str, &str)]| -> Vec<_> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let sorted = |mut pairs: Vec<(String, String)>| {
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs
    };
    let terms = [("keyterm", "two words"), ("keyterm", "b&c")];
    let all = [&[("endpointing", "300")], terms.as_slice(), &[("model", "nova-3"), ("smart_format", "true")]]
        .concat();
    assert_eq!(sorted(pairs("/dg?service=transcription").await), owned(&all));
    // What the client names is its own, once or more often, and stands first.
    let named = pairs("/dg/v1/listen?keyterm=mine&mod%65l=nova-2&language=de&service=transcription").await;
    assert_eq!(named[..3], owned(&[("keyterm", "mine"), ("model", "nova-2"), ("language", "de")]));
    assert_eq!(sorted(named[3..].to_vec()), owned(&[("endpointing", "300"), ("smart_format", "true")]));
}

#[tokio::test]
async fn defaults_are_for_the_version_that_is_configured_and_never_for_the_agent() {
    let stage = Stage::start(DEFAULTS).await;
    assert_eq!(stage.forwarded("/dg/v2/listen?model=flux").await, "/v2/listen?model=flux");
    assert_eq!(stage.forwarded("/dg?service=agent").await, "/v1/agent/converse");
}

#[tokio::test]
async fn the_configured_urls_own_query_stands_first() {
    let upstream = RawUpstream::start().await;
    let url = upstream.url("/prefix/v1/listen?tag=ours");
    let stage = Stage::start_at(upstream, &format!("transcription_url = \"{url}\""), &[]).await;
    assert_eq!(
        stage.forwarded("/dg/transcription?model=nova-3&tag=mine").await,
        "/prefix/v1/listen?tag=ours&model=nova-3&tag=mine"
    );
}
