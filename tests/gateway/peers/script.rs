//! How the mock upstream behaves, as data. The default is what most rows want.
//! Knows which frames answer which message; knows nothing of sockets.

use std::time::Duration;

use serde_json::Value;

use super::frames::{self, REPLY, Step};
use super::pace::Pace;

/// What a mock does with each thing it receives.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Whether what passes may be recorded; not where no gateway is in between.
    pub(crate) recorded: bool,
    /// How fast it reads.
    pub(crate) pace: Pace,
    /// How many connections it drops before it answers an upgrade.
    pub(crate) dropped: usize,
    /// Sends the audio of each append back.
    pub(crate) echo: bool,
    /// Answers the upgrade with this HTTP status instead of accepting it.
    pub(crate) refuse: Option<u16>,
    /// Sent as soon as the connection is open.
    pub(crate) on_connect: Vec<Value>,
    /// How long after `session.update` its answer comes; `None`: never.
    pub(crate) session_updated_after: Option<Duration>,
    /// Sent after the first `session.updated`.
    pub(crate) after_session_updated: Vec<Step>,
    /// How long a user message waits for its `conversation.item.added`.
    pub(crate) item_added_after: Duration,
    /// Whether `conversation.item.done` follows.
    pub(crate) item_done: bool,
    /// How long every response takes before its first frame.
    pub(crate) response_after: Duration,
    /// Whether a response gives audio before its text.
    pub(crate) response_audio: bool,
    /// How long, response by response, the text comes after the audio; 0 for the others.
    pub(crate) text_done_after: Vec<Duration>,
    /// What a response says.
    pub(crate) reply: Reply,
    /// Sent after every response's last frame.
    pub(crate) after_response: Vec<Step>,
    /// Calls a function in place of the first response, if the session has tools.
    pub(crate) call_on_first_response: bool,
    /// Answers a `response.create` that follows an assistant item with an `error`.
    pub(crate) refuse_response_after_assistant_item: bool,
    /// What follows a `function_call_output`, given its item.
    pub(crate) after_function_output: fn(&Value) -> Vec<Step>,
}

/// What a response of the mock says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// Always the same sentence.
    Fixed,
    /// The text of the connection's last user message.
    LastUserText,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            recorded: true,
            pace: Pace::FREE,
            dropped: 0,
            echo: false,
            refuse: None,
            on_connect: Vec::new(),
            session_updated_after: Some(Duration::ZERO),
            after_session_updated: Vec::new(),
            item_added_after: Duration::ZERO,
            item_done: false,
            response_after: Duration::ZERO,
            response_audio: false,
            text_done_after: Vec::new(),
            reply: Reply::Fixed,
            after_response: Vec::new(),
            call_on_first_response: false,
            refuse_response_after_assistant_item: false,
            after_function_output: |_| vec![frames::now(frames::output_text_done_of_response())],
        }
    }
}

impl Script {
    /// `session.updated` comes 50 ms after `session.update`.
    pub(crate) fn late_session() -> Self {
        Self { session_updated_after: Some(Duration::from_millis(50)), ..Self::default() }
    }

    /// Reads at a pace.
    pub(crate) fn at(pace: &Pace) -> Self {
        Self { pace: pace.clone(), ..Self::default() }
    }

    /// Responses with audio before their text.
    pub(crate) fn with_audio() -> Self {
        Self { response_audio: true, ..Self::default() }
    }

    /// Frames after `session.updated`.
    pub(crate) fn after_session(steps: Vec<Step>) -> Self {
        Self { after_session_updated: steps, ..Self::default() }
    }

    /// A function call right after `session.updated`, and what follows its output.
    pub(crate) fn calling(after_function_output: fn(&Value) -> Vec<Step>) -> Self {
        Self { after_function_output, ..Self::after_session(vec![frames::now(frames::function_call())]) }
    }

    /// Whether an item before `session.updated` is noted as a protocol error.
    pub(crate) fn is_late(&self) -> bool {
        self.session_updated_after != Some(Duration::ZERO)
    }

    /// The frames of a connection's response number `index`, from 0.
    pub(crate) fn response(&self, index: usize, last_user_text: &str) -> Vec<Step> {
        let text = match self.reply {
            Reply::Fixed => REPLY,
            Reply::LastUserText => last_user_text,
        };
        let mut steps = Vec::new();
        if self.response_audio {
            steps.push(frames::now(frames::output_audio_delta(&[0; 320])));
            steps.push(frames::now(frames::output_audio_done()));
        }
        let after = self.text_done_after.get(index).copied().unwrap_or_default();
        steps.push(Step { after, frame: frames::output_text_done(text) });
        let item = frames::assistant_item("conversation.item.done", "item_mock_response_1", text);
        steps.push(frames::now(item));
        steps.extend(self.after_response.iter().cloned());
        steps[0].after += self.response_after;
        steps
    }
}
