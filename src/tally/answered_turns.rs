//! How many turns of the user the agent has answered: once for each time that it begins to answer after the user has
//! spoken or typed, however many responses and function calls that takes. Knows nothing of how either is seen.

/// Counts answered turns.
#[derive(Debug, Default)]
pub(super) struct AnsweredTurns {
    standing: Standing,
    answered: u64,
}

/// What the agent would answer if it began to speak now.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nothing that the user said: a greeting, or what the client has it say.
    #[default]
    Nothing,
    /// The user has begun to speak, or typed.
    User,
    /// The same, and since then there was a text of either.
    UserAndText,
}

impl AnsweredTurns {
    /// The user began to speak, typed, or ended a turn by hand.
    pub(super) fn user(&mut self) {
        self.standing = Standing::User;
    }

    /// The agent began to speak.
    pub(super) fn agent(&mut self) {
        if self.standing != Standing::Nothing {
            self.standing = Standing::Nothing;
            self.answered = self.answered.saturating_add(1);
        }
    }

    /// A text of one of them, where nobody looks whose: the first after the user's beginning is the user's own, the second
    /// the agent's.
    pub(super) fn text(&mut self) {
        match self.standing {
            Standing::Nothing => (),
            Standing::User => self.standing = Standing::UserAndText,
            Standing::UserAndText => self.agent(),
        }
    }

    /// Audio of the agent, where nothing announces it. What comes before the user's own text belongs to what the user
    /// has interrupted.
    pub(super) fn audio(&mut self) {
        if self.standing == Standing::UserAndText {
            self.agent();
        }
    }

    /// How many there were.
    pub(super) fn answered(&self) -> u64 {
        self.answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `u`ser, `a`gent, `t`ext, audio (`~`).
    fn answered(steps: &str) -> u64 {
        let mut turns = AnsweredTurns::default();
        for step in steps.chars() {
            match step {
                'u' => turns.user(),
                'a' => turns.agent(),
                't' => turns.text(),
                '~' => turns.audio(),
                other => panic!("{other} is no step"),
            }
        }
        turns.answered()
    }

    #[test]
    fn a_turn_counts_when_its_answer_begins_and_once() {
        for (steps, expected) in
            [("", 0), ("u", 0), ("a", 0), ("ua", 1), ("uaa", 1), ("uua", 1), ("aua", 1), ("uauua", 2)]
        {
            assert_eq!(answered(steps), expected, "{steps}");
        }
    }

    #[test]
    fn where_only_types_are_seen_the_second_text_or_audio_behind_the_first_is_the_answer() {
        for (steps, expected) in [
            // A greeting.
            ("t~~~", 0),
            // Spoken: the user's text, the agent's, audio.
            ("utt~~~", 1),
            // Audio before the agent's text, or without any.
            ("ut~~~t", 1),
            // What is still on its way when the user interrupts.
            ("utt~~u~~tt~~", 2),
            // Nothing but text.
            ("uttt", 1),
            // Announced.
            ("utat~~", 1),
            ("ut", 0),
        ] {
            assert_eq!(answered(steps), expected, "{steps}");
        }
    }
}
