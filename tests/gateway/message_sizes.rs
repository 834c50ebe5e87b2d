//! Messages beyond the limits, and those that only announce it: an Error, a close, no memory, and
//! everybody else is served as before.

use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;

use crate::peers::gateway::Gateway;
use crate::peers::row::Row;
use crate::peers::s;
use crate::peers::script::Script;

const MIB: usize = 1024 * 1024;

/// How much the gateway may grow while it is sent what it must not keep.
const GROWTH: usize = 2 * MIB;

/// A text or binary frame's header that announces 1 GiB.
fn header_of_a_gibibyte(opcode: u8, masked: bool) -> Vec<u8> {
    let mut header = vec![0x80 | opcode, if masked { 0xff } else { 0x7f }];
    header.extend((1_u64 << 30).to_be_bytes());
    header.extend(if masked { [0_u8; 4].as_slice() } else { &[] });
    header
}

/// The gateway's memory, at its start and at its height.
struct Memory {
    before: usize,
    highest: usize,
}

impl Memory {
    fn of(gateway: &Gateway) -> Self {
        let before = gateway.resident_memory();
        Self { before, highest: before }
    }

    fn look(&mut self, gateway: &Gateway) {
        self.highest = self.highest.max(gateway.resident_memory());
    }

    fn assert_bounded(&self) {
        let growth = self.highest - self.before;
        assert!(growth < GROWTH, "resident memory grew by {} KiB", growth / 1024);
    }
}

#[tokio::test]
async fn a_binary_message_of_12_mib_ends_the_session() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send_silence(12 * MIB).await;
    row.client.expect_ending("MESSAGE_TOO_LARGE", 1009).await;
    row.gateway.assert_serves().await;
}

#[tokio::test]
async fn binary_fragments_of_over_1_mib_end_the_session() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send_fragmented(Data::Binary, &vec![0; MIB + 60_000], 60_000).await;
    row.client.expect_ending("MESSAGE_TOO_LARGE", 1009).await;
    row.gateway.assert_serves().await;
}

#[tokio::test]
async fn text_fragments_of_over_1_mib_end_the_session() {
    let mut row = Row::opened(Script::default()).await;
    row.client.send_fragmented(Data::Text, &vec![b' '; MIB + 60_000], 60_000).await;
    row.client.expect_ending("MESSAGE_TOO_LARGE", 1009).await;
    row.gateway.assert_serves().await;
}

#[tokio::test]
async fn a_client_that_announces_1_gib_is_not_listened_to() {
    let mut row = Row::opened(Script::default()).await;
    row.gateway.assert_serves().await;
    let mut memory = Memory::of(&row.gateway);
    row.client.send_raw(&header_of_a_gibibyte(2, true)).await;
    let chunk = vec![0; MIB];
    for _ in 0..64 {
        let taken = row.client.send_raw(&chunk).await;
        memory.look(&row.gateway);
        if !taken {
            break;
        }
    }
    row.client.expect_ending("MESSAGE_TOO_LARGE", 1009).await;
    memory.look(&row.gateway);
    memory.assert_bounded();
    row.gateway.assert_serves().await;
}

#[tokio::test]
async fn an_upstream_that_announces_1_gib_is_not_listened_to() {
    let row = Row::opened(Script::default()).await;
    row.gateway.assert_serves().await;
    let peer = row.mock.peer(1).await;
    let mut memory = Memory::of(&row.gateway);
    peer.send_raw(header_of_a_gibibyte(1, false)).await;
    for _ in 0..64 {
        let taken = peer.send_raw(vec![b' '; MIB]).await;
        memory.look(&row.gateway);
        if !taken {
            break;
        }
    }
    row.client.expect("Error", s(5)).await;
    row.client.expect_close(s(5)).await;
    memory.look(&row.gateway);
    memory.assert_bounded();
    row.gateway.assert_serves().await;
}
