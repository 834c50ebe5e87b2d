//! Sessions of `listen` v1: what is said of audio whose every sample is known, and what each message does.

use serde_json::json;

use super::*;

const UTTERANCE: &[(bool, usize)] = &[(false, 500), (true, 1000), (false, 1000)];

fn heard(parameters: &str, sound: &[(bool, usize)]) -> Vec<String> {
    let mut client = Client::v1(&format!("model=nova-3&{PCM}&{parameters}"), &[]);
    client.binary(&pcm(sound));
    client.told()
}

#[test]
fn an_utterance_is_final_where_its_silence_is_complete() {
    // Ten milliseconds are wanted, but it takes 200 to tell a pause from a gap between words.
    for (parameters, expected) in [
        ("", &["0.0+1.7 is_final speech_final one two"][..]),
        ("endpointing=10", &["0.0+1.7 is_final speech_final one two"]),
        ("endpointing=500", &["0.0+2.0 is_final speech_final one two"]),
        ("endpointing=1001", &[]),
        ("endpointing=false", &["0.0+2.5 is_final one two"]),
        ("punctuate=true", &["0.0+1.7 is_final speech_final One, two."]),
        ("smart_format=true", &["0.0+1.7 is_final speech_final One, two."]),
        ("vad_events=true", &["SpeechStarted [0,1] 0.5", "0.0+1.7 is_final speech_final one two"]),
    ] {
        assert_eq!(heard(parameters, UTTERANCE), expected, "{parameters}");
    }
}

#[test]
fn interim_results_grow_until_they_are_final() {
    assert_eq!(
        heard("interim_results=true", UTTERANCE),
        ["0.0+0.5", "0.0+1.0 one", "0.0+1.5 one two", "0.0+1.7 is_final speech_final one two", "1.7+0.5"]
    );
}

#[test]
fn an_utterance_ends_once_and_only_after_its_words() {
    let wanted = "interim_results=true&utterance_end_ms=1000";
    let of = |parameters: &str, sound| {
        let mut told = heard(&format!("{wanted}&{parameters}"), sound);
        told.retain(|line| line.contains("final") || line.contains("End"));
        told
    };
    let utterance = [(false, 500), (true, 1000), (false, 3000)];
    let end = "UtteranceEnd [0,1] 1.5";
    assert_eq!(of("", &utterance), ["0.0+1.7 is_final speech_final one two", end]);
    // The pause is longer than what ends an utterance: the words come first all the same.
    let late = "0.0+3.5 is_final speech_final one two";
    assert_eq!(of("endpointing=2000", &utterance), [late, end]);
    let resumed = [(true, 1000), (false, 800), (true, 1000), (false, 980)];
    assert_eq!(of("", &resumed).iter().filter(|line| line.contains("End")).count(), 0);
    assert_eq!(of("", &[(false, 4000)]), [""; 0]);
    // Words that are final before their silence have an end as well.
    let mut client = Client::v1(&format!("model=nova-3&{PCM}&{wanted}"), &[]);
    client.binary(&pcm(&[(true, 500)]));
    client.text(r#"{"type":"Finalize"}"#);
    client.binary(&pcm(&[(false, 3000)]));
    assert_eq!(client.told().iter().filter(|line| *line == "UtteranceEnd [0,1] 0.5").count(), 1);
}

#[test]
fn silence_says_nothing_and_windows_have_a_limit() {
    assert_eq!(heard("", &[(false, 11_000)]), ["0.0+5.0 is_final", "5.0+5.0 is_final"]);
    assert_eq!(
        heard("", &[(false, 1000), (true, 6000), (false, 200)]),
        ["0.0+5.0 is_final one two", "5.0+2.2 is_final speech_final one two"]
    );
    // Forty milliseconds of voice after a cut are no words, and a click is no speech at all.
    assert_eq!(
        heard("", &[(false, 1000), (true, 4040), (false, 200)]),
        ["0.0+5.0 is_final one two", "5.0+0.24 is_final speech_final"]
    );
    assert_eq!(heard("vad_events=true", &[(true, 40), (false, 1000)]), [""; 0]);
}

#[test]
fn results_have_every_member() {
    let mut client = Client::v1(
        &format!("model=nova-3-medical&{PCM}&smart_format=true&diarize=true&language=multi&language_hint=en"),
        &[],
    );
    client.binary(&pcm(UTTERANCE));
    let uuid = client.messages[0]["metadata"]["model_uuid"].clone();
    assert_eq!(uuid.as_str().map(str::len), Some(36));
    let word = |word: &str, start: f64, end: f64, written: &str| {
        json!({"word": word, "start": start, "end": end, "confidence": 0.98, "language": "en",
            "punctuated_word": written, "speaker": 0})
    };
    let expected = json!({"type": "Results", "channel_index": [0, 1], "duration": 1.7, "start": 0.0,
        "is_final": true, "speech_final": true, "from_finalize": false,
        "channel": {"alternatives": [{"transcript": "One, two.", "confidence": 0.98, "languages": ["en"],
            "languages_hinted": ["en"], "words": [word("one", 0.5, 1.0, "One,"), word("two", 1.0, 1.5, "two.")]}]},
        "metadata": {"request_id": "4c3a5a2e-9d0c-4c6f-8b5e-0f6d1d3b2a10",
            "model_info": {"name": "medical-nova-3", "version": "2025-01-01.0", "arch": "nova-3"},
            "model_uuid": uuid}});
    assert_eq!(client.messages, [expected]);
    let mut plain = Client::v1(&format!("model=nova-3&{PCM}"), &[]);
    plain.binary(&pcm(UTTERANCE));
    let alternative = &plain.messages[0]["channel"]["alternatives"][0];
    let word = |word: &str, start: f64, end: f64| json!({"word": word, "start": start, "end": end, "confidence": 0.98});
    let words = [word("one", 0.5, 1.0), word("two", 1.0, 1.5)];
    assert_eq!(alternative, &json!({"transcript": "one two", "confidence": 0.98, "words": words}));
    let silence = &heard_message("", &[(false, 5000)])["channel"]["alternatives"][0];
    assert_eq!(silence, &json!({"transcript": "", "confidence": 0.0, "words": []}));
}

fn heard_message(parameters: &str, sound: &[(bool, usize)]) -> Value {
    let mut client = Client::v1(&format!("model=nova-3&{PCM}&{parameters}"), &[]);
    client.binary(&pcm(sound));
    client.messages.remove(0)
}

#[test]
fn channels_are_heard_apart_or_mixed() {
    let left = samples(UTTERANCE, 16_000);
    let right = samples(&[(false, 2500)], 16_000);
    let both: Vec<u8> =
        left.iter().zip(&right).flat_map(|(l, r)| [*l, *r]).flat_map(i16::to_le_bytes).collect();
    for (parameters, expected) in [
        (
            "channels=2&multichannel=true",
            &["[0,2]0.0+1.7 is_final speech_final one two", "[0,2]1.7+0.8 is_final", "[1,2]0.0+2.5 is_final"]
                [..],
        ),
        ("channels=2", &["0.0+1.7 is_final speech_final one two", "1.7+0.8 is_final"]),
    ] {
        let mut client = Client::v1(&format!("model=nova-3&{PCM}&{parameters}"), &[]);
        client.binary(&both);
        client.binary(&[]);
        let mut told = client.told();
        assert_eq!(told.split_off(told.len() - 2), ["Metadata 2.5 2", "close 1000"]);
        assert_eq!(told, expected, "{parameters}");
    }
    let mut client = Client::v1(&format!("model=nova-3&{PCM}&channels=2&multichannel=true"), &[]);
    client.binary(&both);
    client.told();
    client.text(r#"{"type":"Finalize","channel":1}"#);
    assert_eq!(client.told(), ["[1,2]0.0+2.5 is_final from_finalize"]);
    client.text(r#"{"type":"Finalize","channel":2}"#);
    assert_eq!(client.told(), ["Error SchemaError", "close 1008 SchemaError"]);
}

#[test]
fn every_encoding_is_heard_alike() {
    use crate::simulator::codec::{Encoding, Format};
    for (name, encoding, rate) in [
        ("linear16", Encoding::Linear16, 44_100),
        ("linear32", Encoding::Linear32, 8000),
        ("mulaw", Encoding::Mulaw, 8000),
        ("alaw", Encoding::Alaw, 16_000),
    ] {
        let bytes = Format { encoding, rate: rate as u32 }.encode(&samples(UTTERANCE, rate));
        let mut client = Client::v1(&format!("model=nova-3&encoding={name}&sample_rate={rate}"), &[]);
        client.binary(&bytes);
        assert_eq!(client.told(), ["0.0+1.7 is_final speech_final one two"], "{name}");
    }
}

#[test]
fn a_file_needs_no_encoding_and_noise_is_none() {
    let mut file = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut file, spec).expect("a file in memory");
    for sample in samples(UTTERANCE, 16_000) {
        writer.write_sample(sample).expect("it grows");
    }
    writer.finalize().expect("it is complete");
    let mut client = Client::v1("model=nova-3", &[]);
    client.binary(&file.get_ref()[..20]);
    client.text(r#"{"type":"Finalize"}"#);
    assert_eq!(client.told(), [""; 0]);
    client.binary(&file.get_ref()[20..]);
    assert_eq!(client.told(), ["0.0+1.7 is_final speech_final one two"]);
    let mut client = Client::v1("model=nova-3", &[]);
    client.binary(&pcm(UTTERANCE));
    assert_eq!(client.told(), ["close 1008 DATA-0000"]);
}

#[test]
fn finalize_flushes_what_there_is() {
    let mut client = Client::v1(&format!("model=nova-3&{PCM}"), &[]);
    client.text(r#"{"type":"Finalize"}"#);
    assert_eq!(client.told(), [""; 0]);
    // Five milliseconds more than frames hold, and half a sample.
    client.binary(&pcm(&[(true, 505)]));
    client.binary(&[1]);
    client.text(r#"{"type":"Finalize"}"#);
    client.text(r#"{"type":"Finalize"}"#);
    assert_eq!(client.told(), ["0.0+0.505 is_final from_finalize one two"]);
    client.binary(&[0; 1]);
    client.binary(&pcm(&[(true, 495), (false, 400)]));
    let told = client.told();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("0.505+0.") && told[0].ends_with(" is_final speech_final one two"),
        "{told:?}"
    );
}

#[test]
fn speech_that_is_cut_before_it_is_noticed_begins_at_the_cut() {
    let mut client = Client::v1(&format!("model=nova-3&{PCM}"), &[]);
    client.binary(&pcm(&[(true, 40)]));
    client.text(r#"{"type":"Finalize"}"#);
    client.binary(&pcm(&[(true, 460), (false, 200)]));
    assert_eq!(client.messages[1]["channel"]["alternatives"][0]["words"][0]["start"], 0.04);
    assert_eq!(client.told(), ["0.0+0.04 is_final from_finalize", "0.04+0.66 is_final speech_final one two"]);
}

#[test]
fn the_end_is_asked_for_in_two_ways() {
    for end in [Some(r#"{"type":"CloseStream"}"#), None] {
        let mut client = Client::v1(&format!("model=nova-3&{PCM}"), &[]);
        client.binary(b"abc");
        match end {
            Some(text) => client.text(text),
            None => client.binary(&[]),
        }
        let metadata = json!({"type": "Metadata", "transaction_key": "deprecated",
            "request_id": "4c3a5a2e-9d0c-4c6f-8b5e-0f6d1d3b2a10",
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "created": "2026-02-03T04:05:06.789Z", "duration": 0.0000625, "channels": 1});
        assert_eq!(client.messages.pop(), Some(metadata));
        assert_eq!(client.told(), ["0.0+0.0000625 is_final", "close 1000"]);
        client.text("after the end nothing matters");
        client.binary(&pcm(UTTERANCE));
        assert_eq!(client.told(), ["close 1000"]);
    }
    let mut client = Client::v1("model=nova-3", &[]);
    client.binary(&[]);
    assert_eq!(client.told(), ["Metadata 0.0 0", "close 1000"]);
}

#[test]
fn only_audio_and_keep_alive_keep_a_session() {
    let open = || Client::v1(&format!("model=nova-3&{PCM}"), &[]);
    let mut client = open();
    client.wait(9_999);
    assert_eq!(client.told(), [""; 0]);
    client.wait(1);
    assert_eq!(client.told(), ["close 1011 NET-0001"]);
    for (message, is_kept) in [
        (r#"{"type":"KeepAlive"}"#, true),
        (r#"{"type":"Finalize"}"#, false),
        (r#"{"type":"Configure"}"#, false),
    ] {
        let mut client = open();
        client.wait(6000);
        client.text(message);
        client.wait(6000);
        assert_eq!(client.closed.is_none(), is_kept, "{message}");
    }
    let mut client = open();
    client.wait(6000);
    client.binary(br#"{"type":"KeepAlive"}"#);
    client.wait(6000);
    assert_eq!(client.told(), [""; 0]);
    // A message that comes too late does not save the session.
    let mut client = Client::v1("model=nova-3", &[("net_timeout_ms", "50")]);
    client.session.text(r#"{"type":"CloseStream"}"#, Duration::from_millis(50));
    client.wait(50);
    assert_eq!(client.told(), ["close 1011 NET-0001"]);
}

#[test]
fn json_in_a_binary_frame_is_audio() {
    let mut client = Client::v1(&format!("model=nova-3&{PCM}"), &[]);
    client.binary(br#"{"type":"CloseStream"}"#);
    assert_eq!(client.told(), [""; 0]);
    client.text(r#"{"type":"Finalize"}"#);
    assert_eq!(client.told(), ["0.0+0.0006875 is_final from_finalize"]);
}

#[test]
fn another_text_is_the_end() {
    for text in ["", "hello", "{}", r#"{"type":"Settings"}"#, r#"{"type":"KeepAlive","a":1}"#] {
        let mut client = Client::v1("model=nova-3", &[]);
        client.text(text);
        assert!(client.messages[0]["description"].as_str().is_some_and(|why| why.contains("text message")));
        assert_eq!(client.told(), ["Error SchemaError", "close 1008 SchemaError"], "{text}");
    }
}

#[test]
fn configure_changes_what_it_names() {
    let mut client = Client::v1(&format!("model=nova-3&{PCM}"), &[]);
    client.text(r#"{"type":"Configure","features":{"punctuate":true,"numerals":true}}"#);
    let id = "4c3a5a2e-9d0c-4c6f-8b5e-0f6d1d3b2a10";
    let success = json!({"type": "ConfigureSuccess", "request_id": id});
    assert_eq!(std::mem::take(&mut client.messages), [success]);
    client.text(r#"{"type":"Configure","keyterms":["a","b"]}"#);
    let success = json!({"type": "ConfigureSuccess", "request_id": id, "keyterms": ["a", "b"]});
    assert_eq!(std::mem::take(&mut client.messages), [success]);
    client.binary(&pcm(UTTERANCE));
    assert_eq!(client.told(), ["0.0+1.7 is_final speech_final One, two."]);
    client.text(r#"{"type":"Configure","features":{"punctuate":false,"smart_format":true}}"#);
    client.text(r#"{"type":"Configure","features":{"smart_format":false}}"#);
    client.binary(&pcm(&UTTERANCE[1..]));
    assert_eq!(client.told().pop().as_deref(), Some("1.7+2.0 is_final speech_final one two"));
}

#[test]
fn a_failed_configure_changes_nothing() {
    let many = json!({"type": "Configure", "keyterms": vec!["word"; 501], "features": {"punctuate": true}});
    let some = json!({"type": "Configure", "keyterms": ["a"], "features": {"punctuate": true}});
    for (model, message, code) in [
        ("nova-3", many, "CONFIGURE_KEYTERM_LIMIT_EXCEEDED"),
        ("nova-2", some, "CONFIGURE_KEYTERMS_NOT_SUPPORTED"),
    ] {
        let mut client = Client::v1(&format!("model={model}&{PCM}"), &[]);
        client.text(&message.to_string());
        assert!(
            client.messages[0]["description"].is_string() && client.messages[0]["request_id"].is_string()
        );
        assert_eq!(client.told(), [format!("ConfigureFailure \"{code}\"")]);
        client.binary(&pcm(UTTERANCE));
        assert_eq!(client.told(), ["0.0+1.7 is_final speech_final one two"]);
    }
}
