//! What comes out of a relay, judged by what went in.

use super::{super::*, AGENT_DONE, Call, Way, World};
use crate::gate::{ClientFrame, Phase, UpstreamFrame};

const KEEP_ALIVE: &str = r#"{"type":"KeepAlive"}"#;
const AGENT_AUDIO_DONE: &str = r#"{"type":"AgentAudioDone"}"#;
/// What waits for a leg is at most its budget, and what one input may add.
const SLACK: usize = 20_000;

impl World {
    pub(super) fn judge(&mut self, effect: Effect) {
        assert!(!self.finished || matches!(effect, Effect::Ignored(_)), "{effect:?} after the end");
        match effect {
            Effect::ToClient(frame) => {
                let weight = frame.weight();
                let ClientFrame::Frame(frame) = frame else { panic!("no frame") };
                assert!(!self.down.is_closed && !self.up.is_over, "the client is gone, or was told a close");
                self.down.in_flight.push_back(weight);
                self.client_reads(&frame);
            }
            Effect::ToUpstream(frame) => {
                let weight = frame.weight();
                let UpstreamFrame::Frame(frame) = frame else { panic!("no frame") };
                assert!(self.opened && !self.up.is_closed && !self.down.is_over, "upstream is not there");
                self.up.in_flight.push_back(weight);
                self.upstream_reads(&frame);
            }
            Effect::Execute(run) => {
                let call = self.calls.get_mut(run.id.as_str()).expect("it was asked for");
                assert!(!call.has_begun && !call.is_cancelled, "it is run once");
                call.has_begun = true;
            }
            Effect::CancelFunction(id) => {
                let call = self.calls.get_mut(id.as_str()).expect("it was asked for");
                assert!(call.has_begun && !call.is_over, "it runs");
                // Unless Deepgram waits for it no more, it has taken too long.
                call.is_over = !call.is_cancelled && self.relay.phase() == Phase::Active;
                call.is_cancelled |= !call.is_over;
            }
            Effect::Pause(leg) | Effect::Resume(leg) => {
                let is_paused = matches!(effect, Effect::Pause(_));
                let way = if leg == Leg::Client { &mut self.up } else { &mut self.down };
                assert_ne!(way.is_paused, is_paused);
                way.is_paused = is_paused;
            }
            Effect::Ping(leg) => {
                assert!(leg == Leg::Client || self.strict);
                self.pinged |= leg == Leg::Client;
            }
            Effect::Close { leg, .. } => {
                let way = if leg == Leg::Client { &mut self.down } else { &mut self.up };
                assert!(!std::mem::replace(&mut way.is_closed, true), "a leg is closed once");
                let can_flush = leg == Leg::Client || self.opened;
                assert!(
                    !can_flush || way.is_lossy || way.expected.is_empty(),
                    "{leg:?} gets everything before"
                );
            }
            Effect::Finished => self.finished = true,
            Effect::HangUp(_) => (),
            Effect::OpenUpstream | Effect::Held(_) | Effect::Ignored(_) | Effect::RanOut(_) => (),
            Effect::UseAudio(_) => panic!("nothing is converted"),
        }
    }

    fn client_reads(&mut self, frame: &Frame) {
        let begins = frame.opcode != Opcode::Continuation;
        assert_eq!(begins, !self.down.in_message, "{frame:?} inside a message, or outside of one");
        self.down.in_message = !frame.last;
        let text = String::from_utf8(frame.payload.to_vec()).expect("all of this world is text");
        let is_done = std::mem::take(&mut self.agent_done);
        self.agent_done = frame.payload == AGENT_DONE;
        if self.down.expected.front() == Some(frame) || frame.opcode != Opcode::Text || !frame.last {
            return self.down.arrives(frame);
        }
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        assert!(
            !is_done || text == AGENT_AUDIO_DONE,
            "AgentDone stands directly before AgentAudioDone: {text}"
        );
        match value["type"].as_str() {
            Some("AgentDone") => assert!(self.is_component),
            Some("AgentAudioDone") if text == AGENT_AUDIO_DONE => assert!(is_done),
            Some("FunctionCallResponse") => {
                let id = value["id"].as_str().expect("an id");
                self.calls.get_mut(id).expect("the gateway's").told += 1;
            }
            Some("Error") => {
                assert!(!std::mem::replace(&mut self.error_told, true), "one trouble, one Error");
                assert!(self.down.is_lossy || self.down.expected.is_empty(), "behind all that upstream said");
            }
            _ => self.down.arrives(frame),
        }
    }

    fn upstream_reads(&mut self, frame: &Frame) {
        let begins = frame.opcode != Opcode::Continuation;
        assert_eq!(begins, !self.up.in_message, "{frame:?} inside a message, or outside of one");
        self.up.in_message = !frame.last;
        let text = String::from_utf8(frame.payload.to_vec()).expect("all of this world is text");
        if frame.opcode == Opcode::Text && text == KEEP_ALIVE {
            assert!(self.may_keep_alive && self.answered_ping, "a KeepAlive is for a client that is there");
            assert!(!self.stream_ended && self.service != V2, "no KeepAlive here");
            (self.pinged, self.answered_ping) = (false, false);
            return;
        }
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        if value["type"] == "FunctionCallResponse" && value["n"].is_null() && frame.opcode == Opcode::Text {
            let call = self.calls.get_mut(value["id"].as_str().expect("an id")).expect("the gateway's");
            assert!(call.is_over && call.answered == 0, "a call is answered once");
            call.answered += 1;
            return;
        }
        self.up.arrives(frame);
        let ends = frame.opcode == Opcode::Binary && frame.last && text.is_empty();
        self.stream_ended |= self.service == V1 && (ends || value["type"] == "CloseStream");
    }

    pub(super) fn judge_waiting(&self) {
        let relay = &self.relay;
        let waits = match relay.phase() {
            Phase::Opening | Phase::Closing => true,
            Phase::Active => self.up.is_paused || self.down.is_paused || self.calls.values().any(Call::runs),
            _ => false,
        };
        assert!(!waits || relay.deadline().is_some(), "whatever is waited for has a deadline");
        let limits = limits();
        for bytes in [relay.to_client.bytes(), relay.to_upstream.bytes()] {
            assert!(bytes <= limits.leg + SLACK, "{bytes} bytes wait");
        }
    }
}

impl Way {
    fn arrives(&mut self, frame: &Frame) {
        while self.is_lossy && self.expected.front().is_some_and(|expected| expected != frame) {
            self.expected.pop_front();
        }
        if self.expected.front() == Some(frame) {
            self.expected.pop_front();
        } else {
            assert!(self.expected.is_empty(), "{frame:?} overtakes {:?}", self.expected);
            assert_eq!(self.sent.get(self.arrived), Some(frame), "it was not sent");
            self.arrived += 1;
        }
    }
}
