//! The responses of a session: which one runs, which one an event belongs to, and what each has given
//! the client so far (rules R6, R10, R11 rest on it).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Rule, latency::Moments, model_call::ModelCall};
use crate::protocol::ids::{CallId, EventId, ItemId, ResponseId};

/// A reason to ask for a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// Call outputs that the answer must know of and that upstream has not shown yet.
    pub(super) unconfirmed: Vec<CallId>,
    /// What the agent is to say and nothing else; such a wish is never merged with others.
    pub(super) verbatim: Option<Verbatim>,
}

/// A text that the agent is to say word for word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verbatim {
    pub(super) text: String,
    /// The client has the text already; otherwise it gets it when the speech begins.
    pub(super) shown: bool,
    /// It goes before everything but others like it.
    pub(super) urgent: bool,
}

impl Wish {
    /// For items that upstream has confirmed, or audio that we committed.
    pub(super) fn plain() -> Self {
        Self { unconfirmed: Vec::new(), verbatim: None }
    }

    /// For a text to be spoken.
    pub(super) fn verbatim(text: String, shown: bool, urgent: bool) -> Self {
        Self { unconfirmed: Vec::new(), verbatim: Some(Verbatim { text, shown, urgent }) }
    }

    /// Whether it goes before others.
    pub(super) fn is_urgent(&self) -> bool {
        self.verbatim.as_ref().is_some_and(|verbatim| verbatim.urgent)
    }

    /// Whether there is nothing to tell it from another.
    pub(super) fn is_plain(&self) -> bool {
        self.unconfirmed.is_empty() && self.verbatim.is_none()
    }
}

/// What is known of one response.
#[derive(Debug)]
pub(super) struct Response {
    /// The gate's own number for it.
    pub(super) serial: u32,
    /// Its id, once it is announced with one.
    pub(super) id: Option<ResponseId>,
    /// Its output items, as far as they were announced.
    items: Vec<ItemId>,
    /// Wishes that our `response.create` stood for, with its id: if this turns out to be upstream's own
    /// response, those that it does not fulfil are due again.
    pub(super) asked: Option<(EventId, Vec<Wish>)>,
    /// When the last event of it came.
    pub(super) last_event: Instant,
    /// Over, for the purpose of R6.
    pub(super) ended: bool,
    /// R6 gave it up; what it still gives counts as speech anew.
    pub(super) given_up: bool,
    /// R13 cut it off.
    pub(super) interrupted: bool,
    /// The client does not get the text that it writes: it is to say one of ours.
    pub(super) mute: bool,
    /// That text, until the client has it.
    pub(super) script: Option<String>,
    /// Its own texts, should it turn out to be another response.
    withheld: Vec<String>,
    /// The client was told of its start.
    pub(super) announced_to_client: bool,
    /// The client got text or audio of it.
    pub(super) gave_output: bool,
    /// The client got audio of it.
    pub(super) gave_audio: bool,
    /// The client was told of its end.
    pub(super) end_signals: bool,
    /// An `error` event told the client of its failure.
    pub(super) error_told: bool,
    /// Its text has ended, and only its audio is waited for (an unannounced one's).
    pub(super) text_ended: bool,
    /// When its parts came.
    pub(super) moments: Moments,
    /// Text that is known and not given yet, by item.
    pub(super) drafts: Vec<Draft>,
    /// Calls that are known and not handed out yet.
    pub(super) calls: Vec<ModelCall>,
    /// Calls of it were handed out.
    pub(super) handed_out: bool,
}

/// Text of one item, as the deltas and the text events tell it.
#[derive(Debug)]
pub(super) struct Draft {
    /// The item, where the events say.
    pub(super) item: Option<ItemId>,
    /// The text so far.
    pub(super) text: String,
}

/// How much draft text a response may hold, bytes. A response is bounded by 4,096 tokens or the model's
/// own limit, so more than this is no answer.
const DRAFT_LIMIT: usize = 1024 * 1024;

/// Output items of a response that are known by their ids, or by their text. A response has a handful.
const ITEM_LIMIT: usize = 1_024;

impl Response {
    fn new(serial: u32, now: Instant) -> Self {
        Self {
            serial,
            id: None,
            items: Vec::new(),
            asked: None,
            last_event: now,
            ended: false,
            given_up: false,
            interrupted: false,
            mute: false,
            script: None,
            withheld: Vec::new(),
            announced_to_client: false,
            gave_output: false,
            gave_audio: false,
            end_signals: false,
            error_told: false,
            text_ended: false,
            moments: Moments::default(),
            drafts: Vec::new(),
            calls: Vec::new(),
            handed_out: false,
        }
    }

    /// Adds to the draft of `item`, or replaces it where the whole text is known.
    pub(super) fn draft(&mut self, item: Option<&ItemId>, text: &str, whole: bool) {
        let held: usize = self.drafts.iter().map(|draft| draft.text.len() + size_of::<Draft>()).sum();
        if held + text.len() > DRAFT_LIMIT && Rule::TextOnce.is_on() {
            return;
        }
        let has_room = self.drafts.len() < ITEM_LIMIT || Rule::TextOnce.is_off();
        match self.drafts.iter_mut().find(|draft| draft.item.as_ref() == item) {
            Some(draft) if whole => text.clone_into(&mut draft.text),
            Some(draft) => draft.text.push_str(text),
            None if has_room => self.drafts.push(Draft { item: item.cloned(), text: text.to_owned() }),
            None => (),
        }
    }

    /// Keeps a text from the client.
    pub(super) fn withhold(&mut self, text: String) {
        let held: usize = self.withheld.iter().map(|text| text.len() + size_of::<String>()).sum();
        if held + text.len() <= DRAFT_LIMIT {
            self.withheld.push(text);
        }
    }

    /// It is upstream's own after all, and no speech of a text of ours, which is still to be spoken: the texts
    /// that were withheld for it.
    fn speaks_freely(&mut self, wishes: &mut [Wish]) -> Vec<String> {
        let shown = self.mute && self.script.is_none();
        for verbatim in wishes.iter_mut().filter_map(|wish| wish.verbatim.as_mut()) {
            verbatim.shown |= shown;
        }
        (self.mute, self.script) = (false, None);
        std::mem::take(&mut self.withheld)
    }

    /// Whether what it gives goes to the client, and some of it has.
    pub(super) fn is_heard(&self) -> bool {
        self.gave_output && !self.interrupted
    }

    /// Takes the draft of `item` out, if there is one.
    pub(super) fn take_draft(&mut self, item: Option<&ItemId>) -> Option<String> {
        let found = self.drafts.iter().position(|draft| draft.item.as_ref() == item)?;
        Some(self.drafts.remove(found).text)
    }
}

/// Which response an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The announced one with this serial.
    Announced(u32),
    /// The unannounced one that runs.
    Unannounced,
    /// The unannounced one that does not count as running.
    Loose,
}

/// The unannounced response that runs: one that we asked for, or one that upstream says is there.
#[derive(Debug)]
pub(super) struct Running {
    /// Our `response.create`; none once it turned out that upstream runs one of its own.
    pub(super) event_id: Option<EventId>,
    /// What it was sent for.
    pub(super) wishes: Vec<Wish>,
    /// What it has given.
    pub(super) response: Response,
}

/// A request of ours that upstream refused because it runs a response of its own.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// What the request was for.
    pub(super) wishes: Vec<Wish>,
    /// What upstream's own response wrote, taken for ours.
    pub(super) withheld: Vec<String>,
    /// That response.
    pub(super) serial: u32,
}

/// All responses of a session that still matter.
#[derive(Debug, Default)]
pub(super) struct Turn {
    announced: VecDeque<Response>,
    unannounced: Option<Running>,
    loose: Option<Response>,
    serials: u32,
}

/// Announced responses that are remembered, so that their late events are recognised.
const REMEMBERED: usize = 32;

impl Turn {
    fn fresh(&mut self, now: Instant) -> Response {
        self.serials += 1;
        Response::new(self.serials, now)
    }

    /// We asked for a response.
    pub(super) fn request(&mut self, event_id: EventId, wishes: Vec<Wish>, now: Instant) {
        let verbatim = wishes.iter().find_map(|wish| wish.verbatim.as_ref());
        let mute = verbatim.is_some();
        let script = verbatim.filter(|verbatim| !verbatim.shown).map(|verbatim| verbatim.text.clone());
        let moments = if mute { Moments::asked(now) } else { Moments::default() };
        let response = Response { mute, script, moments, ..self.fresh(now) };
        self.unannounced = Some(Running { event_id: Some(event_id), wishes, response });
    }

    /// Whether a response runs (R6).
    pub(super) fn running(&self) -> bool {
        self.unannounced.is_some() || self.announced.iter().any(|response| !response.ended)
    }

    /// Whether upstream goes on with a response that nothing has cut off.
    pub(super) fn goes_on(&self) -> bool {
        self.announced.iter().any(|response| !response.ended && !response.interrupted)
    }

    /// Whether an unannounced response runs that had begun before it was cut off.
    pub(super) fn begun_and_cancelled(&self) -> bool {
        let response = self.unannounced.as_ref().map(|running| &running.response);
        response.is_some_and(|response| response.interrupted && response.gave_output)
    }

    /// Whether the client has been told of the start of a response and not of its end.
    pub(super) fn is_told(&self) -> bool {
        let unannounced = self.unannounced.iter().map(|running| &running.response);
        let mut all = unannounced.chain(&self.announced).chain(&self.loose);
        all.any(|response| response.announced_to_client && !response.end_signals && !response.ended)
    }

    /// The serial of the response that runs, the latest if upstream runs several.
    pub(super) fn running_serial(&self) -> Option<u32> {
        let unannounced = self.unannounced.as_ref().map(|running| running.response.serial);
        unannounced.or_else(|| self.announced.iter().rev().find(|r| !r.ended).map(|r| r.serial))
    }

    /// The serial of the loose response.
    pub(super) fn loose_serial(&self) -> Option<u32> {
        self.loose.as_ref().map(|response| response.serial)
    }

    /// Our request that neither a `response.created` nor anything else has answered.
    pub(super) fn requested(&mut self) -> Option<&mut Running> {
        self.unannounced.as_mut()
    }

    /// `response.created` came. True if it is the answer to our request, as far as can be told.
    pub(super) fn announce(&mut self, id: Option<ResponseId>, now: Instant) -> (u32, bool) {
        let known = self.announced.iter().find(|response| id.is_some() && response.id == id);
        if let Some(known) = known {
            return (known.serial, true);
        }
        let (mut response, ours) = match self.unannounced.take() {
            Some(Running { event_id, wishes, mut response }) => {
                response.asked = event_id.map(|event_id| (event_id, wishes));
                let ours = response.asked.is_some();
                (response, ours)
            }
            None => (self.fresh(now), false),
        };
        // Were it not what was asked for, that would be known before the next one begins.
        for over in self.announced.iter_mut().filter(|response| response.ended) {
            over.asked = None;
            over.withheld = Vec::new();
        }
        response.id = id;
        response.last_event = now;
        let serial = response.serial;
        self.announced.push_back(response);
        if self.announced.len() > REMEMBERED {
            let oldest = self.announced.iter().position(|response| response.ended).unwrap_or(0);
            self.announced.remove(oldest);
        }
        (serial, ours)
    }

    /// An output item of an announced response was announced.
    pub(super) fn note_item(&mut self, owner: Owner, item: &ItemId) {
        if let Owner::Announced(_) = owner
            && let Some(response) = self.get_mut(owner)
            && response.items.len() < ITEM_LIMIT
            && !response.items.contains(item)
        {
            response.items.push(item.clone());
        }
    }

    /// The response that an event with these ids belongs to. An event without a known id belongs to the
    /// unannounced response: the one that runs, else the loose one.
    pub(super) fn owner(&self, response: Option<&ResponseId>, item: Option<&ItemId>) -> Option<Owner> {
        let by_id = self.announced.iter().rev().find(|known| match (response, item) {
            (Some(id), _) => known.id.as_ref() == Some(id),
            (None, Some(item)) => known.items.contains(item),
            (None, None) => false,
        });
        // One that was announced without an id may show it later.
        let nameless = || self.announced.iter().rev().find(|known| known.id.is_none() && !known.ended);
        if let Some(known) = by_id.or_else(nameless) {
            return Some(Owner::Announced(known.serial));
        }
        if self.unannounced.is_some() {
            return Some(Owner::Unannounced);
        }
        self.loose.as_ref().map(|_| Owner::Loose)
    }

    /// The same, for an event that begins a loose response if there is none to belong to.
    pub(super) fn owner_or_begin(
        &mut self,
        response: Option<&ResponseId>,
        item: Option<&ItemId>,
        now: Instant,
    ) -> Owner {
        self.owner(response, item).unwrap_or_else(|| {
            self.loose = Some(self.fresh(now));
            Owner::Loose
        })
    }

    /// The owner's record; none if it has been forgotten meanwhile.
    pub(super) fn get_mut(&mut self, owner: Owner) -> Option<&mut Response> {
        match owner {
            Owner::Announced(serial) => self.announced.iter_mut().find(|response| response.serial == serial),
            Owner::Unannounced => self.unannounced.as_mut().map(|running| &mut running.response),
            Owner::Loose => self.loose.as_mut(),
        }
    }

    /// The record with this serial.
    pub(super) fn by_serial(&self, serial: u32) -> Option<Owner> {
        if self.unannounced.as_ref().is_some_and(|running| running.response.serial == serial) {
            return Some(Owner::Unannounced);
        }
        if self.loose.as_ref().is_some_and(|response| response.serial == serial) {
            return Some(Owner::Loose);
        }
        let known = self.announced.iter().any(|response| response.serial == serial);
        known.then_some(Owner::Announced(serial))
    }

    /// The unannounced response that runs has ended. What it was asked for comes back with it.
    pub(super) fn end_unannounced(&mut self) -> Option<Running> {
        self.unannounced.take()
    }

    /// The unannounced response does not count as running any more, but its audio is still to come.
    pub(super) fn loosen(&mut self) {
        self.loose = self.unannounced.take().map(|running| running.response);
    }

    /// The loose response has ended.
    pub(super) fn end_loose(&mut self) -> Option<Response> {
        self.loose.take()
    }

    /// Upstream says that it runs a response of its own, and ours was refused: the wishes come back.
    ///
    /// Also the texts that were withheld from the client meanwhile, and the response that wrote them.
    pub(super) fn lose_race(&mut self, event_id: Option<&EventId>, now: Instant) -> Lost {
        let matches = |ours: &EventId| event_id.is_none_or(|id| id == ours);
        if let Some(running) = &mut self.unannounced
            && running.event_id.as_ref().is_some_and(matches)
        {
            running.event_id = None;
            let mut wishes = std::mem::take(&mut running.wishes);
            let withheld = running.response.speaks_freely(&mut wishes);
            let serial = running.response.serial;
            // An announced one is what runs, perhaps one that was given up; then nothing unannounced does.
            if let Some(alive) = self.announced.iter_mut().rev().find(|response| response.given_up) {
                alive.ended = false;
                alive.last_event = now;
            }
            if self.announced.iter().any(|response| !response.ended) {
                self.unannounced = None;
            }
            return Lost { wishes, withheld, serial };
        }
        let asked = self
            .announced
            .iter_mut()
            .rev()
            .find(|response| response.asked.as_ref().is_some_and(|(ours, _)| matches(ours)));
        let Some(response) = asked else { return Lost::default() };
        let mut wishes = response.asked.take().map(|(_, wishes)| wishes).unwrap_or_default();
        let withheld = response.speaks_freely(&mut wishes);
        Lost { wishes, withheld, serial: response.serial }
    }

    /// Upstream is read again: every response counts as alive.
    pub(super) fn wait_anew(&mut self, now: Instant) {
        let unannounced = self.unannounced.iter_mut().map(|running| &mut running.response);
        for response in unannounced.chain(&mut self.announced).chain(&mut self.loose) {
            response.last_event = now;
        }
    }

    /// The next moment at which a response has been silent for `patience`.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Instant> {
        let unannounced = self.unannounced.iter().map(|running| &running.response);
        let live = self.announced.iter().filter(|response| !response.ended);
        let all = unannounced.chain(live).chain(&self.loose);
        all.map(|response| response.last_event + patience).min()
    }

    /// A response that has been silent for `patience`.
    pub(super) fn silent(&self, patience: Duration, now: Instant) -> Option<Owner> {
        let silent = |response: &Response| response.last_event + patience <= now;
        if self.unannounced.as_ref().is_some_and(|running| silent(&running.response)) {
            return Some(Owner::Unannounced);
        }
        if self.loose.as_ref().is_some_and(silent) {
            return Some(Owner::Loose);
        }
        let live = self.announced.iter().find(|response| !response.ended && silent(response));
        live.map(|response| Owner::Announced(response.serial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_of_items_without_end_are_not_kept() {
        let mut response = Response::new(1, Instant::now());
        for number in 0..10_000 {
            response.draft(Some(&ItemId::from(format!("item_{number}"))), "x", false);
        }
        assert_eq!(response.drafts.len(), ITEM_LIMIT);
    }
}
