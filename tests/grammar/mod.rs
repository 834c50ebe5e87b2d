//! The order of the messages that a client gets, as the README's grammar has it: says of a transcript, message
//! by message, whether it can still become a session. Must not know the gateway; the grammar is all there is.

mod automaton;
mod ebnf;

use std::sync::OnceLock;

use automaton::{Automaton, Holds, START};
use ebnf::Expression;

const README: &str = include_str!("../../README.md");

/// The conditions that the grammar names, in the order of the fields of `Facts`.
const CONDITIONS: [&str; 3] = ["component", "deepgram", "early upstream"];

/// What decides which alternatives of the grammar there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The dialect is the component's, not Deepgram's.
    pub(crate) component: bool,
    /// Upstream opens its session, or begins a response, before it has seen Settings.
    pub(crate) early_upstream: bool,
}

/// How far a transcript has come. Any beginning of a session is in order, so it may be cut anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    state: usize,
    /// Those of the last message.
    facts: Facts,
}

impl Order {
    /// Nothing has come yet.
    pub(crate) fn new() -> Self {
        Self { state: START, facts: Facts::default() }
    }

    /// The next message: its `type`, that of a `ConversationText` followed by its role in parentheses, or
    /// `audio`.
    ///
    /// # Errors
    ///
    /// If no session has it here; names what could have come.
    pub(crate) fn take(&mut self, message: &str, facts: Facts) -> Result<(), String> {
        let automaton = automaton();
        // What must follow a message is decided when that message is sent.
        let next = [facts, self.facts]
            .into_iter()
            .find_map(|facts| automaton.next(self.state, facts.holds(), message));
        match next {
            Some(state) => {
                *self = Self { state, facts };
                Ok(())
            }
            None => {
                let could = automaton.could_follow(self.state, facts.holds()).join(", ");
                Err(format!("{message} is out of order, here could come {could}"))
            }
        }
    }
}

impl Facts {
    fn holds(self) -> Holds {
        [self.component, !self.component, self.early_upstream]
    }
}

/// The grammar's text.
pub(crate) fn grammar() -> &'static str {
    let (_, from) = README.split_once("```ebnf\n").expect("the README has a grammar");
    from.split_once("```").expect("the block has an end").0
}

fn automaton() -> &'static Automaton {
    static AUTOMATON: OnceLock<Automaton> = OnceLock::new();
    AUTOMATON.get_or_init(|| {
        let (expression, symbols) = Expression::parse(grammar(), &CONDITIONS);
        let dialects = [false, true].into_iter();
        let all = dialects
            .flat_map(|component| [false, true].map(|early_upstream| Facts { component, early_upstream }));
        Automaton::new(&expression, &symbols, all.map(Facts::holds))
    })
}
