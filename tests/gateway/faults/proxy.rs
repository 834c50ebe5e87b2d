//! Whether the proxy that plays the network does what it says. There is no gateway in these tests.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::peers::fault_proxy::{Cut, Direction, Fault, FaultProxy, Link};
use crate::peers::sound::counted;
use crate::peers::{ms, s};

const KIB: usize = 1024;

/// Both sides of a link, and the link.
struct Sides {
    near: TcpStream,
    far: TcpStream,
    link: Link,
}

async fn sides() -> Sides {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    let proxy = FaultProxy::start(listener.local_addr().expect("the listener is bound").port()).await;
    let near = TcpStream::connect(("127.0.0.1", proxy.port())).await.expect("the proxy accepts");
    let (far, _) = timeout(s(5), listener.accept()).await.expect("the proxy dials").expect("one");
    near.set_nodelay(true).expect("the socket is open");
    Sides { near, far, link: proxy.link(1).await }
}

/// Reads so many bytes.
async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    timeout(s(10), stream.read_exact(&mut bytes)).await.expect("in time").expect("the link is open");
    bytes
}

/// Writes and reads at once, since the sockets hold little.
async fn through(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    let write = async { from.write_all(bytes).await.expect("the link is open") };
    tokio::join!(write, read(to, bytes.len())).1
}

/// Nothing comes and nothing ends for a while.
async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(ms(300), stream.read_u8()).await.is_err()
}

async fn error(stream: &mut TcpStream) -> ErrorKind {
    let read = timeout(s(5), stream.read_u8()).await.expect("the link ends");
    read.expect_err("nothing comes any more").kind()
}

#[tokio::test]
async fn what_passes_is_whole_and_ends_as_it_ended() {
    let Sides { mut near, mut far, link } = sides().await;
    let bytes = counted(600 * KIB);
    assert!(through(&mut near, &mut far, &bytes).await == bytes, "changed on its way up");
    assert!(through(&mut far, &mut near, &bytes).await == bytes, "changed on its way down");
    assert_eq!(Direction::BOTH.map(|direction| link.passed(direction)), [bytes.len(); 2]);
    near.shutdown().await.expect("the link is open");
    assert_eq!(error(&mut far).await, ErrorKind::UnexpectedEof);
    assert_eq!(through(&mut far, &mut near, b"still open").await, b"still open");
    assert!(link.ended().is_none());
    far.set_zero_linger().expect("the socket is open");
    drop(far);
    assert_eq!(error(&mut near).await, ErrorKind::ConnectionReset);
    link.over().await;
}

#[tokio::test]
async fn a_stalled_direction_takes_nothing_and_loses_nothing() {
    let Sides { mut near, mut far, link } = sides().await;
    link.set(Direction::Up, Fault::Stall);
    let bytes = counted(8192 * KIB);
    let mut sending = tokio::spawn(async move {
        near.write_all(&counted(8192 * KIB)).await.expect("the link is open");
        near
    });
    assert!(is_silent(&mut far).await);
    assert!(timeout(ms(10), &mut sending).await.is_err(), "all of it was taken");
    link.set(Direction::Up, Fault::Pass);
    assert!(read(&mut far, bytes.len()).await == bytes, "changed");
    let mut near = sending.await.expect("all was sent");
    link.set(Direction::Up, Fault::Stall);
    assert_eq!(through(&mut far, &mut near, b"down").await, b"down");
}

#[tokio::test]
async fn a_throttled_direction_has_its_rate() {
    let Sides { mut near, mut far, link } = sides().await;
    link.set(Direction::Up, Fault::Throttle(80 * KIB));
    let (bytes, began) = (counted(80 * KIB), Instant::now());
    assert!(through(&mut near, &mut far, &bytes).await == bytes, "changed");
    let took = began.elapsed();
    assert!((ms(900)..ms(1_600)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn every_byte_is_a_write_of_its_own() {
    let Sides { mut near, mut far, link } = sides().await;
    link.set(Direction::Down, Fault::ByteByByte);
    let bytes = counted(4 * KIB);
    assert_eq!(through(&mut far, &mut near, &bytes).await, bytes);
    assert_eq!(link.writes(Direction::Down), bytes.len());
    assert_eq!(through(&mut near, &mut far, &bytes).await, bytes);
    assert!(link.writes(Direction::Up) < 10);
}

#[tokio::test]
async fn latency_delays_and_takes_no_throughput() {
    const LATE: u64 = 200;
    let Sides { mut near, mut far, link } = sides().await;
    link.set_both(Fault::Latency(ms(LATE)));
    let began = Instant::now();
    through(&mut near, &mut far, b"ping").await;
    assert!(began.elapsed() >= ms(LATE), "{:?}", began.elapsed());
    through(&mut far, &mut near, b"pong").await;
    assert!(began.elapsed() >= ms(2 * LATE), "{:?}", began.elapsed());
    // At one buffer for each 200 ms this would take seconds.
    let (bytes, began) = (counted(4096 * KIB), Instant::now());
    assert!(through(&mut near, &mut far, &bytes).await == bytes, "changed");
    let took = began.elapsed();
    assert!((ms(LATE)..s(2)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_cut_is_seen_by_both_sides_as_what_it_is() {
    for (how, kind) in [(Cut::Fin, ErrorKind::UnexpectedEof), (Cut::Reset, ErrorKind::ConnectionReset)] {
        let Sides { mut near, mut far, link } = sides().await;
        through(&mut near, &mut far, b"hello").await;
        link.cut(how);
        assert_eq!([error(&mut near).await, error(&mut far).await], [kind; 2], "{how:?}");
        link.over().await;
    }
}

#[tokio::test]
async fn a_cut_after_some_bytes_comes_after_just_these() {
    for (bytes, how) in
        [(0, Cut::Fin), (1, Cut::Fin), (100 * KIB, Cut::Fin), (0, Cut::Reset), (7, Cut::Reset)]
    {
        let Sides { mut near, mut far, link } = sides().await;
        through(&mut near, &mut far, b"before").await;
        link.set(Direction::Up, Fault::CutAfter(bytes, how));
        let sending = tokio::spawn(async move {
            let _ = near.write_all(&counted(300 * KIB)).await;
            near
        });
        let mut got = Vec::new();
        let ended = timeout(s(5), far.read_to_end(&mut got)).await.expect("the link is cut");
        assert_eq!(ended.is_ok(), how == Cut::Fin, "{how:?}");
        assert!(got == counted(300 * KIB)[..bytes], "{} bytes and not {bytes}", got.len());
        assert_eq!(link.passed(Direction::Up), b"before".len() + bytes);
        link.over().await;
        sending.await.expect("the sender has seen the end");
    }
}

#[tokio::test]
async fn half_a_link_can_end() {
    let Sides { mut near, mut far, link } = sides().await;
    link.set(Direction::Up, Fault::End);
    assert_eq!(error(&mut far).await, ErrorKind::UnexpectedEof);
    near.write_all(&counted(300 * KIB)).await.expect("what is sent is lost without a word");
    assert_eq!(through(&mut far, &mut near, b"down").await, b"down");
    assert_eq!(link.passed(Direction::Up), 0);
}

#[tokio::test]
async fn a_link_that_is_silently_dead_says_nothing_even_of_an_end() {
    let Sides { mut near, mut far, link } = sides().await;
    link.set_both(Fault::Swallow);
    for stream in [&mut near, &mut far] {
        stream.write_all(&counted(300 * KIB)).await.expect("what is sent is lost without a word");
    }
    assert!(is_silent(&mut near).await && is_silent(&mut far).await);
    near.shutdown().await.expect("the link is open");
    drop(near);
    assert!(is_silent(&mut far).await);
    assert!(link.ended().is_none());
}
