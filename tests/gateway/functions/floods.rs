//! Applications whose answer does not end: it is cut off, and takes no memory.

use super::misbehaviour::Gets::{self, Either, Error};
use super::misbehaviour::NO_HTTP;
use super::stage::{Stage, route};
use crate::peers::application::Application;
use crate::peers::reply::Reply;
use crate::peers::s;

/// What a hundred megabytes come to: the application's bytes that were taken, and the gateway's growth.
async fn flood(reply: Reply, gets: Gets) {
    const MIB: usize = 1024 * 1024;
    let application = Application::start(move |request| match request.body["name"].as_str() {
        Some("flood") => reply.clone(),
        _ => Reply::content("all is well"),
    })
    .await;
    let sections = route("[\"*\"]", &application, "timeout_ms = 20000\nmax_response_bytes = 262144");
    let mut stage = Stage::over(application, &sections).await;
    let before = stage.gateway.resident_memory();
    for round in 0..3 {
        let id = format!("call_{round}");
        let call = (&*id, "flood", "{}");
        let output = stage.output_of(call).await;
        assert!(gets.allows(&output), "{output}, not {gets:?}");
        stage.session.assert_told(call, &output).await;
        stage.assert_goes_on().await;
    }
    stage.application.expect_cut_off(3, s(10)).await;
    let growth = stage.gateway.resident_memory().saturating_sub(before);
    // Most of it waits in the buffers of the two sockets.
    assert!(stage.application.sent() < 3 * 16 * MIB as u64, "{} bytes were taken", stage.application.sent());
    assert!(growth < 8 * MIB, "resident memory grew by {} KiB", growth / 1024);
    assert_eq!(stage.output_of(("call_well", "well", "{}")).await, "all is well");
}

const HUNDRED_MB: u64 = 100_000_000;
const TOO_LONG: Gets = Error("the function's answer is longer than 262144 bytes");

#[tokio::test]
async fn a_hundred_megabytes_that_are_announced() {
    let length = HUNDRED_MB + 14;
    flood(Reply::flood(&format!("Content-Length: {length}\r\n"), HUNDRED_MB), TOO_LONG).await;
}

#[tokio::test]
async fn a_hundred_megabytes_until_the_end_of_the_connection() {
    flood(Reply::flood("Connection: close\r\n", HUNDRED_MB).then_close(), TOO_LONG).await;
}

#[tokio::test]
async fn a_hundred_megabytes_in_one_chunk() {
    let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{HUNDRED_MB:x}\r\n");
    flood(Reply::raw(head).and_letters(HUNDRED_MB), TOO_LONG).await;
}

#[tokio::test]
async fn a_hundred_megabytes_in_a_header() {
    let head = "HTTP/1.1 200 OK\r\nX-Letters: ";
    flood(Reply::raw(head).and_letters(HUNDRED_MB), Either(&NO_HTTP, &TOO_LONG)).await;
}
