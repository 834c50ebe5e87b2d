//! Messages that are passed through, with whatever JSON can hold in every place: what is not to be changed comes
//! out to the letter.

use proptest::{prelude::*, sample::Index};
use serde::de::IgnoredAny;

use super::deepgram::backend;
use crate::{
    config::{Backend, FunctionCalls},
    protocol::agent::{AgentSettings, Think},
    translate::deepgram::{
        call_ids, inject_agent_message, is_of_component, kind, settings, take_over, update_think,
    },
};

/// A member's name and value, both JSON.
type Member = (String, String);

/// JSON of any kind, with white space, with numbers that no type holds, escapes and names that stand there twice.
fn value() -> impl Strategy<Value = String> {
    const LEAVES: &[&str] = &[
        "null",
        "true",
        "16000",
        "16000.0",
        "1.10",
        "-0.0",
        "1e400",
        "1E-5",
        "18446744073709551616",
        "123456789012345678901234567890",
        r#""""#,
        r#""\u0061\/\ud800""#,
        r#""a\\\"b""#,
        "\"ü\u{1f600}\"",
        r#""toolChoice""#,
    ];
    let leaf = prop_oneof![
        prop::sample::select(LEAVES).prop_map(str::to_owned),
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("text is JSON")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let space = || prop::sample::select(&["", " ", "\r\n\t"][..]);
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..4), space()).prop_map(|(elements, space)| format!(
                "[{space}{}{space}]",
                elements.join(&format!("{space},"))
            )),
            (prop::collection::vec((name(), inner), 0..4), space()).prop_map(|(members, space)| {
                let members =
                    members.into_iter().map(|(name, value)| format!("{name}{space}:{space}{value}"));
                format!("{{{space}{}{space}}}", members.collect::<Vec<_>>().join(&format!(",{space}")))
            }),
        ]
    })
}

/// A name as JSON, none of those that are changed in a Settings.
fn name() -> impl Strategy<Value = String> {
    const NAMES: &[&str] =
        &[r#""type""#, r#""\u0061""#, r#""\ud800""#, r#""ToolChoice""#, r#""agent ""#, r#""client_side""#];
    prop_oneof![prop::sample::select(NAMES).prop_map(str::to_owned), "\"[a-e]{0,2}\""]
}

fn members() -> impl Strategy<Value = Vec<Member>> {
    prop::collection::vec((name(), value()), 0..4)
}

/// Some of these names with a value each, and where among other members each is to stand.
fn fields(names: &'static [&'static str]) -> impl Strategy<Value = Vec<(Member, Index)>> {
    let value = value().prop_filter("null is no sign of the component", |value| value != "null");
    let field = (prop::sample::select(names), value).prop_map(|(name, value)| (format!("{name:?}"), value));
    prop::collection::vec((field, any::<Index>()), 0..4)
}

fn object(members: &[Member]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn array(elements: &[String]) -> String {
    format!("[{}]", elements.join(","))
}

fn with(mut members: Vec<Member>, more: &[(Member, Index)]) -> Vec<Member> {
    for (member, place) in more {
        members.insert(place.index(members.len() + 1), member.clone());
    }
    members
}

fn member(name: &str, value: String) -> Member {
    (format!("{name:?}"), value)
}

/// A Settings, and the same with some of the component's fields.
fn settings_without_and_with() -> impl Strategy<Value = (String, String)> {
    let think = (members(), fields(&Think::OF_COMPONENT)).prop_map(|(members, fields)| {
        let full = with(members.clone(), &fields);
        (object(&members), object(&full))
    });
    let think = think.boxed();
    let think = prop_oneof![
        think.clone(),
        prop::collection::vec(think, 0..3).prop_map(|several| {
            let (without, full): (Vec<_>, Vec<_>) = several.into_iter().unzip();
            (array(&without), array(&full))
        }),
    ];
    let places = [any::<Index>(), any::<Index>()];
    (members(), members(), think, fields(&AgentSettings::OF_COMPONENT), places).prop_map(
        |(settings, agent, (think, full_think), fields, [agent_place, think_place])| {
            let place = |members: &[Member], name, value, place| {
                object(&with(members.to_vec(), &[(member(name, value), place)]))
            };
            let whole = |agent: String| place(&settings, "agent", agent, agent_place);
            let without = place(&agent, "think", think, think_place);
            let think = (member("think", full_think), think_place);
            let full = with(with(agent.clone(), &[think]), &fields);
            (whole(without), whole(object(&full)))
        },
    )
}

/// Anything, and what looks like a message until it is read.
fn any_text() -> impl Strategy<Value = String> {
    let cut = |(text, place): (String, Index)| text.chars().take(place.index(text.len() + 1)).collect();
    let call = concat!(
        r#"\{"type":"FunctionCall(Request|Cancelled|Response)","id":"a?","functions":\["#,
        r#"(\{("id":"[ab]",|"name":"[fg]",|"arguments":"\{\}",){0,3}"client_side":(true|false)\},?){0,3}\]\}"#,
    );
    prop_oneof![
        any::<String>(),
        r#"[\[\]{}:,"\\a-z0-9 .-]{0,60}"#,
        value(),
        call,
        (settings_without_and_with(), any::<Index>()).prop_map(move |((_, text), place)| cut((text, place))),
    ]
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

proptest! {
    #[test]
    fn the_fields_of_the_component_alone_are_taken_out((without, full) in settings_without_and_with()) {
        let backend = backend("repairs");
        prop_assert_eq!(settings(&without, &backend), None);
        prop_assert!(!is_of_component(&without));
        if full == without {
            return Ok(());
        }
        prop_assert!(is_of_component(&full));
        prop_assert_eq!(settings(&full, &backend), Some(without));
    }

    #[test]
    fn the_clients_functions_stay_beside_those_that_are_offered(
        functions in prop::collection::vec(
            (members(), prop::sample::select(CLIENTS), any::<bool>(), any::<[Index; 2]>()),
            0..6,
        ),
        think in members(),
    ) {
        let mut before = Vec::new();
        let mut after = Vec::new();
        for (members, name, has_endpoint, [name_place, endpoint_place]) in functions {
            let named = with(members, &[(member("name", format!("{name:?}")), name_place)]);
            let endpoint = (member("endpoint", "{\"url\": \"https://c\"}".to_owned()), endpoint_place);
            let full = if has_endpoint { with(named.clone(), &[endpoint]) } else { named.clone() };
            before.push(object(&full));
            match name {
                "get_weather" | "bare" => (),
                "silent" => after.push(object(&named)),
                _ => after.push(object(&full)),
            }
        }
        const WEATHER: &str =
            r#"{"name":"get_weather","description":"Weather.","parameters":{"properties":{},"type":"object"}}"#;
        after.push(WEATHER.to_owned());
        after.push(r#"{"name":"bare","parameters":{"type":"object"}}"#.to_owned());
        let update = |functions: &[String]| {
            let think = [think.clone(), vec![member("functions", array(functions))]].concat();
            object(&[member("think", object(&think))])
        };
        prop_assert_eq!(update_think(&update(&before), &backend("both")), Some(update(&after)));
    }

    #[test]
    fn any_text_is_left_alone_or_becomes_json(text in any_text()) {
        let backends = ["repairs", "runs", "both", "any", "neither"].map(backend);
        _ = (kind(&text).is_some(), is_of_component(&text), call_ids(&text));
        let check = |changed: Option<String>, again: &dyn Fn(&str) -> Option<String>| {
            let Some(changed) = changed else { return Ok(()) };
            prop_assert!(is_json(&text) && is_json(&changed), "{} became {}", text, changed);
            // What is changed once is not changed again, but that what is offered is offered anew.
            prop_assert!(again(&changed).is_none_or(|again| again == changed), "{}", changed);
            Ok(())
        };
        check(inject_agent_message(&text), &|text| inject_agent_message(text))?;
        for backend in &backends {
            check(settings(&text, backend), &|text| settings(text, backend))?;
            check(update_think(&text, backend), &|text| update_think(text, backend))?;
            let taken = take_over(&text, backend, |_| true);
            prop_assert!(taken.as_ref().is_none_or(|taken| runs(backend) && !taken.calls.is_empty()));
            check(taken.map(|taken| taken.text), &|text| take_over(text, backend, |_| true).map(|taken| taken.text))?;
        }
    }
}

fn runs(backend: &Backend) -> bool {
    matches!(backend.function_calls, FunctionCalls::Server(_))
}

/// Names of a client's functions.
const CLIENTS: &[&str] = &["get_weather", "bare", "silent", "own", "abroad"];
