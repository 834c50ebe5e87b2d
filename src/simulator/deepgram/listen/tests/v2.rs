//! Sessions of `listen` v2: turns of audio whose every sample is known, and what each message does.

use serde_json::json;

use super::*;

const TURN: &[(bool, usize)] = &[(false, 500), (true, 600), (false, 1000)];

fn heard(parameters: &str, sound: &[(bool, usize)]) -> Vec<String> {
    let mut client = Client::v2(&format!("model=flux-general-en&{PCM}&{parameters}"), &[]);
    client.binary(&pcm(sound));
    let mut told = client.told();
    assert_eq!(told.remove(0), "Connected");
    told
}

#[test]
fn a_turn_starts_grows_and_ends_where_the_silence_is_sure() {
    let expected = [
        "StartOfTurn 0 0.0-0.56 0.0 - One,",
        "Update 0 0.0-0.8 0.0 - One,",
        "Update 0 0.0-1.04 0.0 - One,",
        "Update 0 0.0-1.28 0.18 - One,",
        "Update 0 0.0-1.52 0.42 - One,",
        "Update 0 0.0-1.76 0.66 - One,",
        "EndOfTurn 0 0.0-1.8 0.7 model One, two.",
    ];
    assert_eq!(heard("", TURN), expected);
    let ends = |parameters: &str, sound: &[(bool, usize)]| heard(parameters, sound).pop();
    assert_eq!(ends("eot_threshold=0.5", TURN).as_deref(), Some("EndOfTurn 0 0.0-1.6 0.5 model One, two."));
    assert_eq!(
        ends("eot_timeout_ms=500", TURN).as_deref(),
        Some("EndOfTurn 0 0.0-1.6 0.5 timeout One, two.")
    );
    // Nothing is certain: a threshold of 1 leaves the end to the client and to time.
    let long = [(true, 600), (false, 3000)];
    assert_eq!(
        ends("eot_threshold=1.0&eot_timeout_ms=2500", &long).as_deref(),
        Some("EndOfTurn 0 0.0-3.1 0.99 timeout One, two.")
    );
}

#[test]
fn an_early_end_is_followed_by_the_end_or_by_more() {
    let ends = |told: Vec<String>| -> Vec<String> {
        told.into_iter().filter(|line| !line.starts_with("Update")).collect()
    };
    assert_eq!(
        ends(heard("eager_eot_threshold=0.4", TURN)),
        [
            "StartOfTurn 0 0.0-0.56 0.0 - One,",
            "EagerEndOfTurn 0 0.0-1.5 0.4 - One, two.",
            "EndOfTurn 0 0.0-1.8 0.7 model One, two.",
        ]
    );
    let resumed = [(true, 600), (false, 500), (true, 600), (false, 1000)];
    assert_eq!(
        ends(heard("eager_eot_threshold=0.4", &resumed)),
        [
            "StartOfTurn 0 0.0-0.06 0.0 - One,",
            "EagerEndOfTurn 0 0.0-1.0 0.4 - One, two.",
            "TurnResumed 0 0.0-1.16 0.0 - One, two. One,",
            "EagerEndOfTurn 0 0.0-2.1 0.4 - One, two. One, two.",
            "EndOfTurn 0 0.0-2.4 0.7 model One, two. One, two.",
        ]
    );
    // The same threshold for both: the end alone. Without a threshold a pause is part of the turn.
    assert_eq!(ends(heard("eager_eot_threshold=0.7", TURN)).len(), 2);
    assert_eq!(
        ends(heard("", &resumed)),
        ["StartOfTurn 0 0.0-0.06 0.0 - One,", "EndOfTurn 0 0.0-2.4 0.7 model One, two.",]
    );
    // Who resumes for a moment only has resumed all the same.
    let moment = [(true, 600), (false, 500), (true, 60), (false, 1000)];
    assert_eq!(
        ends(heard("eager_eot_threshold=0.4", &moment))[2..],
        [
            "TurnResumed 0 0.0-1.16 0.0 - One, two. One,",
            "EagerEndOfTurn 0 0.0-1.56 0.4 - One, two. One, two.",
            "EndOfTurn 0 0.0-1.86 0.7 model One, two. One, two.",
        ]
    );
    // A click brings nobody back, but a turn does not end in one.
    let click = [(true, 600), (false, 500), (true, 40), (false, 1000)];
    assert_eq!(
        ends(heard("eager_eot_threshold=0.4", &click)).pop().as_deref(),
        Some("EndOfTurn 0 0.0-1.3 0.7 model One, two.")
    );
    let click = [(true, 600), (false, 680), (true, 40), (false, 1000)];
    for (parameters, trigger) in
        [("eot_threshold=0.7", "model"), ("eot_threshold=1.0&eot_timeout_ms=700", "timeout")]
    {
        assert_eq!(
            ends(heard(&format!("eager_eot_threshold=0.4&{parameters}"), &click)).pop(),
            Some(format!("EndOfTurn 0 0.0-1.34 0.74 {trigger} One, two."))
        );
    }
}

#[test]
fn turns_are_counted_and_silence_is_none() {
    let twice = [TURN, TURN].concat();
    let told = heard("", &twice);
    let of = |name: &str| told.iter().filter(|line| line.starts_with(name)).cloned().collect::<Vec<_>>();
    assert_eq!(of("StartOfTurn"), ["StartOfTurn 0 0.0-0.56 0.0 - One,", "StartOfTurn 1 1.8-2.66 0.0 - One,"]);
    assert_eq!(
        of("EndOfTurn"),
        ["EndOfTurn 0 0.0-1.8 0.7 model One, two.", "EndOfTurn 1 1.8-3.9 0.7 model One, two."]
    );
    assert_eq!(heard("", &[(false, 10_000), (true, 40), (false, 100)]), [""; 0]);
}

#[test]
fn messages_have_every_member_and_their_number() {
    let mut client = Client::v2(&format!("model=flux-general-multi&{PCM}&language_hint=en"), &[]);
    client.binary(&pcm(TURN));
    assert_eq!(client.messages[0], json!({"type": "Connected", "request_id": "request-2", "sequence_id": 0}));
    let word = |word: &str, start: f64, end: f64| json!({"word": word, "confidence": 0.98, "start": start, "end": end});
    let expected = json!({"type": "TurnInfo", "request_id": "request-2", "sequence_id": 7, "event": "EndOfTurn",
        "turn_index": 0, "audio_window_start": 0.0, "audio_window_end": 1.8, "transcript": "One, two.",
        "words": [word("One,", 0.5, 0.8), word("two.", 0.8, 1.1)], "end_of_turn_confidence": 0.7,
        "trigger": "model", "languages": ["en"], "languages_hinted": ["en"]});
    assert_eq!(client.messages.last(), Some(&expected));
    for (number, message) in client.messages.iter().enumerate() {
        assert_eq!(message["sequence_id"], number);
        let is_end = message["event"] == "EndOfTurn";
        assert_eq!(message.get("trigger").is_some(), is_end, "{message}");
    }
    let mut client = Client::v2(&format!("model=flux-general-en&{PCM}"), &[("drop", "Connected")]);
    client.binary(&pcm(TURN));
    assert_eq!(client.messages[0]["sequence_id"], 0);
    assert_eq!(client.messages[0].get("languages"), None);
}

#[test]
fn the_client_ends_a_turn_that_there_is() {
    let mut client = Client::v2(&format!("model=flux-general-en&{PCM}&eager_eot_threshold=0.4"), &[]);
    client.text(r#"{"type":"ForceEndTurn"}"#);
    client.binary(&pcm(&[(true, 40)]));
    client.text(r#"{"type":"ForceEndTurn"}"#);
    assert_eq!(client.told(), ["Connected"]);
    client.binary(&pcm(&[(true, 165)]));
    client.text(r#"{"type":"ForceEndTurn"}"#);
    client.text(r#"{"type":"ForceEndTurn"}"#);
    assert_eq!(
        client.told(),
        ["StartOfTurn 0 0.0-0.06 0.0 - One,", "EndOfTurn 0 0.0-0.205 0.005 manual One, two."]
    );
    // Who goes on speaking has begun another turn.
    client.binary(&pcm(&[(true, 195), (false, 500)]));
    assert_eq!(client.messages[0]["words"][0]["start"], 0.205);
    client.text(r#"{"type":"ForceEndTurn"}"#);
    assert_eq!(
        client.told(),
        [
            "StartOfTurn 1 0.205-0.26 0.0 - One,",
            "Update 1 0.205-0.5 0.1 - One,",
            "Update 1 0.205-0.74 0.34 - One,",
            "EagerEndOfTurn 1 0.205-0.8 0.4 - One, two.",
            "EndOfTurn 1 0.205-0.9 0.5 manual One, two."
        ]
    );
}

#[test]
fn close_stream_tells_the_rest() {
    for (sound, expected) in [
        (&[][..], &[][..]),
        (&[(true, 100)], &["StartOfTurn 0 0.0-0.06 0.0 - One,", "Update 0 0.0-0.1 0.0 - One, two."]),
    ] {
        let mut client = Client::v2(&format!("model=flux-general-en&{PCM}"), &[]);
        client.binary(&pcm(sound));
        client.text(r#"{"type":"CloseStream"}"#);
        let told = client.told();
        assert_eq!(told[1..told.len() - 1], *expected);
        assert_eq!(told.last().map(String::as_str), Some("close 1000"));
    }
    // An early end has told everything.
    let mut client = Client::v2(&format!("model=flux-general-en&{PCM}&eager_eot_threshold=0.3"), &[]);
    client.binary(&pcm(&[(true, 100), (false, 320)]));
    client.told();
    client.text(r#"{"type":"CloseStream"}"#);
    assert_eq!(client.told(), ["close 1000"]);
}

#[test]
fn configure_changes_what_it_names() {
    let mut client = Client::v2(&format!("model=flux-general-multi&{PCM}&keyterm=a&numerals=true"), &[]);
    client.messages.clear();
    for (message, thresholds, keyterms, hints, numerals) in [
        (json!({}), json!({"eot_threshold": 0.7, "eot_timeout_ms": 5000}), json!(["a"]), json!([]), true),
        (
            json!({"thresholds": {"eot_threshold": 0.5}, "keyterms": []}),
            json!({"eot_threshold": 0.5, "eot_timeout_ms": 5000}),
            json!([]),
            json!([]),
            true,
        ),
        (
            json!({"thresholds": {"eager_eot_threshold": 0.4, "eot_timeout_ms": 800}, "language_hints": ["es"],
                "numerals": false}),
            json!({"eot_threshold": 0.5, "eot_timeout_ms": 800, "eager_eot_threshold": 0.4}),
            json!([]),
            json!(["es"]),
            false,
        ),
        (
            json!({"thresholds": {}, "numerals": null}),
            json!({"eot_threshold": 0.5, "eot_timeout_ms": 800, "eager_eot_threshold": 0.4}),
            json!([]),
            json!(["es"]),
            false,
        ),
    ] {
        let mut configure = message.clone();
        configure["type"] = json!("Configure");
        client.text(&configure.to_string());
        let mut told = std::mem::take(&mut client.messages);
        let success = told.pop().expect("an answer");
        let expected = json!({"type": "ConfigureSuccess", "request_id": "request-2",
            "sequence_id": success["sequence_id"], "thresholds": thresholds, "keyterms": keyterms,
            "language_hints": hints, "numerals": numerals});
        assert_eq!(success, expected, "{message}");
    }
    client.binary(&pcm(TURN));
    let told = client.told();
    assert!(told.iter().any(|line| line.starts_with("EagerEndOfTurn 0 0.0-1.5 0.4")), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("EndOfTurn 0 0.0-1.6 0.5 model One, two."));
}

#[test]
fn a_failed_configure_changes_nothing() {
    let mut client = Client::v2(&format!("model=flux-general-en&{PCM}"), &[]);
    client.told();
    let many = vec!["word"; 501];
    for (message, part) in [
        (json!({"thresholds": {"eot_threshold": 0.4}}), "eot_threshold"),
        (json!({"thresholds": {"eot_threshold": 0.6, "eager_eot_threshold": 0.2}}), "eager_eot_threshold"),
        (json!({"thresholds": {"eager_eot_threshold": 0.8}}), "eager_eot_threshold"),
        (json!({"thresholds": {"eot_timeout_ms": 499, "eot_threshold": 0.5}}), "eot_timeout_ms"),
        (json!({"keyterms": many, "thresholds": {"eot_threshold": 0.5}}), "keyterms"),
        (json!({"language_hints": ["en"], "thresholds": {"eot_threshold": 0.5}}), "language_hints"),
    ] {
        let mut configure = message;
        configure["type"] = json!("Configure");
        client.text(&configure.to_string());
        let [failure] = &client.messages[..] else { panic!("{configure}: {:?}", client.messages) };
        assert!(failure["description"].as_str().is_some_and(|why| why.contains(part)), "{failure}");
        assert_eq!(client.told(), ["ConfigureFailure \"INVALID_CONFIGURATION\""]);
    }
    client.binary(&pcm(TURN));
    assert_eq!(client.told().last().map(String::as_str), Some("EndOfTurn 0 0.0-1.8 0.7 model One, two."));
}

#[test]
fn another_text_is_the_end_even_keep_alive() {
    for text in [r#"{"type":"KeepAlive"}"#, r#"{"type":"Finalize"}"#, "", "{}", "[1]"] {
        let mut client = Client::v2("model=flux-general-en", &[]);
        client.told();
        client.text(text);
        let error = &client.messages[0];
        assert_eq!((&error["sequence_id"], error.get("request_id")), (&json!(1), None));
        assert!(error["description"].as_str().is_some_and(|why| why.contains("text message")));
        let expected = ["Error UNPARSABLE_CLIENT_MESSAGE", "close 1008 UNPARSABLE_CLIENT_MESSAGE"];
        assert_eq!(client.told(), expected, "{text}");
    }
}

#[test]
fn only_audio_keeps_a_session() {
    let mut client = Client::v2(&format!("model=flux-general-en&{PCM}"), &[]);
    client.wait(20_000);
    client.binary(&pcm(&[(false, 20)]));
    client.wait(24_999);
    assert_eq!(client.closed, None);
    // Neither these nor a frame without audio are audio.
    client.text(r#"{"type":"ForceEndTurn"}"#);
    client.text(r#"{"type":"Configure"}"#);
    client.binary(&[]);
    client.wait(1);
    assert_eq!(client.told(), ["Connected", "ConfigureSuccess", "close 1011 NET-0001"]);
    let mut client = Client::v2("model=flux-general-en", &[("net_timeout_ms", "50")]);
    client.binary(b"RIFX");
    assert_eq!(client.told(), ["Connected", "close 1008 DATA-0000"]);
    let mut client = Client::v2("model=flux-general-en", &[("net_timeout_ms", "50")]);
    client.wait(50);
    assert_eq!(client.told(), ["Connected", "close 1011 NET-0001"]);
}
