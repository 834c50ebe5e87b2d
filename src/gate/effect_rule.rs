//! The rule behind each effect, so that a reader of the log knows where to look up why it happened. Decides nothing:
//! only who looks on asks for it.

use std::fmt;

use super::{ClientFrame, Effect, Input, Rule, UpstreamFrame};
use crate::protocol::{
    agent::{ClientMessage, HistoryMessage, Role, ServerMessage},
    realtime::{ClientEvent, CreateItem, ServerEvent},
};

/// What an input was, as far as the rule behind an effect depends on it. (Without a bearing on that it is `Other`; so
/// it is if what an input brought about was sent later, when there was room for it.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// The client's Settings or upstream's socket: what an opening waits for.
    Opening,
    /// `session.updated`.
    Configured,
    /// A typed message of the user.
    Typed,
    /// What the client has the agent say.
    AgentMessage,
    /// What a function returned.
    Answer,
    /// Upstream heard the user.
    Speech,
    /// Anything else.
    Other,
}

impl Occasion {
    /// That of an input.
    pub fn of(input: &Input) -> Self {
        match input {
            Input::ClientConnected | Input::UpstreamOpened | Input::Client(ClientMessage::Settings(_)) => {
                Self::Opening
            }
            Input::Upstream(ServerEvent::SessionUpdated(_)) => Self::Configured,
            Input::Client(ClientMessage::InjectUserMessage(_)) => Self::Typed,
            Input::Client(ClientMessage::InjectAgentMessage(_)) => Self::AgentMessage,
            Input::Client(ClientMessage::FunctionCallResponse(_)) | Input::FunctionFinished { .. } => {
                Self::Answer
            }
            Input::Upstream(
                ServerEvent::TranscriptionDelta(_)
                | ServerEvent::TranscriptionCompleted(_)
                | ServerEvent::TranscriptionFailed(_)
                | ServerEvent::SpeechStarted(_)
                | ServerEvent::SpeechStopped(_),
            ) => Self::Speech,
            _ => Self::Other,
        }
    }
}

impl Effect {
    /// The rule behind this effect; `None` if none of them has a word in it, as where frames are passed through, or
    /// where it is a matter of who reads how fast.
    pub fn rule(&self, occasion: Occasion) -> Option<Rule> {
        match self {
            Self::OpenUpstream => Some(Rule::SettingsFirst),
            Self::UseAudio(_) => Some(Rule::InputWaitsForSession),
            Self::ToClient(ClientFrame::Message(message)) => of_message(message, occasion),
            Self::ToClient(ClientFrame::Audio(_)) => Some(Rule::SignalsAroundOutput),
            Self::ToUpstream(UpstreamFrame::Event(event)) => of_event(event, occasion),
            Self::ToUpstream(UpstreamFrame::Audio { .. }) => Some(match occasion {
                Occasion::Configured => Rule::InputWaitsForSession,
                _ => Rule::ManualCommit,
            }),
            Self::ToUpstream(UpstreamFrame::Silence { .. }) => Some(Rule::ManualCommit),
            Self::ToUpstream(UpstreamFrame::Raw(_)) => Some(Rule::InputWaitsForSession),
            Self::ToClient(ClientFrame::Frame(_)) | Self::ToUpstream(UpstreamFrame::Frame(_)) => None,
            Self::Execute(_) | Self::CancelFunction(_) => Some(Rule::AnswersBeforeResponse),
            Self::Pause(_) | Self::Resume(_) | Self::Ping(_) => None,
            Self::Held(rule) | Self::Ignored(rule) | Self::RanOut(rule) => Some(*rule),
            Self::Close { .. } | Self::HangUp(_) | Self::Finished => Some(Rule::CloseOnce),
        }
    }
}

fn of_message(message: &ServerMessage, occasion: Occasion) -> Option<Rule> {
    Some(match message {
        ServerMessage::SettingsApplied(_) => match occasion {
            Occasion::Opening => Rule::OneSessionUpdate,
            _ => Rule::InputWaitsForSession,
        },
        ServerMessage::ConversationText(text) => of_line(text.role, occasion),
        ServerMessage::History(entry) => match &**entry {
            HistoryMessage { role: Some(role), .. } => of_line(*role, occasion),
            HistoryMessage { role: None, .. } => Rule::OneAnswerPerCall,
        },
        ServerMessage::UserStartedSpeaking(_) => match occasion {
            Occasion::AgentMessage => Rule::NoStaleAudio,
            _ => Rule::UserSpeech,
        },
        ServerMessage::AgentThinking(_) => match occasion {
            Occasion::Answer => Rule::OneAnswerPerCall,
            Occasion::Speech => Rule::UserSpeech,
            Occasion::Typed | Occasion::Configured => Rule::ItemBeforeResponse,
            // A function runs here.
            _ => Rule::AnswersBeforeResponse,
        },
        ServerMessage::AgentStartedSpeaking(_)
        | ServerMessage::AgentAudioDone(_)
        | ServerMessage::AgentDone(_)
        | ServerMessage::LatencyReport(_) => Rule::SignalsAroundOutput,
        ServerMessage::FunctionCallRequest(_) | ServerMessage::FunctionCallCancelled(_) => {
            Rule::AnswersBeforeResponse
        }
        ServerMessage::FunctionCallResponse(_) => Rule::OneAnswerPerCall,
        ServerMessage::PromptUpdated(_)
        | ServerMessage::SpeakUpdated(_)
        | ServerMessage::ThinkUpdated(_)
        | ServerMessage::ThinkLiveUpdated(_)
        | ServerMessage::ListenUpdated(_) => Rule::OneSessionUpdate,
        ServerMessage::InjectionRefused(_) => Rule::OneActiveResponse,
        ServerMessage::Transcript(_) | ServerMessage::UtteranceEnd(_) => Rule::UserSpeech,
        ServerMessage::Error(_) | ServerMessage::Warning(_) => Rule::ErrorsByCode,
        // It greets; the others this gateway never says.
        ServerMessage::Welcome(_)
        | ServerMessage::FrustrationDetected(_)
        | ServerMessage::CustomFromThinkProvider(_)
        | ServerMessage::Unknown(_) => return None,
    })
}

/// A line of the conversation.
fn of_line(role: Role, occasion: Occasion) -> Rule {
    match (role, occasion) {
        (Role::User, Occasion::Speech) => Rule::UserSpeech,
        (Role::User, _) => Rule::ItemBeforeResponse,
        (Role::Assistant, Occasion::Configured) => Rule::GreetingOnce,
        (Role::Assistant, _) => Rule::TextOnce,
    }
}

fn of_event(event: &ClientEvent, occasion: Occasion) -> Option<Rule> {
    Some(match event {
        ClientEvent::SessionUpdate(_) => match occasion {
            Occasion::Opening => Rule::SettingsFirst,
            _ => Rule::OneSessionUpdate,
        },
        ClientEvent::Append(_) | ClientEvent::Commit(_) | ClientEvent::ClearInput(_) => Rule::ManualCommit,
        ClientEvent::CreateItem(create) => of_item(create),
        ClientEvent::CreateResponse(_) => Rule::OneActiveResponse,
        ClientEvent::CancelResponse(_) | ClientEvent::TruncateItem(_) | ClientEvent::ClearOutput(_) => {
            Rule::NoStaleAudio
        }
        // This gateway never says them.
        ClientEvent::RetrieveItem(_) | ClientEvent::DeleteItem(_) | ClientEvent::Unknown(_) => return None,
    })
}

fn of_item(create: &CreateItem) -> Rule {
    match create.item.as_ref().is_some_and(|item| item.call_id.is_some()) {
        true => Rule::OneAnswerPerCall,
        false => Rule::ItemBeforeResponse,
    }
}

/// The rules of one step, each once. `Display` is `R2,R4`, or `-` for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules(u32);

impl Rules {
    /// Those behind some effects.
    pub fn of(effects: &[Effect], occasion: Occasion) -> Self {
        let rules = effects.iter().filter_map(|effect| effect.rule(occasion));
        Self(rules.fold(0, |rules, rule| rules | 1 << rule.number()))
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rules = Rule::ALL.iter().filter(|rule| self.0 & 1 << rule.number() != 0);
        match rules.next() {
            Some(first) => write!(f, "{first}")?,
            None => return f.write_str("-"),
        }
        rules.try_for_each(|rule| write!(f, ",{rule}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gate::Leg,
        protocol::agent::Empty,
        translate::{to_client, to_upstream},
    };

    fn tell(message: ServerMessage) -> Effect {
        Effect::ToClient(ClientFrame::Message(Box::new(message)))
    }

    fn send(event: ClientEvent) -> Effect {
        Effect::ToUpstream(UpstreamFrame::Event(Box::new(event)))
    }

    #[test]
    fn the_same_effect_follows_from_another_rule_on_another_occasion() {
        let line = |role| tell(to_client::conversation_text(role, "said".to_owned()));
        let applied = || tell(ServerMessage::SettingsApplied(Empty {}));
        let thinking = || tell(to_client::agent_thinking());
        let update = || send(ClientEvent::SessionUpdate(Box::default()));
        let call = to_upstream::function_call_output("e".into(), "i".into(), "c".into(), "{}".to_owned());
        let typed = to_upstream::user_message("e".into(), "i".into(), "said".to_owned());
        for (effect, occasion, rule) in [
            (line(Role::User), Occasion::Typed, Rule::ItemBeforeResponse),
            (line(Role::User), Occasion::Speech, Rule::UserSpeech),
            (line(Role::Assistant), Occasion::Configured, Rule::GreetingOnce),
            (line(Role::Assistant), Occasion::Other, Rule::TextOnce),
            (applied(), Occasion::Configured, Rule::InputWaitsForSession),
            (applied(), Occasion::Opening, Rule::OneSessionUpdate),
            (thinking(), Occasion::Answer, Rule::OneAnswerPerCall),
            (thinking(), Occasion::Speech, Rule::UserSpeech),
            (thinking(), Occasion::Typed, Rule::ItemBeforeResponse),
            (thinking(), Occasion::Other, Rule::AnswersBeforeResponse),
            (update(), Occasion::Opening, Rule::SettingsFirst),
            (update(), Occasion::Other, Rule::OneSessionUpdate),
            (send(call), Occasion::Answer, Rule::OneAnswerPerCall),
            (send(typed), Occasion::Typed, Rule::ItemBeforeResponse),
        ] {
            assert_eq!(effect.rule(occasion), Some(rule), "{effect:?} on {occasion:?}");
        }
    }

    #[test]
    fn the_rules_of_a_step_stand_once_and_in_order() {
        let effects = [
            Effect::Finished,
            Effect::Held(Rule::InputWaitsForSession),
            Effect::Pause(Leg::Client),
            Effect::Ignored(Rule::InputWaitsForSession),
        ];
        assert_eq!(Rules::of(&effects, Occasion::Other).to_string(), "R2,R16");
        assert_eq!(Rules::of(&effects[2..3], Occasion::Other).to_string(), "-");
        assert_eq!(Rules::of(&[], Occasion::Other), Rules::default());
    }
}
