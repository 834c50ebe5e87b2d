//! Random lives of a passed-through connection.

use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};

use super::{
    world::{Message, Move, World, ends},
    *,
};

fn message() -> impl Strategy<Value = Message> {
    let text = prop_oneof![2 => (0..12_usize).prop_map(Some), 1 => Just(None)];
    let bytes = prop_oneof![8 => 0..50_usize, 1 => Just(7_000)];
    let fragments = prop_oneof![3 => Just(1), 1 => 2..5_usize, 1 => Just(70)];
    (text, 0..4_usize, bytes, fragments).prop_map(|(text, call, bytes, fragments)| Message {
        text,
        call,
        bytes,
        fragments,
    })
}

fn moves() -> impl Strategy<Value = Move> {
    let leg = || select(vec![Leg::Client, Leg::Upstream]);
    prop_oneof![
        60 => (leg(), message()).prop_map(|(leg, message)| Move::Frame(leg, message)),
        20 => (leg(), 1..20_usize).prop_map(|(leg, count)| Move::Delivers(leg, count)),
        10 => (0..4_usize, any::<bool>()).prop_map(|(which, well)| Move::Finishes(which, well)),
        6 => Just(Move::Opens),
        6 => Just(Move::ClientAlive),
        3 => Just(Move::Late),
        2 => any::<bool>().prop_map(Move::Squeeze),
        1 => (0..ends().len()).prop_map(Move::Ends),
    ]
}

/// A little time mostly, a long time now and then.
fn pause_ms() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..50_u64, 3 => 50..1_500_u64, 1 => 1_500..20_000_u64]
}

fn cases(cases: u32) -> Config {
    Config { cases, ..Config::default() }
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn any_life_keeps_the_rules(
        service in select(vec![Service::Agent, Service::Agent, V1, V2]),
        dialect in select(vec![Dialect::Auto, Dialect::Component, Dialect::Deepgram]),
        has_functions: bool,
        strict: bool,
        opens_at_once: bool,
        moves in vec((pause_ms(), moves()), 1..120),
    ) {
        let mut world = World::new(service, dialect, has_functions, strict);
        if opens_at_once {
            world.happens(Move::Opens);
        }
        for (pause_ms, what) in moves {
            world.pass(pause_ms);
            world.happens(what);
        }
        world.ends_well();
    }
}
