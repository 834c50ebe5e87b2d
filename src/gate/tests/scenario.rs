//! The mini-language of the scenario tests: a test is a list of steps, each of which says when, what
//! happens, and exactly which effects follow, in order.
//!
//! The runner feeds due timers by itself (an effect that no step expects fails the test) and reports
//! everything sent as delivered at once, unless a step is `undelivered`. A failure prints the whole trace.

use std::{
    collections::HashMap,
    fmt::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use url::Host;

use super::{oracle::Oracle, render, transcript::Transcript, words};
use crate::{
    config::{Backend, BackendUrl, EndpointHost, FunctionCalls, Functions, Route, Target},
    gate::{ClientFrame, Effect, Gate, Input, Leg, Limits, Phase, UpstreamFrame},
    protocol::{
        agent::{ClientMessage, ServerMessage},
        realtime::{ClientEvent, ServerEvent},
    },
    recording::tape::Tape,
};

/// What can happen in a step.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a script has a handful of them")]
pub(super) enum Action {
    /// An input as it is.
    Input(Box<Input>),
    /// A text frame of the client.
    Client(String),
    /// A text frame of upstream. `$update`, `$create`, `$cancel`, `$truncate` and `$append` stand for the ids
    /// of the last event of that kind, `$item_event`, `$item_id` and `$output` for those of the last user
    /// item's event and item, and of the last function output's event.
    Upstream(String),
    /// A timer is due, exactly now.
    Due,
    /// A leg delivers everything that it has and has not reported.
    Delivers(Leg),
}

impl Action {
    /// The same as the input that it comes to, for scripts that run many times. What stands for an id of the
    /// run stays text.
    pub(super) fn decoded(self) -> Self {
        match self {
            Self::Client(json) => client_input(&json).into(),
            Self::Upstream(json) if !json.contains('$') => upstream_input(&json).into(),
            other => other,
        }
    }
}

fn client_input(json: &str) -> Input {
    ClientMessage::decode(json, |_| ()).map_or_else(Input::ClientMalformed, Input::Client)
}

fn upstream_input(json: &str) -> Input {
    match ServerEvent::decode(json) {
        Ok(decoded) => {
            assert_eq!(decoded.damage, None, "a scenario's events are whole");
            Input::Upstream(decoded.event)
        }
        Err(error) => Input::UpstreamMalformed(error),
    }
}

impl From<Input> for Action {
    fn from(input: Input) -> Self {
        Self::Input(Box::new(input))
    }
}

/// One line of a scenario.
pub(super) struct Step {
    at_ms: u64,
    action: Action,
    expected: Vec<String>,
    delivered: bool,
}

impl Step {
    /// What this step sends stays with the legs until they are said to deliver.
    pub(super) fn undelivered(self) -> Self {
        Self { delivered: false, ..self }
    }
}

/// At `at_ms` something happens, and these effects follow.
pub(super) fn at<const N: usize>(at_ms: u64, action: impl Into<Action>, expected: [&str; N]) -> Step {
    at_lines(at_ms, action, &expected)
}

/// The same with expectations that were put together.
pub(super) fn at_lines(at_ms: u64, action: impl Into<Action>, expected: &[&str]) -> Step {
    let expected = expected.iter().map(|&line| line.to_owned()).collect();
    Step { at_ms, action: action.into(), expected, delivered: true }
}

/// At `at_ms`, and not before, a timer fires, and these effects follow.
pub(super) fn due<const N: usize>(at_ms: u64, expected: [&str; N]) -> Step {
    at(at_ms, Action::Due, expected)
}

/// The connection that a test begins with.
pub(super) struct Scenario {
    backend: Backend,
    limits: Limits,
    opening: Vec<Action>,
    loses_races: bool,
}

/// Nothing has happened yet.
pub(super) fn fresh() -> Scenario {
    let url = BackendUrl::SelfPath("/sim/openai".to_owned());
    Scenario {
        backend: Backend::new("openai", "/openai", url),
        limits: limits(),
        opening: Vec::new(),
        loses_races: false,
    }
}

/// An open session of a client of Deepgram's, with server VAD.
pub(super) fn deepgram() -> Scenario {
    opened_with("{}")
}

/// An open session of the component, with server VAD.
pub(super) fn component() -> Scenario {
    opened_with(r#"{"idleTimeoutMs":10000}"#)
}

/// An open session of the component, with manual commits.
pub(super) fn manual() -> Scenario {
    opened_with(r#"{"useOpenAIManualAudioCommit":true,"think":{"prompt":"Be brief."}}"#)
}

fn opened_with(agent: &str) -> Scenario {
    let opening = vec![
        Input::ClientConnected.into(),
        Input::UpstreamOpened.into(),
        words::settings(agent),
        words::session_updated(),
    ];
    Scenario { opening, ..fresh() }
}

/// These functions run in the pool, of which nothing is real here.
pub(super) fn here(names: &[&str]) -> FunctionCalls {
    let application = || Target::Url("http://127.0.0.1:9/".parse().expect("a url"));
    let route = |name: &&str| Route::new(vec![(*name).to_owned()], application());
    let functions = Functions { routes: names.iter().map(route).collect(), ..Functions::default() };
    FunctionCalls::Server(Arc::new(functions))
}

/// What a client says of a function that is to run at `host`, with a query of this many bytes.
pub(super) fn function_at(name: &str, host: &str, bytes: usize) -> serde_json::Value {
    let url = format!("http://{host}/f?{}", "x".repeat(bytes));
    serde_json::json!({"name": name, "endpoint": {"url": url}})
}

/// The client's functions may run at this host, and none runs here otherwise.
pub(super) fn endpoints_at(host: &str) -> FunctionCalls {
    let host = EndpointHost { host: Host::parse(host).expect("a host"), port: None };
    let (routes, allowed_endpoint_hosts) = (Vec::new(), vec![host]);
    FunctionCalls::Server(Arc::new(Functions { routes, allowed_endpoint_hosts, ..Functions::default() }))
}

impl Scenario {
    /// The same after this has happened as well.
    pub(super) fn upto(mut self, happened: impl Into<Action>) -> Self {
        self.opening.push(happened.into());
        self
    }

    /// The same with another configuration.
    pub(super) fn backend(mut self, change: impl FnOnce(&mut Backend)) -> Self {
        change(&mut self.backend);
        self
    }

    /// The same with an upstream that refuses a response because another one runs. Elsewhere that fails the
    /// test: the gate is to know better.
    pub(super) fn losing_races(self) -> Self {
        Self { loses_races: true, ..self }
    }

    /// The same with other limits.
    pub(super) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }
}

/// The default limits, but that nobody is pinged: in most scenarios peers are silent for long.
pub(super) fn limits() -> Limits {
    let backend = Backend::new("b", "/b", BackendUrl::SelfPath("/".to_owned()));
    Limits { ping_interval: None, ..Limits::new(&backend, Duration::from_secs(60)) }
}

/// Runs the steps. What comes back is where the connection stands then.
pub(super) fn check<const N: usize>(scenario: Scenario, steps: [Step; N]) -> Run {
    check_all(scenario, steps.into())
}

/// The same for steps that were put together.
pub(super) fn check_all(scenario: Scenario, steps: Vec<Step>) -> Run {
    let mut run = Run::new(scenario);
    for step in steps {
        run.step(step);
    }
    run
}

/// A gate with its clock and the story so far.
pub(super) struct Run {
    pub(super) gate: Gate,
    base: Instant,
    now_ms: u64,
    /// Timers that fired without time having passed.
    fired: u32,
    /// What the legs have and have not reported, client first.
    unreported: [usize; 2],
    ids: HashMap<&'static str, String>,
    /// Shows that the run can be replayed.
    tape: Option<Tape>,
    /// Judges every effect of every run.
    pub(super) oracle: Oracle,
    /// Judges what the client gets, as long as responses do not overlap.
    transcript: Transcript,
    /// Every effect since the opening.
    pub(super) effects: Vec<Effect>,
    /// What happened when, and how many effects there were then: put into words only if the run fails, since
    /// the large suites take millions of steps.
    story: Vec<(u64, Told, usize)>,
}

/// An input as it came.
enum Told {
    Input(Box<Input>),
    Client(String),
    Upstream(String),
    Due,
    Delivers(Leg, usize),
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = match self {
            Self::Input(input) => match &**input {
                Input::ClientAudio(audio) => format!("client audio {}", audio.len()),
                other => format!("{other:?}"),
            },
            Self::Client(json) => format!("client {json}"),
            Self::Upstream(json) => format!("upstream {json}"),
            Self::Due => "time".to_owned(),
            Self::Delivers(leg, bytes) => format!("{leg:?} delivers {bytes}"),
        };
        told.chars().take(300).try_for_each(|c| f.write_char(c))
    }
}

impl Run {
    pub(super) fn new(scenario: Scenario) -> Self {
        let Scenario { backend, limits, opening, loses_races } = scenario;
        let mut run = Self {
            tape: Tape::begin(&backend, &limits, None),
            gate: Gate::new(Arc::new(backend), limits, "request-1".to_owned()),
            base: Instant::now(),
            now_ms: 0,
            fired: 0,
            unreported: [0; 2],
            ids: HashMap::new(),
            oracle: Oracle::default(),
            transcript: Transcript::new(loses_races),
            effects: Vec::new(),
            story: Vec::new(),
        };
        for action in opening {
            let effects = run.act(action);
            run.deliver(&effects);
        }
        run.effects.clear();
        run.story.clear();
        run
    }

    fn step(&mut self, step: Step) {
        assert!(step.at_ms >= self.now_ms, "steps are in order");
        self.advance(step.at_ms);
        if matches!(step.action, Action::Due) {
            let due = self.gate.deadline().map(|at| at - self.base);
            if due != Some(Duration::from_millis(step.at_ms)) {
                self.fail(&format!("no timer is due at {} ms, but at {due:?}", step.at_ms));
            }
        }
        let mut effects = self.act(step.action);
        if step.delivered {
            effects.extend(self.deliver(&effects));
        }
        let mut lines: Vec<String> = effects.iter().map(render::line).collect();
        // It follows every end of speech in Deepgram's dialect; steps name it only where it matters.
        let report = |line: &String| line.starts_with("client LatencyReport");
        if !step.expected.iter().any(report) {
            lines.retain(|line| !report(line));
        }
        let same = lines.len() == step.expected.len()
            && lines.iter().zip(&step.expected).all(|(line, expected)| render::fits(line, expected));
        if !same {
            self.fail(&format!("expected at {} ms: {:#?}", step.at_ms, step.expected));
        }
    }

    /// Lets time pass up to `to_ms`; whatever fires before has no effect.
    fn advance(&mut self, to_ms: u64) {
        while let Some(effects) = to_ms.checked_sub(1).and_then(|before| self.fire(before)) {
            if !effects.is_empty() {
                self.fail("no step expects what a timer did");
            }
        }
        self.now_ms = to_ms;
    }

    /// Something happens after the timers that are due by then; both legs deliver what that gives them.
    pub(super) fn happen(&mut self, at_ms: u64, action: Action) -> Vec<Effect> {
        let mut effects = self.pass(at_ms);
        effects.extend(self.act(action));
        effects.extend(self.deliver(&effects.clone()));
        effects
    }

    /// Time passes, whatever the timers do; both legs deliver what those give them.
    pub(super) fn pass(&mut self, to_ms: u64) -> Vec<Effect> {
        let mut all = self.deliver_all();
        while let Some(effects) = self.fire(to_ms) {
            all.extend(self.deliver(&effects));
            all.extend(effects);
        }
        all
    }

    /// The same with legs that deliver nothing.
    pub(super) fn pass_undelivered(&mut self, to_ms: u64) {
        while self.fire(to_ms).is_some() {}
    }

    /// The next timer that is due by then, if one is; else it is then.
    fn fire(&mut self, to_ms: u64) -> Option<Vec<Effect>> {
        let Some(due) = self.due_ms().filter(|due| *due <= to_ms) else {
            (self.now_ms, self.fired) = (to_ms, 0);
            return None;
        };
        self.fired = if due > self.now_ms { 0 } else { self.fired + 1 };
        if self.fired > 100 {
            self.fail("timers fire without an end");
        }
        self.now_ms = self.now_ms.max(due);
        Some(self.act(Action::Due))
    }

    pub(super) fn act(&mut self, action: Action) -> Vec<Effect> {
        let (input, told) = match action {
            Action::Input(input) => (*input.clone(), Told::Input(input)),
            Action::Client(json) => (client_input(&json), Told::Client(json)),
            Action::Upstream(json) => {
                let json = self.with_ids(json);
                (upstream_input(&json), Told::Upstream(json))
            }
            Action::Due => (Input::Timeout, Told::Due),
            Action::Delivers(leg) => {
                let bytes = std::mem::take(&mut self.unreported[leg as usize]);
                (Input::Delivered { leg, bytes }, Told::Delivers(leg, bytes))
            }
        };
        self.story.push((self.now_ms, told, self.effects.len()));
        let now = self.base + Duration::from_millis(self.now_ms);
        self.oracle.before(&input);
        if let Err(broken) = self.transcript.before(&input, &self.gate) {
            self.fail(&broken);
        }
        if let Some(tape) = &mut self.tape {
            tape.input(now - self.base, &input);
        }
        let effects = self.gate.handle(input, now);
        if let Some(tape) = &mut self.tape {
            tape.effects(&effects);
        }
        self.comes_too_early(now);
        for effect in &effects {
            self.note(effect);
        }
        self.effects.extend(effects.iter().cloned());
        if let Err(broken) = self.oracle.after(&effects) {
            self.fail(&broken);
        }
        if !self.oracle.responses_overlap
            && let Err(broken) = self.transcript.after(&effects, &self.gate)
        {
            self.fail(&broken);
        }
        effects
    }

    /// Before its deadline the gate has nothing to do, and is not asked.
    fn comes_too_early(&mut self, now: Instant) {
        let deadline = self.gate.deadline();
        if self.gate.phase() == Phase::Closed || deadline.is_some_and(|at| at <= now) {
            return;
        }
        if !self.gate.handle(Input::Timeout, now).is_empty() || self.gate.deadline() != deadline {
            self.fail("a timeout before the deadline does nothing");
        }
    }

    fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::ToClient(frame) => self.unreported[Leg::Client as usize] += frame.weight(),
            Effect::ToUpstream(frame) => {
                self.unreported[Leg::Upstream as usize] += frame.weight();
                match frame {
                    UpstreamFrame::Event(event) => self.note_ids(event),
                    UpstreamFrame::Audio { event_id, .. } => {
                        self.ids.insert("$append", event_id.to_string());
                    }
                    UpstreamFrame::Raw(_) | UpstreamFrame::Silence { .. } | UpstreamFrame::Frame(_) => (),
                }
            }
            _ => (),
        }
    }

    fn note_ids(&mut self, event: &ClientEvent) {
        let (name, id) = match event {
            ClientEvent::SessionUpdate(update) => ("$update", &update.event_id),
            ClientEvent::CreateResponse(create) => ("$create", &create.event_id),
            ClientEvent::CancelResponse(cancel) => ("$cancel", &cancel.event_id),
            ClientEvent::TruncateItem(truncate) => ("$truncate", &truncate.event_id),
            ClientEvent::CreateItem(create) => {
                let item = create.item.as_ref().expect("an item is created");
                match item.kind.as_deref() {
                    Some("message") => {
                        self.ids.insert("$item_id", item.id.as_ref().expect("ours have ids").to_string());
                        ("$item_event", &create.event_id)
                    }
                    _ => ("$output", &create.event_id),
                }
            }
            _ => return,
        };
        self.ids.insert(name, id.as_ref().expect("every event of ours has an id").to_string());
    }

    fn with_ids(&self, json: String) -> String {
        if !json.contains('$') {
            return json;
        }
        self.ids.iter().fold(json, |json, (name, id)| json.replace(name, id))
    }

    /// Both legs deliver what these effects gave them, and what that brings forth.
    fn deliver(&mut self, effects: &[Effect]) -> Vec<Effect> {
        match effects.iter().any(|effect| matches!(effect, Effect::ToClient(_) | Effect::ToUpstream(_))) {
            true => self.deliver_all(),
            false => Vec::new(),
        }
    }

    /// Both legs deliver all that they have, and what that brings forth.
    pub(super) fn deliver_all(&mut self) -> Vec<Effect> {
        let mut more = Vec::new();
        for _ in 0..1_000 {
            let legs = [Leg::Client, Leg::Upstream];
            let Some(leg) = legs.into_iter().find(|leg| self.unreported[*leg as usize] > 0) else {
                return more;
            };
            more.extend(self.act(Action::Delivers(leg)));
        }
        self.fail("deliveries bring forth more without an end");
    }

    /// All audio since the opening: what went upstream, and what went to the client.
    pub(super) fn audio(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for effect in &self.effects {
            match effect {
                Effect::ToUpstream(UpstreamFrame::Audio { audio, .. }) => up.extend_from_slice(audio),
                Effect::ToClient(ClientFrame::Audio(audio)) => down.extend_from_slice(audio),
                _ => (),
            }
        }
        (up, down)
    }

    /// The text messages that went to the client since the opening.
    pub(super) fn client_messages(&self) -> impl Iterator<Item = &ServerMessage> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::ToClient(ClientFrame::Message(message)) => Some(&**message),
            _ => None,
        })
    }

    /// The events that went upstream since the opening.
    pub(super) fn upstream_events(&self) -> impl Iterator<Item = &ClientEvent> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::ToUpstream(UpstreamFrame::Event(event)) => Some(&**event),
            _ => None,
        })
    }

    /// The id of the user's last item.
    pub(super) fn last_item_id(&self) -> String {
        self.ids.get("$item_id").cloned().expect("an item went up")
    }

    /// When the next timer is due.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let ms = |wait: Duration| wait.as_nanos().div_ceil(1_000_000) as u64;
        self.gate.deadline().map(|at| ms(at.saturating_duration_since(self.base)))
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub(super) fn fail(&self, why: &str) -> ! {
        let mut story = String::new();
        let ends = self.story.iter().skip(1).map(|(_, _, begun)| *begun).chain([self.effects.len()]);
        for ((at_ms, told, begun), end) in self.story.iter().zip(ends) {
            writeln!(story, "{at_ms:>6} ms  {told}").expect("text takes all");
            for effect in &self.effects[*begun..end] {
                writeln!(story, "             {}", render::line(effect)).expect("text takes all");
            }
        }
        panic!("{why}\nthe story so far:\n{story}")
    }
}
