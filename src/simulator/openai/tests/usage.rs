//! What a response and a transcription report of use, however they end, and that the account has the sum of it.

use super::*;

/// A typed turn; the usage that its response reports.
fn typed(client: &mut Client, text: &str) -> Value {
    client.ask(user_text(text));
    usage_of(&client.ask(respond()))
}

fn usage_of(events: &[Value]) -> Value {
    the(events, "response.done")["response"]["usage"].clone()
}

fn count(usage: &Value, pointer: &str) -> u64 {
    usage.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {usage}"))
}

/// The details of a usage make up its sums.
fn assert_sums(usage: &Value) {
    let sum = |pointers: &[&str]| pointers.iter().map(|pointer| count(usage, pointer)).sum::<u64>();
    let of = |object: &str| {
        let [text, audio] = ["text_tokens", "audio_tokens"].map(|kind| format!("{object}/{kind}"));
        sum(&[&text, &audio])
    };
    assert_eq!(count(usage, "/input_tokens"), of("/input_token_details"));
    assert_eq!(count(usage, "/output_tokens"), of("/output_token_details"));
    assert_eq!(count(usage, "/total_tokens"), sum(&["/input_tokens", "/output_tokens"]));
    let cached = "/input_token_details/cached_tokens";
    assert_eq!(count(usage, cached), of(&format!("{cached}_details")));
    assert!(count(usage, cached) <= count(usage, "/input_tokens"));
}

#[test]
fn what_was_read_before_comes_from_the_cache_the_next_time() {
    let mut client = Client::configured(&[], json!({"type": "realtime"}));
    let usages = [&"word ".repeat(60), "again"].map(|text| typed(&mut client, text));
    usages.iter().for_each(assert_sums);
    let cached = "/input_token_details/cached_tokens_details/text_tokens";
    let [first, second] = usages.each_ref().map(|usage| count(usage, cached));
    assert_eq!((first, second), (0, count(&usages[0], "/input_tokens") / 64 * 64));
    assert!(second >= 64, "{usages:?}");
    assert!(count(&usages[1], "/output_token_details/audio_tokens") > 20, "{usages:?}");
}

#[test]
fn a_response_reports_what_it_made_before_it_was_ended() {
    let whole = typed(&mut Client::configured(&[], json!({"type": "realtime"})), "hello");
    let mut client = Client::configured(&[], json!({"type": "realtime"}));
    client.ask(user_text("hello"));
    client.send(respond());
    client.wait(100);
    let cancelled = client.ask(json!({"type": "response.cancel"}));
    assert_eq!(the(&cancelled, "response.done")["response"]["status"], "cancelled");
    let usage = usage_of(&cancelled);
    assert_sums(&usage);
    for pointer in ["/output_token_details/text_tokens", "/output_token_details/audio_tokens"] {
        let (made, all) = (count(&usage, pointer), count(&whole, pointer));
        assert!(0 < made && made < all, "{pointer}: {made} of {all}");
    }
    assert_eq!(usage["input_tokens"], whole["input_tokens"]);
    let mut failing = Client::configured(&[("fail", "server_error")], json!({"type": "realtime"}));
    let failed = typed(&mut failing, "hello");
    assert_sums(&failed);
    assert_eq!((&failed["output_tokens"], &failed["input_tokens"]), (&json!(0), &whole["input_tokens"]));
    let mut half = Client::configured(&[("incomplete", "max_output_tokens")], json!({"type": "realtime"}));
    let incomplete = typed(&mut half, "hello");
    assert_sums(&incomplete);
    assert!(count(&incomplete, "/output_tokens") < count(&whole, "/output_tokens"));
}

#[test]
fn a_transcription_is_billed_as_its_model_is() {
    for (model, expected) in [
        ("whisper-1", json!({"type": "duration", "seconds": 0.4})),
        (
            "gpt-4o-transcribe",
            json!({"type": "tokens", "total_tokens": 8, "input_tokens": 4, "output_tokens": 4,
                "input_token_details": {"text_tokens": 0, "audio_tokens": 4}}),
        ),
    ] {
        let input = json!({"transcription": {"model": model}, "turn_detection": null});
        let mut client = Client::configured(&[], json!({"type": "realtime", "audio": {"input": input}}));
        client.speak(&[(true, 400)]);
        let events = client.ask(json!({"type": "input_audio_buffer.commit"}));
        let completed = the(&events, "conversation.item.input_audio_transcription.completed");
        assert_eq!(completed["usage"], expected);
        // The response hears it as well.
        let usage = usage_of(&client.ask(respond()));
        assert_sums(&usage);
        assert_eq!(count(&usage, "/input_token_details/audio_tokens"), 4);
        assert_eq!(client.account.shown()["transcriptions"]["count"], 1);
    }
}

#[test]
fn the_account_has_what_left_and_nothing_else() {
    let mut client = Client::configured(&[], json!({"type": "realtime"}));
    let usages = ["hello", "and you?"].map(|text| typed(&mut client, text));
    let total = |usages: &[Value]| usages.iter().map(|usage| count(usage, "/total_tokens")).sum::<u64>();
    let shown = client.account.shown();
    assert_eq!(shown["responses"]["count"], 2);
    assert_eq!(count(&shown, "/responses/usage/total_tokens"), total(&usages));
    let audio = "/responses/usage/output_token_details/audio_tokens";
    assert!(count(&shown, audio) > 0);
    // One that is on its way when the session ends reports nothing.
    client.ask(user_text("more"));
    client.send(respond());
    client.wait(100);
    assert_eq!(client.account.shown(), shown);
    let mut quiet = Client::configured(&[("drop", "response.done")], json!({"type": "realtime"}));
    quiet.ask(user_text("hello"));
    quiet.ask(respond());
    assert_eq!(quiet.account.shown()["responses"]["count"], 0);
}
