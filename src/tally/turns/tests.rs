//! Turns of real gates in virtual time: how long the user waited, and for how much of that we are to blame.

use std::{collections::VecDeque, sync::Arc};

use serde_json::{Value, json};

use super::*;
use crate::{
    config::{Backend, BackendUrl, TurnDetection},
    gate::{Gate, Limits, Relay, Service},
    protocol::{agent::ClientMessage, realtime::ServerEvent},
};

enum Machine {
    Gate(Box<Gate>),
    Relay(Box<Relay>),
}

/// A connection whose client's socket takes what it is given when the test says so.
struct World {
    machine: Machine,
    turns: Turns,
    began: Instant,
    now: Instant,
    handed: VecDeque<usize>,
    sent_up: Vec<&'static str>,
    items: usize,
}

impl World {
    fn of(machine: Machine) -> Self {
        let began = Instant::now();
        let mut world = Self {
            machine,
            turns: Turns::default(),
            began,
            now: began,
            handed: VecDeque::new(),
            sent_up: Vec::new(),
            items: 0,
        };
        world.take(Input::ClientConnected);
        world.take(Input::UpstreamOpened);
        world
    }

    fn backend(change: impl FnOnce(&mut Backend)) -> (Arc<Backend>, Limits) {
        let mut backend = Backend::new("b", "/b", BackendUrl::SelfPath("/".to_owned()));
        change(&mut backend);
        let limits = Limits::new(&backend, Duration::from_secs(60));
        (Arc::new(backend), limits)
    }

    /// A translated one after its opening.
    fn translated(change: impl FnOnce(&mut Backend)) -> Self {
        let (backend, limits) = Self::backend(change);
        let mut world = Self::of(Machine::Gate(Box::new(Gate::new(backend, limits, "r".to_owned()))));
        world.client(json!({"type": "Settings", "audio": {}, "agent": {}}));
        world.upstream(json!({"type": "session.created", "session": {}}));
        world.upstream(json!({"type": "session.updated", "session": {}}));
        world.delivered();
        world
    }

    fn passed_through() -> Self {
        let (backend, limits) = Self::backend(|_| ());
        Self::of(Machine::Relay(Box::new(Relay::new(backend, limits, Service::Agent))))
    }

    /// Goes on to this moment; timers that are due on the way are.
    fn at(&mut self, ms: u64) -> &mut Self {
        let then = self.began + Duration::from_millis(ms);
        loop {
            let deadline = match &self.machine {
                Machine::Gate(gate) => gate.deadline(),
                Machine::Relay(relay) => relay.deadline(),
            };
            let Some(deadline) = deadline.filter(|deadline| *deadline <= then) else { break };
            self.now = self.now.max(deadline);
            self.take(Input::Timeout);
        }
        self.now = then;
        self
    }

    fn take(&mut self, input: Input) -> &mut Self {
        self.turns.input(&input, self.now);
        let effects = match &mut self.machine {
            Machine::Gate(gate) => gate.handle(input, self.now),
            Machine::Relay(relay) => relay.handle(input, self.now),
        };
        self.turns.effects(&effects, self.now);
        let mut up = 0;
        for effect in &effects {
            match effect {
                Effect::ToClient(frame) => self.handed.push_back(frame.weight()),
                Effect::ToUpstream(frame) => {
                    up += frame.weight();
                    if let UpstreamFrame::Event(event) = frame {
                        self.sent_up.push(event_kind(event));
                    }
                }
                _ => (),
            }
        }
        if up > 0 {
            self.take(Input::Delivered { leg: Leg::Upstream, bytes: up });
        }
        self
    }

    /// The client's socket takes the first frame that it has been given.
    fn delivered_one(&mut self) -> &mut Self {
        let bytes = self.handed.pop_front().expect("there is one");
        self.take(Input::Delivered { leg: Leg::Client, bytes })
    }

    /// The client's socket takes all that it has been given.
    fn delivered(&mut self) -> &mut Self {
        while let Some(bytes) = self.handed.pop_front() {
            self.take(Input::Delivered { leg: Leg::Client, bytes });
        }
        self
    }

    fn client(&mut self, message: Value) -> &mut Self {
        let message = ClientMessage::decode(&message.to_string(), |_| ()).expect("a message");
        self.take(Input::Client(message))
    }

    fn types(&mut self, text: &str) -> &mut Self {
        self.client(json!({"type": "InjectUserMessage", "content": text}))
    }

    fn upstream(&mut self, event: Value) -> &mut Self {
        let decoded = ServerEvent::decode(&event.to_string()).expect("an event");
        self.take(Input::Upstream(decoded.event))
    }

    fn event(&mut self, kind: &str) -> &mut Self {
        self.upstream(json!({ "type": kind }))
    }

    /// Upstream confirms what was typed, under a name of its own.
    fn confirms(&mut self, text: &str) -> &mut Self {
        self.items += 1;
        self.upstream(json!({"type": "conversation.item.added", "item": {"id": format!("i{}", self.items),
            "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}}))
    }

    fn created(&mut self, id: &str) -> &mut Self {
        self.upstream(json!({"type": "response.created", "response": {"id": id}}))
    }

    fn audio(&mut self, id: &str) -> &mut Self {
        self.upstream(json!({"type": "response.output_audio.delta", "response_id": id, "item_id": "a",
            "delta": "AAAAAAAA"}))
    }

    fn done(&mut self, id: &str, status: &str) -> &mut Self {
        self.upstream(
            json!({"type": "response.done", "response": {"id": id, "status": status, "output": []}}),
        )
    }

    fn frame(&mut self, message: Value) -> &mut Self {
        self.take(Input::UpstreamFrame(Frame::text(message.to_string())))
    }

    /// What has been measured since this was last asked: how it was said, how long the user waited, and our share, ms.
    fn measured(&mut self) -> Option<(Option<(TurnInput, u128)>, u128)> {
        let answered = self.turns.take_answered()?;
        Some((answered.wait.map(|(input, wait)| (input, wait.as_millis())), answered.own.as_millis()))
    }
}

fn event_kind(event: &crate::protocol::realtime::ClientEvent) -> &'static str {
    use crate::protocol::realtime::ClientEvent;
    match event {
        ClientEvent::Commit(_) => "commit",
        ClientEvent::CreateResponse(_) => "create",
        _ => "other",
    }
}

const SPEECH: TurnInput = TurnInput::Speech;
const TEXT: TurnInput = TurnInput::Text;

#[test]
fn a_spoken_turn_is_measured_from_its_end_to_the_first_audio_in_the_socket() {
    let mut world = World::translated(|_| ());
    world.at(100).event("input_audio_buffer.speech_started");
    world.at(1_000).event("input_audio_buffer.speech_stopped");
    world.at(1_200).created("r").delivered();
    world.at(1_300).audio("r");
    assert_eq!(world.measured(), None, "nothing of it is in the socket");
    assert_eq!(world.handed.len(), 2, "AgentStartedSpeaking, and the audio");
    world.at(1_301).delivered_one();
    assert_eq!(world.measured(), None, "the audio is not");
    world.at(1_304).audio("r");
    world.at(1_307).delivered();
    assert_eq!(world.measured(), Some((Some((SPEECH, 307)), 7)));
    world.at(1_400).audio("r").delivered();
    assert_eq!(world.measured(), None, "once");
}

#[test]
fn a_typed_turn_is_measured_from_when_it_came_and_a_held_wish_is_our_share() {
    let mut world = World::translated(|_| ());
    // A response of upstream's own runs.
    world.at(100).created("r1");
    world.at(200).types("hello").delivered();
    world.at(250).confirms("hello");
    assert!(!world.sent_up.contains(&"create"), "R6");
    world.at(600).done("r1", "completed");
    assert_eq!(world.sent_up.last(), Some(&"create"));
    world.at(700).created("r2").delivered();
    world.at(900).audio("r2");
    world.at(903).delivered();
    assert_eq!(world.measured(), Some((Some((TEXT, 703)), 350 + 3)));
}

#[test]
fn what_the_agent_still_says_of_an_earlier_turn_answers_nothing_that_was_typed_meanwhile() {
    let mut world = World::translated(|_| ());
    world.at(100).types("one").confirms("one");
    world.at(200).created("r1");
    world.at(300).audio("r1");
    world.at(301).delivered();
    assert_eq!(world.measured(), Some((Some((TEXT, 201)), 1)));
    world.at(400).types("two").confirms("two");
    world.at(500).audio("r1").delivered();
    assert_eq!(world.measured(), None);
    world.at(600).done("r1", "completed");
    world.at(700).created("r2");
    world.at(800).audio("r2").delivered();
    assert_eq!(world.measured(), Some((Some((TEXT, 400)), 200)));
}

#[test]
fn with_turns_by_hand_the_wait_for_quiet_is_our_share() {
    let mut world = World::translated(|backend| backend.turn_detection = TurnDetection::Manual);
    for ms in (0..1_100).step_by(100) {
        // 100 ms of 16 kHz each.
        world.at(ms).take(Input::ClientAudio(vec![0; 3_200].into()));
    }
    world.at(1_450);
    let committed = world.sent_up.iter().position(|kind| *kind == "commit");
    assert!(committed.is_some(), "{:?}", world.sent_up);
    world.at(1_500).created("r").audio("r").delivered();
    let Some((Some((SPEECH, waited)), own)) = world.measured() else { panic!("an answer") };
    assert_eq!(waited, 500, "since the last audio");
    assert!((390..=410).contains(&own), "{own}");
}

#[test]
fn audio_that_is_stale_never_counts() {
    let mut world = World::translated(|_| ());
    world.at(1_000).event("input_audio_buffer.speech_stopped").created("r1").delivered();
    // Handed to the leg, and the user speaks before it is in the socket.
    world.at(1_100).audio("r1");
    world.at(1_150).event("input_audio_buffer.speech_started").delivered();
    assert_eq!(world.measured(), None);
    world.at(1_200).audio("r1").delivered();
    assert_eq!(world.measured(), None, "it is ignored");
    world.at(2_000).event("input_audio_buffer.speech_stopped");
    world.at(2_010).audio("r1");
    world.at(2_100).created("r2");
    world.at(2_150).audio("r1");
    world.at(2_200).audio("r2");
    world.at(2_202).delivered();
    assert_eq!(world.measured(), Some((Some((SPEECH, 202)), 2)));
}

#[test]
fn what_is_typed_while_upstream_answers_speech_is_a_turn_of_its_own() {
    let mut world = World::translated(|_| ());
    world.at(100).event("input_audio_buffer.speech_stopped").created("r1");
    world.at(200).types("two").confirms("two").delivered();
    world.at(300).audio("r1").delivered();
    assert_eq!(world.measured(), Some((Some((SPEECH, 200)), 0)));
    world.at(400).done("r1", "completed").created("r2");
    world.at(500).audio("r2").delivered();
    assert_eq!(world.measured(), Some((Some((TEXT, 300)), 200)));
}

#[test]
fn a_request_that_lost_its_race_is_our_share_until_it_is_made_again() {
    let mut world = World::translated(|_| ());
    world.at(100).types("one").confirms("one").delivered();
    assert_eq!(world.sent_up.last(), Some(&"create"));
    // Upstream has begun a response of its own, which knows nothing of the text.
    world
        .at(150)
        .upstream(json!({"type": "error", "error": {"code": "conversation_already_has_active_response"}}));
    world.sent_up.clear();
    world
        .at(200)
        .upstream(json!({"type": "response.output_audio.delta", "item_id": "a", "delta": "AAAAAAAA"}));
    world.delivered();
    assert_eq!(world.measured(), None, "it answers something else");
    world.at(400).event("response.done");
    assert_eq!(world.sent_up, ["create"], "R7");
    world.at(500).created("r2");
    world.at(600).audio("r2");
    world.at(602).delivered();
    assert_eq!(world.measured(), Some((Some((TEXT, 502)), 250 + 2)));
}

#[test]
fn a_request_that_lost_its_race_to_a_response_announced_later_is_answered_by_that() {
    let mut world = World::translated(|_| ());
    world.at(100).types("one").confirms("one").delivered();
    world
        .at(150)
        .upstream(json!({"type": "error", "error": {"code": "conversation_already_has_active_response"}}));
    world.at(200).created("r1");
    world.at(300).audio("r1");
    world.at(301).delivered();
    assert_eq!(world.measured(), Some((Some((TEXT, 201)), 1)));
}

#[test]
fn what_was_held_for_the_agent_s_own_message_is_no_share_of_a_later_turn() {
    let mut world = World::translated(|_| ());
    world.at(100).created("r1");
    world.at(200).client(json!({"type": "InjectAgentMessage", "message": "by the way", "behavior": "queue"}));
    world.at(300).done("r1", "completed");
    assert_eq!(world.sent_up.last(), Some(&"create"));
    world.at(400).created("r2").done("r2", "completed");
    world.at(1_000).types("hello");
    world.at(1_050).confirms("hello").created("r3");
    world.at(1_100).audio("r3");
    world.at(1_101).delivered();
    assert_eq!(world.measured(), Some((Some((TEXT, 101)), 1)));
}

#[test]
fn what_upstream_has_answered_by_itself_is_held_no_more() {
    let mut world = World::translated(|_| ());
    world.at(100).created("r1");
    world.at(200).types("one").confirms("one");
    // Before its end, which is where ours would go up.
    world.at(300).created("r2");
    world.at(400).done("r1", "completed").done("r2", "completed").delivered();
    assert!(!world.sent_up.contains(&"create"), "R6: it is fulfilled");
    world.at(1_000).types("two");
    world.at(1_050).confirms("two").created("r3");
    world.at(1_100).audio("r3");
    world.at(1_101).delivered();
    assert_eq!(world.measured(), Some((Some((TEXT, 101)), 1)));
}

#[test]
fn speech_after_the_agent_s_own_message_is_answered_as_ever() {
    let mut world = World::translated(|_| ());
    world.at(100).client(json!({"type": "InjectAgentMessage", "message": "by the way"}));
    world.at(200).created("r1").audio("r1").done("r1", "completed").delivered();
    assert_eq!(world.measured(), None);
    world.at(2_000).event("input_audio_buffer.speech_stopped").created("r2");
    world.at(2_100).audio("r2").delivered();
    assert_eq!(world.measured(), Some((Some((SPEECH, 100)), 0)));
}

#[test]
fn who_goes_on_speaking_is_answered_when_that_has_ended() {
    let mut world = World::translated(|backend| backend.barge_in = false);
    world.at(100).types("one").confirms("one").created("r1");
    world.at(200).event("input_audio_buffer.speech_started").delivered();
    world.at(300).audio("r1").delivered();
    assert_eq!(world.measured(), None, "the turn is not over");
}

#[test]
fn who_calls_functions_first_answers_with_the_response_that_speaks() {
    let mut world = World::translated(|_| ());
    world.at(100).types("time?").confirms("time?").delivered();
    world.at(200).created("r1");
    let call = json!({"id": "f", "type": "function_call", "status": "completed", "call_id": "c", "name": "now",
        "arguments": "{}"});
    world.upstream(json!({"type": "response.output_item.added", "response_id": "r1", "item": call}));
    world.at(300).upstream(json!({"type": "response.done", "response": {"id": "r1", "status": "completed",
        "output": [call]}}));
    world.at(400).client(json!({"type": "FunctionCallResponse", "id": "c", "name": "now", "content": "12"}));
    world.at(500).created("r2").audio("r2");
    world.at(505).delivered();
    assert_eq!(world.measured(), Some((Some((TEXT, 405)), 5)));
}

#[test]
fn an_answer_that_never_comes_is_not_given_by_the_next_thing_that_is_said() {
    let mut world = World::translated(|_| ());
    world.at(100).types("one").confirms("one").created("r1");
    world.at(200).done("r1", "failed");
    world.at(300).created("r2").audio("r2").delivered();
    assert_eq!(world.measured(), None, "it was asked for by nobody");
}

#[test]
fn what_the_client_has_the_agent_say_answers_nobody() {
    let mut world = World::translated(|_| ());
    world.at(100).client(json!({"type": "InjectAgentMessage", "message": "one moment"}));
    assert_eq!(world.sent_up.last(), Some(&"create"));
    world.at(200).types("hello").confirms("hello");
    world.at(300).created("r1").audio("r1").delivered();
    assert_eq!(world.measured(), None);
    world.at(400).done("r1", "completed").created("r2");
    world.at(500).audio("r2").delivered();
    assert_eq!(world.measured(), Some((Some((TEXT, 300)), 200)));
}

#[test]
fn a_message_that_is_refused_is_no_turn() {
    let mut world = World::translated(|_| ());
    world.at(100).types(&"\u{1}".repeat(crate::gate::CLIENT_MESSAGE_LIMIT / 4)).delivered();
    assert!(!world.sent_up.contains(&"create"));
    world.at(200).created("r").audio("r").delivered();
    assert_eq!(world.measured(), None);
}

#[test]
fn passed_through_who_types_is_known_to_wait() {
    let mut world = World::passed_through();
    let audio = || Input::UpstreamFrame(Frame::binary(vec![0; 960]));
    // A greeting answers nobody, but has a way through us.
    world.at(100).frame(json!({"type": "ConversationText", "role": "assistant", "content": "hi"}));
    world.at(110).take(audio());
    world.at(113).delivered();
    assert_eq!(world.measured(), Some((None, 3)));
    let typed = json!({"type": "InjectUserMessage", "content": "hello"}).to_string();
    world.at(200).take(Input::ClientFrame(Frame::text(typed)));
    world.at(210).take(audio()).delivered();
    assert_eq!(world.measured(), None, "of the greeting");
    world.at(300).frame(json!({"type": "AgentThinking", "content": ""}));
    world.at(500).take(audio());
    world.at(501).delivered();
    assert_eq!(world.measured(), Some((Some((TEXT, 301)), 1)));
    world.at(600).take(audio()).delivered();
    assert_eq!(world.measured(), None, "once");
}

#[test]
fn passed_through_who_speaks_after_typing_has_no_typed_turn() {
    let mut world = World::passed_through();
    let typed = json!({"type": "InjectUserMessage", "content": "hello"}).to_string();
    world.at(100).take(Input::ClientFrame(Frame::text(typed)));
    world.at(200).frame(json!({"type": "UserStartedSpeaking"}));
    world.at(300).frame(json!({"type": "AgentThinking", "content": ""}));
    world.at(400).take(Input::UpstreamFrame(Frame::binary(vec![0; 960]))).delivered();
    assert_eq!(world.measured(), Some((None, 0)));
    world.at(500).frame(json!({"type": "AgentAudioDone"}));
    let long = json!({"type": "InjectUserMessage", "content": "x".repeat(LOOKED_INTO)}).to_string();
    world.at(600).take(Input::ClientFrame(Frame::text(long)));
    world.at(700).frame(json!({"type": "AgentThinking", "content": ""}));
    world.at(800).take(Input::UpstreamFrame(Frame::binary(vec![0; 960])));
    world.at(801).delivered();
    assert_eq!(world.measured(), Some((None, 1)), "nobody looks for the type of so long a text");
}

#[test]
fn passed_through_how_long_who_spoke_has_waited_is_not_known() {
    let mut world = World::passed_through();
    world.at(100).frame(json!({"type": "UserStartedSpeaking"}));
    world.at(900).frame(json!({"type": "ConversationText", "role": "user", "content": "hi"}));
    world.at(1_000).frame(json!({"type": "AgentThinking", "content": ""}));
    let first = Frame { last: false, ..Frame::binary(vec![0; 960]) };
    world.at(1_100).take(Input::UpstreamFrame(first));
    world.at(1_102).delivered();
    assert_eq!(world.measured(), Some((None, 2)));
    world.at(1_200).frame(json!({"type": "AgentAudioDone"})).delivered();
    assert_eq!(world.measured(), None);
}
