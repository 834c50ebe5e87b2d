//! Which queries `listen` v1 takes.

use super::*;

fn refused(query: &str) -> String {
    let id = "request-1".to_owned();
    let opened = listen::v1::Session::open(&pairs(query), id, Timestamp::UNIX_EPOCH, Options::default());
    let refused = opened.err().unwrap_or_else(|| panic!("{query}: let in"));
    assert_eq!(refused.status.as_u16(), 400, "{query}");
    refused.message
}

#[test]
fn every_parameter_is_known() {
    let every = "model=nova-3&version=latest&language=multi&language_hint=en&language_hint=es&encoding=linear16\
        &sample_rate=16000&channels=2&multichannel=true&interim_results=true&endpointing=300&utterance_end_ms=1000\
        &vad_events=true&punctuate=true&smart_format=false&numerals=true&dictation=true&profanity_filter=true\
        &detect_entities=true&diarize=true&diarize_model=latest&keyterm=a%20b&keyterm=c&redact=pci&redact=ssn\
        &replace=a:b&search=x&tag=t&tag=u&extra=k:v&mip_opt_out=true";
    Client::v1(every, &[]);
    for query in [
        "model=nova-3",
        "model=nova-3-general",
        "model=nova-3-medical",
        "model=nova-2&keywords=word:2&keywords=other:-1.5&keywords=bare",
        "model=nova-2-phonecall",
        "model=whisper-large&version=2024-01-01.1",
        "model=nova-3&endpointing=false",
        "model=nova-3&endpointing=0&diarize_model=v1",
        "model=nova-3&encoding=mulaw&sample_rate=8000",
        "model=nova-3&encoding=alaw&sample_rate=8000",
        "model=nova-3&encoding=linear32&sample_rate=48000&channels=8",
        "model=nova-3&redact=true&redact=false&redact=numbers&redact=aggressive_numbers",
    ] {
        Client::v1(query, &[]);
    }
}

#[test]
fn a_bad_parameter_is_refused_by_name() {
    for (query, parts) in [
        ("", "model required"),
        ("encoding=linear16&sample_rate=16000", "model required"),
        ("model=", "model no such"),
        ("model=nova-4", "model no such"),
        ("model=nova-3-", "model no such"),
        ("model=nova-3-phonecall", "model no such"),
        ("model=nova-2-1", "model no such"),
        ("model=flux-general-en", "model no such"),
        ("model=nova-3&bogus=1", "unknown bogus"),
        ("model=nova-3&eot_threshold=0.7", "unknown eot_threshold"),
        ("model=nova-3&service=transcription", "unknown service"),
        ("model=nova-3&model=nova-2", "model once"),
        ("model=nova-3&punctuate=true&punctuate=true", "punctuate once"),
        ("model=nova-3&version=", "version empty"),
        ("model=nova-3&language=e", "language tag"),
        ("model=nova-3&language_hint=en_US", "language_hint tag"),
        ("model=nova-3&encoding=linear16", "encoding sample_rate"),
        ("model=nova-3&sample_rate=16000", "sample_rate encoding"),
        ("model=nova-3&encoding=pcm&sample_rate=16000", "encoding expected"),
        ("model=nova-3&encoding=opus&sample_rate=16000", "encoding simulator"),
        ("model=nova-3&encoding=g729&sample_rate=8000", "encoding simulator"),
        ("model=nova-3&encoding=linear16&sample_rate=7999", "sample_rate 8000"),
        ("model=nova-3&encoding=linear16&sample_rate=48001", "sample_rate 48000"),
        ("model=nova-3&encoding=linear16&sample_rate=16k", "sample_rate"),
        ("model=nova-3&channels=0", "channels 1"),
        ("model=nova-3&channels=9", "channels 8"),
        ("model=nova-3&multichannel=yes", "multichannel true"),
        ("model=nova-3&interim_results=1", "interim_results true"),
        ("model=nova-3&endpointing=true", "endpointing milliseconds"),
        ("model=nova-3&endpointing=-1", "endpointing milliseconds"),
        ("model=nova-3&interim_results=true&utterance_end_ms=999", "utterance_end_ms 1000"),
        ("model=nova-3&utterance_end_ms=1000", "utterance_end_ms interim_results"),
        ("model=nova-3&utterance_end_ms=1000&interim_results=false", "utterance_end_ms interim_results"),
        ("model=nova-3&vad_events=", "vad_events true"),
        ("model=nova-3&punctuate=True", "punctuate true"),
        ("model=nova-3&smart_format=on", "smart_format true"),
        ("model=nova-3&numerals=x", "numerals true"),
        ("model=nova-3&dictation=x", "dictation true"),
        ("model=nova-3&profanity_filter=x", "profanity_filter true"),
        ("model=nova-3&detect_entities=x", "detect_entities true"),
        ("model=nova-3&diarize=x", "diarize true"),
        ("model=nova-3&diarize_model=v2", "diarize_model latest"),
        ("model=nova-3&mip_opt_out=x", "mip_opt_out true"),
        ("model=nova-3&keyterm=", "keyterm empty"),
        ("model=nova-2&keyterm=a", "keyterm nova-3"),
        ("model=nova-3&keywords=a:1", "keywords keyterm"),
        ("model=nova-2&keywords=a:loud", "keywords BOOST"),
        ("model=nova-2&keywords=:1", "keywords empty"),
        ("model=nova-3&redact=names", "redact pci"),
        ("model=nova-3&tag=", "tag empty"),
        ("model=nova-3&callback=here", "callback"),
        ("model=nova-3&callback=mailto:a@b.example", "callback server"),
        ("model=nova-3&callback=https://a.example/", "callback simulated"),
        ("model=nova-3&callback_method=PUT", "callback_method callback"),
        ("model=nova-3&callback_method=PATCH", "callback_method POST"),
    ] {
        let message = refused(query);
        for part in parts.split(' ') {
            assert!(message.contains(part), "{query}: {message}");
        }
    }
    let many = format!("model=nova-3&keyterm={}", ["word"; 501].join("+"));
    assert!(refused(&many).contains("500 tokens"));
}
