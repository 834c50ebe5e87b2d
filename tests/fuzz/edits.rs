//! Texts that are passed through: what is not changed is not touched, and what is changed can be read.

use serde_json::Value;
use serde_json::value::RawValue;
use voxbridge::config::Backend;
use voxbridge::protocol::agent::Notice;
use voxbridge::translate::deepgram;

use crate::json::Corpus;
use crate::messages::{CLIENT, SERVER, backends};
use crate::runner::{Fuzzer, within};

const EDITS: [&str; 4] = [
    include_str!("../../src/translate/fixtures/deepgram/inject_agent_message.json"),
    include_str!("../../src/translate/fixtures/deepgram/settings.json"),
    include_str!("../../src/translate/fixtures/deepgram/take_over.json"),
    include_str!("../../src/translate/fixtures/deepgram/update_think.json"),
];

/// A case of those files.
#[derive(serde::Deserialize)]
struct Case<'a> {
    #[serde(borrow, rename = "in")]
    text: &'a RawValue,
}

/// What goes into the edits in their own tests, and every message of both sides.
fn corpus() -> Corpus {
    let cases = EDITS.iter().flat_map(|file| {
        let cases: Vec<Case<'_>> = serde_json::from_str(file).expect("a list of cases");
        cases.into_iter().map(|case| case.text.get().to_owned())
    });
    // Half a surrogate pair is something that no tree can hold.
    let cases = cases.filter(|text| serde_json::from_str::<Value>(text).is_ok());
    let lines = CLIENT.iter().chain(&SERVER).flat_map(|file| file.lines()).filter(|line| !line.is_empty());
    let all: Vec<String> = cases.chain(lines.map(str::to_owned)).collect();
    Corpus::of(all.iter().map(String::as_str))
}

/// Every edit of a text: what it becomes, if it is changed.
fn edited(text: &str, backend: &Backend) -> Vec<Option<String>> {
    let taken = deepgram::take_over(text, backend, |_| true);
    vec![
        deepgram::inject_agent_message(text),
        deepgram::settings(text, backend),
        deepgram::update_think(text, backend),
        taken.map(|taken| {
            assert!(!taken.calls.is_empty());
            for call in &taken.calls {
                assert!((1..=256).contains(&call.id.as_str().len()));
                let answer = deepgram::function_call_response(call, text);
                assert!(serde_json::from_str::<Value>(&answer).is_ok(), "{answer}");
                assert_eq!(deepgram::call_ids(&answer), std::slice::from_ref(&call.id));
            }
            taken.text
        }),
    ]
}

#[test]
fn passed_through_texts() {
    let fuzzer = Fuzzer::new("passed_through_texts");
    let (corpus, mut backends) = (corpus(), backends());
    backends.retain(|backend| backend.deepgram().is_some());
    fuzzer.run(10_000, |random| {
        let text = corpus.text(random);
        let backend = random.pick(&backends);
        within(256 * 1024 + 512 * text.len(), || {
            let kind = deepgram::kind(&text);
            let is_object =
                serde_json::from_str::<&RawValue>(&text).is_ok_and(|raw| raw.get().starts_with('{'));
            assert!(kind.is_none() || is_object, "a type of what is no object: {text}");
            deepgram::is_of_agent(&text);
            deepgram::is_of_component(&text);
            for id in deepgram::call_ids(&text) {
                assert!((1..=256).contains(&id.as_str().len()));
            }
            for changed in edited(&text, backend).into_iter().flatten() {
                assert!(is_object, "{text} was changed");
                assert!(changed != text, "what is as it was counts as changed: {text}");
                let raw = serde_json::from_str::<&RawValue>(&changed);
                assert!(raw.is_ok(), "{text}\nhas become\n{changed}");
                assert_eq!(deepgram::kind(&changed), kind, "{text}\nhas become\n{changed}");
            }
        });
        let notice = Notice { description: text.clone(), code: text };
        let error = deepgram::error(&notice, random.one_in(2).then_some(u64::MAX));
        assert!(serde_json::from_str::<Value>(&error).is_ok(), "{error}");
    });
}
