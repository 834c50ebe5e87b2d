//! The life of a connection around a pure state machine, as its shell and its legs would lead it: what is paused says
//! nothing, what was handed out is delivered, what is due is told. Judges what every life has to keep. Knows no message.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use voxbridge::gate::{Effect, Gate, Input, Leg, LegEnd, Limits, Phase, Relay, UpstreamError};
use voxbridge::protocol::ids::CallId;

use crate::MEMORY;
use crate::random::Random;

/// A state machine of a connection.
pub(crate) trait Machine {
    fn handle(&mut self, input: Input, now: Instant) -> Vec<Effect>;
    fn deadline(&self) -> Option<Instant>;
    fn phase(&self) -> Phase;
}

impl Machine for Gate {
    fn handle(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        self.handle(input, now)
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline()
    }

    fn phase(&self) -> Phase {
        self.phase()
    }
}

impl Machine for Relay {
    fn handle(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        self.handle(input, now)
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline()
    }

    fn phase(&self) -> Phase {
        self.phase()
    }
}

/// A connection.
pub(crate) struct Life<M> {
    pub(crate) machine: M,
    now: Instant,
    client: Side,
    upstream: Side,
    /// Calls that run.
    running: Vec<CallId>,
    /// What was sent, for whoever answers.
    pub(crate) last: Vec<Effect>,
    /// Nobody takes anything any more.
    is_stuck: bool,
    /// Memory that was held before there was a machine.
    before: usize,
}

/// A leg as its state machine knows it.
struct Side {
    is_open: bool,
    is_paused: bool,
    is_gone: bool,
    /// It was told to close, or cut.
    is_ending: bool,
    /// Weights of what it has not delivered.
    in_flight: VecDeque<usize>,
}

impl Side {
    fn new(is_open: bool) -> Self {
        // The room is there from the beginning, or it would count as the machine's.
        Self {
            is_open,
            is_paused: false,
            is_gone: false,
            is_ending: false,
            in_flight: VecDeque::with_capacity(20_000),
        }
    }

    fn speaks(&self) -> bool {
        self.is_open && !self.is_paused && !self.is_gone
    }
}

/// Limits of a life, small ones, so that they are met.
pub(crate) fn limits(random: &mut Random) -> Limits {
    let any = |random: &mut Random| Duration::from_millis(*random.pick(&[1, 100, 5_000, 60_000]));
    let perhaps = |random: &mut Random| random.one_in(4).then(|| any(random));
    Limits {
        before_ready: *random.pick(&[1_000, BEFORE_READY]),
        leg: *random.pick(&[1_000, LEG]),
        settings_timeout: any(random),
        idle_timeout: perhaps(random),
        max_session: perhaps(random),
        slow_leg_timeout: any(random),
        call_timeout: any(random),
        ping_interval: perhaps(random),
        messages_per_s: NonZeroU32::new(random.below(3) as u32 * 10),
    }
}

/// The largest of those limits, bytes.
pub(crate) const BEFORE_READY: usize = 20_000;
pub(crate) const LEG: usize = 40_000;

impl<M: Machine> Life<M> {
    /// One that begins with the client's connection.
    pub(crate) fn new(machine: impl FnOnce() -> M) -> Self {
        let (client, upstream) = (Side::new(true), Side::new(false));
        let running = Vec::with_capacity(1_000);
        let before = MEMORY.current_usage();
        let machine = machine();
        let now = Instant::now();
        let mut life =
            Self { machine, now, client, upstream, running, last: Vec::new(), is_stuck: false, before };
        life.give(Input::ClientConnected);
        life
    }

    /// From here on neither peer takes what it is sent, until the end.
    pub(crate) fn is_stuck(&mut self) {
        self.is_stuck = true;
    }

    pub(crate) fn upstream_opens(&mut self) {
        if !self.upstream.is_open && !self.upstream.is_gone {
            self.upstream.is_open = true;
            self.give(Input::UpstreamOpened);
        }
    }

    /// The client says something, if it is read.
    pub(crate) fn client_says(&mut self, input: impl FnOnce() -> Input) {
        if self.client.speaks() {
            self.give(input());
        }
    }

    /// The same of upstream.
    pub(crate) fn upstream_says(&mut self, input: impl FnOnce() -> Input) {
        if self.upstream.speaks() {
            self.give(input());
        }
    }

    /// Something that is not a peer's word: time, deliveries, functions, ends.
    pub(crate) fn other(&mut self, random: &mut Random) {
        match random.below(16) {
            0..4 => self.pass(random),
            4..8 => {
                let leg = *random.pick(&[Leg::Client, Leg::Upstream]);
                self.delivers(leg, 1 + random.below(200));
            }
            8 | 9 if !self.running.is_empty() => {
                let call_id = self.running.swap_remove(random.below(self.running.len()));
                let text = crate::bytes::text(random);
                let outcome = if random.one_in(3) { Err(text) } else { Ok(text) };
                self.give(Input::FunctionFinished { call_id, outcome });
            }
            // A call that nobody has made.
            8 => {
                self.give(Input::FunctionFinished { call_id: "nobody's".into(), outcome: Ok(String::new()) })
            }
            9 => self.upstream_opens(),
            10 => self.give(Input::Timeout),
            11 => self.give(Input::Squeeze(random.one_in(2))),
            12 if random.one_in(20) => self.give(Input::Overload),
            12 if random.one_in(20) => self.give(Input::Drain),
            13 => {
                let leg = *random.pick(&[Leg::Client, Leg::Upstream]);
                if self.side(leg).speaks() {
                    self.give(Input::Heard(leg));
                }
            }
            _ => self.ends(random),
        }
    }

    /// Time passes, mostly little, and what is due is told.
    fn pass(&mut self, random: &mut Random) {
        let millis = if random.one_in(10) { random.length(100_000) } else { random.below(200) };
        self.now += Duration::from_millis(millis as u64);
        self.tell_what_is_due();
    }

    fn tell_what_is_due(&mut self) {
        let mut told = 0;
        while self.machine.deadline().is_some_and(|at| at <= self.now) {
            self.give(Input::Timeout);
            told += 1;
            assert!(told < 20, "a deadline stays due, in phase {:?}", self.machine.phase());
        }
    }

    fn ends(&mut self, random: &mut Random) {
        // Most lives are to be long.
        if !random.one_in(15) {
            return;
        }
        let text = crate::bytes::text(random);
        let end = match random.below(4) {
            0 => LegEnd::Vanished,
            1 => LegEnd::TooLarge { limit: usize::MAX },
            2 => LegEnd::ProtocolError(text),
            _ => {
                LegEnd::Closed { code: Some(random.next() as u16).filter(|code| code % 7 != 0), reason: text }
            }
        };
        match random.below(4) {
            0 => self.is_gone(Leg::Client, end),
            1 if self.upstream.is_open => self.is_gone(Leg::Upstream, end),
            1 if !self.upstream.is_gone => {
                self.upstream.is_gone = true;
                let error = match random.below(3) {
                    0 => UpstreamError::TimedOut,
                    1 => UpstreamError::Status(random.next() as u16),
                    _ => UpstreamError::Unreachable(crate::bytes::text(random)),
                };
                self.give(Input::UpstreamRefused(error));
            }
            2 => self.give(Input::Shutdown),
            _ => (),
        }
    }

    fn side(&mut self, leg: Leg) -> &mut Side {
        match leg {
            Leg::Client => &mut self.client,
            Leg::Upstream => &mut self.upstream,
        }
    }

    fn is_gone(&mut self, leg: Leg, end: LegEnd) {
        let side = self.side(leg);
        if side.is_gone {
            return;
        }
        // One that broke the protocol is gone when its close has been sent.
        side.is_gone = leg == Leg::Upstream || matches!(end, LegEnd::Closed { .. } | LegEnd::Vanished);
        side.is_open = false;
        self.give(match leg {
            Leg::Client => Input::ClientClosed(end),
            Leg::Upstream => Input::UpstreamClosed { end, unix_s: 1_000 },
        });
    }

    pub(crate) fn delivers(&mut self, leg: Leg, most: usize) {
        let is_stuck = self.is_stuck;
        let side = self.side(leg);
        let count = most.min(side.in_flight.len());
        if count > 0 && !side.is_gone && !is_stuck {
            let bytes = side.in_flight.drain(..count).sum();
            self.give(Input::Delivered { leg, bytes });
        }
    }

    pub(crate) fn give(&mut self, input: Input) {
        self.last.clear();
        let effects = self.machine.handle(input, self.now);
        for effect in &effects {
            match effect {
                Effect::ToClient(frame) => self.client.in_flight.push_back(frame.weight()),
                Effect::ToUpstream(frame) => {
                    assert!(
                        self.upstream.is_open || self.upstream.is_gone,
                        "something goes up before the socket is open"
                    );
                    self.upstream.in_flight.push_back(frame.weight());
                }
                Effect::Pause(leg) => self.side(*leg).is_paused = true,
                Effect::Resume(leg) => self.side(*leg).is_paused = false,
                Effect::Execute(run) => self.running.push(run.id.clone()),
                Effect::CancelFunction(id) => self.running.retain(|other| other != id),
                Effect::Close { leg, .. } | Effect::HangUp(leg) => self.side(*leg).is_ending = true,
                _ => (),
            }
        }
        self.last = effects;
        let waits = matches!(self.machine.phase(), Phase::Opening | Phase::Configuring | Phase::Closing);
        assert!(!waits || self.machine.deadline().is_some(), "{:?} waits for ever", self.machine.phase());
    }

    /// What the machine holds, bytes of memory.
    pub(crate) fn held(&mut self) -> usize {
        self.last = Vec::new();
        MEMORY.current_usage().saturating_sub(self.before)
    }

    /// Has it end, which has to come about whatever its peers do not do.
    pub(crate) fn come_to_an_end(&mut self, random: &mut Random) {
        self.is_stuck = false;
        self.give(Input::Shutdown);
        for _ in 0..100 {
            for leg in [Leg::Client, Leg::Upstream] {
                if random.one_in(2) {
                    self.delivers(leg, usize::MAX);
                }
                if self.side(leg).is_ending && random.one_in(2) {
                    self.is_gone(leg, LegEnd::Vanished);
                }
            }
            if self.machine.phase() == Phase::Closed {
                assert_eq!(self.machine.deadline(), None, "what is over has a deadline");
                return;
            }
            self.now = self.now.max(self.machine.deadline().expect("what closes has a deadline"));
            self.tell_what_is_due();
        }
        panic!("it does not end: {:?}", self.machine.phase());
    }
}
