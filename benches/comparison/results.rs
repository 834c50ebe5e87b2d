//! What was measured with one number of workers, and how it is printed. Knows nothing of how it was measured and judges
//! nothing.

use crate::{
    figures::{Figures, Run},
    runs::{Held, Memory, SetUps},
    through::Through,
};

const KIB: f64 = 1024.0;

/// Figures of so many talking sessions.
pub(crate) type Talking = (usize, Vec<(Through, Figures)>);

/// Everything measured so far.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) talking: Vec<Talking>,
    /// Some of them watched.
    pub(crate) watched: Vec<Talking>,
    pub(crate) held: Vec<(Through, Held)>,
    pub(crate) memory: Vec<(Through, Memory)>,
    pub(crate) set_ups: Vec<(Through, SetUps)>,
}

impl Results {
    /// The figures with so many sessions.
    pub(crate) fn talking(&self, sessions: usize, through: Through) -> Option<&Figures> {
        let (_, all) = self.talking.iter().find(|(count, _)| *count == sessions)?;
        of(all, through)
    }
}

/// What belongs to this thing under test.
pub(crate) fn of<T>(all: &[(Through, T)], through: Through) -> Option<&T> {
    all.iter().find(|(of, _)| *of == through).map(|(_, value)| value)
}

impl SetUps {
    /// Processor time for each, ms.
    pub(crate) fn each(&self) -> f64 {
        self.own.as_secs_f64() * 1e3 / self.count as f64
    }
}

/// The names of what is printed of talking sessions.
pub(crate) fn talking_header() {
    println!(
        "sessions  through         in time %  CPU us/pair  x nginx  x minimal  RTT p50 us     p99   p99.9  \
         p99 added  CPU %  peers %  sent late p99 us  CPU us/pair by run"
    );
}

/// Talking sessions, so many in each case.
pub(crate) fn print_talking(sessions: usize, all: &[(Through, Figures)]) {
    for (through, figures) in all {
        let ratio = |other| of(all, other).map_or(f64::NAN, |other| figures.ratio(other));
        let added = of(all, Through::Nothing).map_or(f64::NAN, |direct| figures.added(direct));
        let runs: Vec<String> = figures.runs().iter().map(|run| format!("{:.1}", run.per_pair)).collect();
        println!(
            "{sessions:>8}  {:<15}{:>10.1}{:>13.1}{:>9.2}{:>11.2}{:>12.0}{:>8.0}{:>8.0}{added:>11.0}{:>7.0}{:>9.0}{:>18.0}  {}",
            through.name(),
            figures.median(|run| run.in_time),
            figures.median(|run| run.per_pair),
            ratio(Through::Nginx),
            ratio(Through::Minimal),
            figures.median(|run| run.p50),
            figures.median(|run| run.p99),
            figures.median(|run| run.p999),
            figures.median(|run| run.own),
            figures.median(|run| run.peers),
            figures.median(|run| run.late),
            runs.join(" "),
        );
    }
}

/// How many sessions were held.
pub(crate) fn print_held(through: Through, held: &Held) {
    let last = held.last.map_or(String::new(), |Run { p99, own, peers, .. }| {
        format!(": p99 {:.1} ms, {own:.0} % of a processor, the peers {peers:.0} %", p99 / 1e3)
    });
    let beyond = match &held.beyond {
        Some((sessions, reason)) => format!("; not {sessions}: {reason}"),
        None => "; no more were tried".to_owned(),
    };
    println!("{:<15}holds {:>5}{last}{beyond}", through.name(), held.sessions);
}

/// Memory for each session.
pub(crate) fn print_memory(through: Through, memory: &Memory) {
    let Memory { idle, talking, empty } = memory;
    println!(
        "{:<15}{:>8.1} KiB an idle session{:>8.1} KiB a talking one{:>10.0} KiB without any",
        through.name(),
        *idle as f64 / KIB,
        *talking as f64 / KIB,
        *empty as f64 / KIB,
    );
}

/// Sessions that were set up.
pub(crate) fn print_set_ups(through: Through, set_ups: &SetUps) {
    println!(
        "{:<15}{:>8.0} a second{:>8.3} ms CPU each",
        through.name(),
        set_ups.count as f64 / set_ups.length.as_secs_f64(),
        set_ups.each(),
    );
}
