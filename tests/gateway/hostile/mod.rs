//! Peers that mean harm, or speak something else: what they are told, and that nobody else notices. None may make the
//! gateway panic.

mod client_frames;
mod floods;
mod handshakes;
mod heads;
mod slow_heads;
mod stage;
mod upstream_frames;

use crate::peers::gateway::Gateway;

/// Nothing panicked so far. The runtime would catch it, and go on.
#[track_caller]
fn assert_no_panic(gateway: &Gateway) {
    let log = gateway.log();
    assert!(!log.contains("panicked"), "{log}");
}
