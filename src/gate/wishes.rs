//! R5 to R7: typed turns, and when a response is asked for.

use std::time::Instant;

use super::{
    Gate, Phase, Rule, Timer, Wish,
    effect::fits_client,
    turn::{Lost, Owner},
};
use crate::{
    gate::CLIENT_MESSAGE_LIMIT,
    protocol::{
        agent::Role,
        ids::{EventId, ResponseId},
        realtime::Item,
    },
    translate::{to_client, to_upstream},
};

impl Gate {
    /// A typed turn: an item, an echo, and a wish once upstream has confirmed the item (R5).
    pub(super) fn inject(&mut self, text: String, now: Instant) {
        let echo = to_client::conversation_text(Role::User, text.clone());
        if !fits_client(&echo) && Rule::ItemBeforeResponse.is_on() {
            let description = format!("the echo would be larger than {CLIENT_MESSAGE_LIMIT} bytes");
            return self.tell_error("MESSAGE_TOO_LARGE", description);
        }
        let event_id = self.next_event_id();
        let item_id = self.next_item_id();
        self.items.sent(item_id.clone(), event_id.clone(), &text, now, self.patience());
        let history = self.history.then(|| to_client::history_text(Role::User, text.clone()));
        self.push_event(to_upstream::user_message(event_id, item_id, text));
        self.tell(echo);
        if let Some(history) = history {
            self.tell(history);
        }
        if self.component {
            self.tell(to_client::agent_thinking());
        }
        self.speech.user_turn_ended(now);
    }

    /// Upstream showed an item: ours of the user is confirmed by it, and so is the output of a call.
    pub(super) fn confirm_item(&mut self, item: &Item) {
        let is_user = item.kind.as_deref() == Some("message") && item.role.as_deref() == Some("user")
            || Rule::ItemBeforeResponse.is_off();
        if is_user && self.items.confirm(item.id.as_ref(), to_client::user_text(item)) {
            self.wishes.push(Wish::plain());
        }
        if item.kind.as_deref() == Some("function_call_output")
            && let Some(call_id) = &item.call_id
        {
            self.shown_outputs.insert(call_id);
            for wish in &mut self.wishes {
                wish.unconfirmed.retain(|waiting| waiting != call_id);
            }
        }
    }

    pub(super) fn expire_items(&mut self, now: Instant) {
        for _ in 0..self.items.expire(now) {
            // A server that confirms nothing has taken the item all the same.
            self.ran_out(Rule::ItemBeforeResponse);
            self.wishes.push(Wish::plain());
        }
    }

    /// Asks for the response that is wished for, if nothing stands in its way (R6).
    pub(super) fn respond(&mut self, now: Instant) {
        let closed = self.phase != Phase::Active && Rule::InputWaitsForSession.is_on();
        if self.wishes.is_empty() || closed {
            return;
        }
        if let Some(rule) = self.response_waits() {
            if self.wishes.len() > self.wishes_noted {
                self.held(rule);
                // Many turns may be typed during one response; together they are one wish.
                self.wishes.dedup_by(|later, earlier| later.is_plain() && earlier.is_plain());
            }
            return;
        }
        self.finish_loose(now);
        // A text to be spoken goes alone, when its turn has come; the others are one.
        let speaks = |wish: &Wish| wish.verbatim.is_some() && Rule::GreetingOnce.is_on();
        let alone = |wish: &Wish| speaks(wish) || Rule::OneActiveResponse.is_off();
        let wishes: Vec<Wish> = match self.wishes.first().is_some_and(alone) {
            true => vec![self.wishes.remove(0)],
            false => self.wishes.extract_if(.., |wish| !speaks(wish)).collect(),
        };
        let text = wishes.iter().find_map(|wish| wish.verbatim.as_ref()).map(|verbatim| &*verbatim.text);
        let event_id = self.next_event_id();
        let request = to_upstream::create_response(event_id.clone(), text);
        self.turn.request(event_id, wishes, now);
        self.push_event(request);
    }

    /// What the texts that wait to be spoken take, bytes.
    pub(super) fn wished_bytes(&self) -> usize {
        let texts = self.wishes.iter().filter_map(|wish| wish.verbatim.as_ref());
        texts.map(|verbatim| verbatim.text.len() + size_of::<Wish>()).sum()
    }

    /// The rule that lets no response be asked for now.
    fn response_waits(&self) -> Option<Rule> {
        let speaking = self.speech.speaking() && Rule::OneActiveResponse.is_on();
        let answering = self.timers.is_set(Timer::SpeechAnswer) && Rule::OneActiveResponse.is_on();
        if speaking || answering || self.turn.running() && Rule::OneActiveResponse.is_on() {
            Some(Rule::OneActiveResponse)
        } else if self.items.waiting() && Rule::ItemBeforeResponse.is_on() {
            Some(Rule::ItemBeforeResponse)
        } else if (self.opening.settings_wait() || self.updates.queued()) && Rule::OneSessionUpdate.is_on() {
            Some(Rule::OneSessionUpdate)
        } else {
            None
        }
    }

    /// `response.created`: the answer to our request, or a response of upstream's own, which fulfils what
    /// it can know of (R6).
    pub(super) fn response_created(&mut self, id: Option<ResponseId>, now: Instant) {
        self.finish_loose(now);
        let (serial, ours) = self.turn.announce(id, now);
        self.timers.stop(Timer::SpeechAnswer);
        if !ours && Rule::OneActiveResponse.is_on() {
            self.wishes.retain(|wish| !wish.is_plain());
        } else if let Some(response) = self.turn.get_mut(Owner::Announced(serial))
            && let Some((_, wishes)) = &mut response.asked
        {
            // Should it turn out to be upstream's own, this is what it did not know of.
            let shown = &self.shown_outputs;
            wishes.retain(|wish| {
                wish.verbatim.is_some() || wish.unconfirmed.iter().any(|call| !shown.contains(call))
            });
        }
    }

    /// Upstream refused our request because a response runs (R7).
    pub(super) fn race_lost(&mut self, event_id: Option<&EventId>, now: Instant) {
        let Lost { wishes, withheld, serial } = self.turn.lose_race(event_id, now);
        if let Some(owner) = self.turn.by_serial(serial) {
            for text in withheld {
                self.give_text(owner, None, text, now);
            }
        }
        self.wishes.splice(0..0, wishes.into_iter().filter(|_| Rule::LostRaceIsKept.is_on()));
        self.held(Rule::LostRaceIsKept);
    }
}
