//! What the gateway is to reach, as ratios within one run, and whether it did. Nothing fails for it: a machine that does
//! other things as well moves every figure.

use crate::{
    results::{Results, of},
    through::Through,
};

/// Of the minimal translator's processor time per frame pair.
const OF_MINIMAL: f64 = 0.9;
/// Of that of a gateway of the same contract on Node.js, and what that took at least, µs, where nginx took so much.
const OF_NODE: f64 = 0.35;
const NODE_US: f64 = 210.0;
const NGINX_US: f64 = 29.0;
/// Of nginx's, the minimal translator, or it is compared with in vain.
const OF_A_YARDSTICK: f64 = 4.0;
/// Of nginx's, passed through.
const OF_NGINX: f64 = 1.5;
/// At how many sessions the p99 is compared.
const P99_AT: usize = 100;
/// Two and a half times those at which the gateway on Node.js falls behind.
const HELD: usize = 250;
const IDLE_KIB: f64 = 32.0;
const SET_UP_MS: f64 = 0.5;
/// Of a gateway that nobody watches.
const WATCHED: f64 = 1.05;

/// Prints each goal for which there are figures.
pub(crate) fn print(results: &Results) {
    for (sessions, all) in &results.talking {
        let ratio = |one, other| match (of(all, one), of(all, other)) {
            (Some(one), Some(other)) => one.ratio(other),
            _ => f64::NAN,
        };
        let node = ratio(Through::Translated, Through::Nginx) * NGINX_US / NODE_US;
        let at = |what: &str| format!("{sessions} sessions, {what}");
        for minimal in [Through::Minimal, Through::Tuned] {
            let what = format!("translated / {}", minimal.name());
            goal(&at(&what), ratio(Through::Translated, minimal), OF_MINIMAL);
        }
        goal(&at("translated / Node.js scaled by nginx"), node, OF_NODE);
        goal(&at("relayed / nginx"), ratio(Through::Relayed, Through::Nginx), OF_NGINX);
        let minimal = ratio(Through::Minimal, Through::Nginx);
        if minimal > OF_A_YARDSTICK {
            println!("{sessions} sessions, minimal / nginx is {minimal:.1}: it is no yardstick");
        }
    }
    for (sessions, all) in &results.watched {
        for (watched, alone) in [
            (Through::RelayedWatched, Through::Relayed),
            (Through::RelayedWatched, Through::RelayedBefore),
            (Through::TranslatedWatched, Through::Translated),
            (Through::TranslatedWatched, Through::TranslatedBefore),
        ] {
            if let (Some(one), Some(other)) = (of(all, watched), of(all, alone)) {
                let what = format!("{sessions} sessions, {} / {}", watched.name(), alone.name());
                goal(&what, one.ratio(other), WATCHED);
            }
        }
    }
    let at = |through| results.talking(P99_AT, through);
    for minimal in [Through::Minimal, Through::Tuned] {
        if let (Some(direct), Some(yardstick), Some(translated)) =
            (at(Through::Nothing), at(minimal), at(Through::Translated))
        {
            let what = format!("{P99_AT} sessions, p99 added, us ({})", minimal.name());
            goal(&what, translated.added(direct), yardstick.added(direct));
        }
    }
    for through in [Through::Translated, Through::Relayed] {
        let name = through.name();
        if let Some(held) = of(&results.held, through) {
            let verdict = verdict(held.sessions >= HELD);
            println!("{:<48}{:>9} of {HELD:<8}{verdict}", format!("{name}, sessions held"), held.sessions);
        }
        if let Some(memory) = of(&results.memory, through) {
            goal(&format!("{name}, KiB for an idle session"), memory.idle as f64 / 1024.0, IDLE_KIB);
        }
        if let Some(set_ups) = of(&results.set_ups, through) {
            goal(&format!("{name}, ms CPU for a set-up"), set_ups.each(), SET_UP_MS);
        }
    }
}

fn goal(what: &str, measured: f64, at_most: f64) {
    println!("{what:<48}{measured:>9.2} of {at_most:<8.2}{}", verdict(measured <= at_most));
}

fn verdict(is_reached: bool) -> &'static str {
    if is_reached { "reached" } else { "NOT REACHED" }
}
