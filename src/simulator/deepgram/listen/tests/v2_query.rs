//! Which queries `listen` v2 takes.

use super::*;

fn refused(query: &str) -> String {
    let opened = listen::v2::Session::open(&pairs(query), "request-2".to_owned(), Options::default());
    let refused = opened.err().unwrap_or_else(|| panic!("{query}: let in"));
    assert_eq!(refused.status.as_u16(), 400, "{query}");
    refused.message
}

#[test]
fn every_parameter_is_known() {
    for query in [
        "model=flux-general-en",
        "model=flux-general-multi&encoding=linear16&sample_rate=16000&eager_eot_threshold=0.3&eot_threshold=0.5\
            &eot_timeout_ms=500&keyterm=a&keyterm=b&tag=t&tag=u&language_hint=en&language_hint=es\
            &profanity_filter=true&numerals=true&mip_opt_out=false&redact=numbers",
        "model=flux-general-en&encoding=mulaw&sample_rate=8000&eot_threshold=1.0&eager_eot_threshold=0.9\
            &eot_timeout_ms=60000&redact=aggressive_numbers",
        "model=flux-general-en&eot_threshold=0.6&eager_eot_threshold=0.6",
    ] {
        Client::v2(query, &[]);
    }
}

#[test]
fn a_bad_parameter_is_refused_by_name() {
    for (query, parts) in [
        ("", "model required"),
        ("model=", "model flux-general-en"),
        ("model=nova-3", "model flux-general-en"),
        ("model=flux-general-en&model=flux-general-en", "model once"),
        ("model=flux-general-en&bogus=1", "unknown bogus"),
        ("model=flux-general-en&interim_results=true", "unknown interim_results"),
        ("model=flux-general-en&endpointing=10", "unknown endpointing"),
        ("model=flux-general-en&utterance_end_ms=1000", "unknown utterance_end_ms"),
        ("model=flux-general-en&vad_events=true", "unknown vad_events"),
        ("model=flux-general-en&language=en", "unknown language"),
        ("model=flux-general-en&punctuate=true", "unknown punctuate"),
        ("model=flux-general-en&smart_format=true", "unknown smart_format"),
        ("model=flux-general-en&channels=1", "unknown channels"),
        ("model=flux-general-en&encoding=linear16", "encoding sample_rate"),
        ("model=flux-general-en&sample_rate=16000", "sample_rate encoding"),
        ("model=flux-general-en&encoding=flac&sample_rate=16000", "encoding expected"),
        ("model=flux-general-en&encoding=ogg-opus&sample_rate=16000", "encoding simulator"),
        ("model=flux-general-en&encoding=linear16&sample_rate=0", "sample_rate 8000"),
        ("model=flux-general-en&eager_eot_threshold=0.29", "eager_eot_threshold 0.3"),
        ("model=flux-general-en&eager_eot_threshold=0.91", "eager_eot_threshold 0.9"),
        ("model=flux-general-en&eager_eot_threshold=0.8", "eager_eot_threshold most"),
        ("model=flux-general-en&eot_threshold=0.49", "eot_threshold 0.5"),
        ("model=flux-general-en&eot_threshold=1.01", "eot_threshold 1"),
        ("model=flux-general-en&eot_threshold=NaN", "eot_threshold 0.5"),
        ("model=flux-general-en&eot_timeout_ms=499", "eot_timeout_ms 500"),
        ("model=flux-general-en&eot_timeout_ms=60001", "eot_timeout_ms 60000"),
        ("model=flux-general-en&eot_timeout_ms=500.5", "eot_timeout_ms"),
        ("model=flux-general-en&profanity_filter=x", "profanity_filter true"),
        ("model=flux-general-en&numerals=x", "numerals true"),
        ("model=flux-general-en&mip_opt_out=x", "mip_opt_out true"),
        ("model=flux-general-en&redact=pci", "redact numbers"),
        ("model=flux-general-en&keyterm=", "keyterm empty"),
        ("model=flux-general-en&tag=", "tag empty"),
        ("model=flux-general-en&language_hint=en", "language_hint multi"),
        ("model=flux-general-multi&language_hint=e", "language_hint tag"),
    ] {
        let message = refused(query);
        for part in parts.split(' ') {
            assert!(message.contains(part), "{query}: {message}");
        }
    }
    let many = format!("model=flux-general-en&keyterm={}", ["word"; 501].join("+"));
    assert!(refused(&many).contains("500 tokens"));
}
