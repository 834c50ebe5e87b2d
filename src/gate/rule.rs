//! The ordering rules by name. A rule's name stands in the code that keeps it, in the test that proves it
//! and in the log line of every message that it held back or ignored.

use std::fmt;

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal),+ $(,)?) => {
        /// An ordering rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Rule {
            /// Every rule, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The rule's number: 6 is R6.
            pub fn number(self) -> u8 {
                self as u8
            }
        }
    };
}

rules! {
    /// R1: the upstream is dialled at once, nothing goes up before its socket is open, and a
    /// `session.update` comes first.
    SettingsFirst = 1,
    /// R2: only the `session.updated` that answers our update releases `SettingsApplied`, the greeting,
    /// held messages and held audio, in this order.
    InputWaitsForSession = 2,
    /// R3: a further Settings sends nothing up; a first one waits for the end of a running response.
    OneSessionUpdate = 3,
    /// R4: context goes into the instructions; the greeting is text of ours unless configured otherwise.
    GreetingOnce = 4,
    /// R5: an inject is an item, an echo and, once the item is confirmed, one wish.
    ItemBeforeResponse = 5,
    /// R6: at most one response runs; a wish made meanwhile is kept and fulfilled at its end.
    OneActiveResponse = 6,
    /// R7: `conversation_already_has_active_response` is our affair; the wish is kept.
    LostRaceIsKept = 7,
    /// R8: each call is handed out once, and all answers of a response make one wish.
    AnswersBeforeResponse = 8,
    /// R9: each accepted answer is acknowledged; a late, second or unknown one goes nowhere.
    OneAnswerPerCall = 9,
    /// R10: `AgentStartedSpeaking` before the first output, end signals once after the last.
    SignalsAroundOutput = 10,
    /// R11: assistant text is sent once per message item.
    TextOnce = 11,
    /// R12: user speech is reported as it is heard, transcripts by their item.
    UserSpeech = 12,
    /// R13: after `UserStartedSpeaking` nothing of the interrupted response is sent any more.
    NoStaleAudio = 13,
    /// R14: in manual mode we commit; otherwise never.
    ManualCommit = 14,
    /// R15: errors map by code; one trouble is told once.
    ErrorsByCode = 15,
    /// R16: a connection ends once, with one reason, and each side is closed once.
    CloseOnce = 16,
}

impl Rule {
    /// Whether the guard that asks may stop anything. It may: only the tests' build can take a guard away,
    /// to show that a test notices. Where there is nothing to act on, nobody asks.
    #[cfg(not(test))]
    pub(super) const fn is_on(self) -> bool {
        let _ = self;
        true
    }

    /// The same where the rule is what lets something happen.
    #[cfg(not(test))]
    pub(super) const fn is_off(self) -> bool {
        let _ = self;
        false
    }

    /// The same; see [`Switch`].
    #[cfg(test)]
    #[track_caller]
    pub(super) fn is_on(self) -> bool {
        !Switch::of_this_process().takes_away(self, std::panic::Location::caller())
    }

    /// The same; see [`Switch`].
    #[cfg(test)]
    #[track_caller]
    pub(super) fn is_off(self) -> bool {
        Switch::of_this_process().takes_away(self, std::panic::Location::caller())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{}", self.number())
    }
}

/// What `VOXBRIDGE_RULE_OFF` takes away: every guard of a rule (`R6`), or the one in a line
/// (`src/gate/wishes.rs:87`).
#[cfg(test)]
#[derive(Debug, Clone, PartialEq, Eq)]
enum Switch {
    Nothing,
    Rule(Rule),
    Line { file: String, line: u32 },
}

#[cfg(test)]
impl Switch {
    fn of_this_process() -> &'static Self {
        static SWITCH: std::sync::OnceLock<Switch> = std::sync::OnceLock::new();
        SWITCH.get_or_init(|| match std::env::var("VOXBRIDGE_RULE_OFF") {
            Ok(off) => Self::parse(&off).expect("VOXBRIDGE_RULE_OFF is a rule or FILE:LINE"),
            Err(_) => Self::Nothing,
        })
    }

    fn parse(off: &str) -> Option<Self> {
        if let Some((file, line)) = off.split_once(':') {
            return Some(Self::Line { file: file.to_owned(), line: line.parse().ok()? });
        }
        Rule::ALL.iter().find(|rule| rule.to_string() == off).map(|rule| Self::Rule(*rule))
    }

    fn takes_away(&self, rule: Rule, place: &std::panic::Location<'_>) -> bool {
        match self {
            Self::Nothing => false,
            Self::Rule(off) => rule == *off,
            Self::Line { file, line } => place.line() == *line && place.file() == file,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_or_a_line_is_taken_away() {
        let here = std::panic::Location::caller();
        let line = Switch::parse(&format!("{}:{}", here.file(), here.line())).expect("a place");
        assert!(line.takes_away(Rule::TextOnce, here) && line.takes_away(Rule::CloseOnce, here));
        let rule = Switch::parse("R11").expect("a rule");
        assert!(rule.takes_away(Rule::TextOnce, here) && !rule.takes_away(Rule::CloseOnce, here));
        assert!(!Switch::Nothing.takes_away(Rule::TextOnce, here));
        assert_eq!([Switch::parse("R17"), Switch::parse("src/gate/mod.rs:x")], [None, None]);
    }
}
