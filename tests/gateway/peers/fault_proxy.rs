//! A TCP proxy on loopback that stands in one leg of a connection and plays a bad network. Every connection through it
//! is a link that is told, while it runs and for each direction, what to do. Knows nothing of what is said through it.

use std::net;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::fault_pump::Pump;
use super::s;

/// The kernel's buffers of each socket, bytes: small, so that what does not pass is not hidden there.
const BUFFER: u32 = 32 * 1024;

/// What one direction does with the bytes that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// They go through at once.
    Pass,
    /// Nothing is read and nothing passes; both sockets stay open.
    Stall,
    /// So many bytes a second go through.
    Throttle(usize),
    /// Every byte is a write of its own.
    ByteByByte,
    /// They go through this much later, at any rate.
    Latency(Duration),
    /// They are read and lost, their end as well: a peer that is silently dead.
    Swallow,
    /// The receiver sees an orderly end of this direction; what comes later is lost. The other direction goes on.
    End,
    /// So many more go through; with the last of them the link is cut.
    CutAfter(usize, Cut),
}

/// How a link ends, at both of its sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// With a FIN.
    Fin,
    /// With a RST.
    Reset,
}

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From whoever connected.
    Up,
    /// To whoever connected.
    Down,
}

impl Direction {
    pub(crate) const BOTH: [Self; 2] = [Self::Up, Self::Down];
}

/// A running proxy. Dropping it refuses new connections; its links go on.
pub(crate) struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    target: u16,
    /// What each direction of a new link begins with.
    first: [watch::Sender<Fault>; 2],
    links: watch::Sender<Vec<Link>>,
}

/// One connection through the proxy; its copies are the same link.
#[derive(Clone)]
pub(crate) struct Link(Arc<State>);

struct State {
    directions: [Course; 2],
    cut: watch::Sender<Option<Cut>>,
    over: watch::Sender<Option<Instant>>,
}

/// One direction, as the pump and the test share it.
pub(super) struct Course {
    pub(super) fault: watch::Sender<Fault>,
    /// Bytes that were handed to the receiver's socket.
    pub(super) passed: AtomicUsize,
    /// In how many writes.
    pub(super) writes: AtomicUsize,
}

impl FaultProxy {
    /// A proxy in front of a loopback port.
    pub(crate) async fn start(target: u16) -> Self {
        let socket = buffered();
        socket.bind("127.0.0.1:0".parse().expect("a valid address")).expect("a loopback port is free");
        let listener = socket.listen(1024).expect("the socket is bound");
        let port = listener.local_addr().expect("the listener is bound").port();
        let first = [Fault::Pass; 2].map(watch::Sender::new);
        let shared = Arc::new(Shared { target, first, links: watch::Sender::default() });
        let accepting = tokio::spawn(accept_all(listener, Arc::clone(&shared)));
        Self { port, shared, accepting }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Tells a direction of every link that is yet to come.
    pub(crate) fn set(&self, direction: Direction, fault: Fault) {
        self.shared.first[direction as usize].send_replace(fault);
    }

    /// A link by its number, from 1, waiting until it is there.
    pub(crate) async fn link(&self, number: usize) -> Link {
        let mut links = self.shared.links.subscribe();
        let there = links.wait_for(|links| links.len() >= number);
        let links = timeout(s(5), there).await.expect("the link comes in time").expect("the proxy runs");
        links[number - 1].clone()
    }

    /// How many links there have been.
    pub(crate) fn links(&self) -> usize {
        self.shared.links.borrow().len()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Link {
    fn new(first: [Fault; 2]) -> Self {
        let directions = first.map(|fault| Course {
            fault: watch::Sender::new(fault),
            passed: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
        });
        Self(Arc::new(State { directions, cut: watch::Sender::default(), over: watch::Sender::default() }))
    }

    /// Tells one direction what to do from now on.
    pub(crate) fn set(&self, direction: Direction, fault: Fault) {
        self.course(direction).fault.send_replace(fault);
    }

    /// Tells both directions.
    pub(crate) fn set_both(&self, fault: Fault) {
        Direction::BOTH.iter().for_each(|direction| self.set(*direction, fault));
    }

    /// Ends both sides; what was on its way is lost.
    pub(crate) fn cut(&self, how: Cut) {
        self.0.cut.send_replace(Some(how));
    }

    /// How many bytes went through.
    pub(crate) fn passed(&self, direction: Direction) -> usize {
        self.course(direction).passed.load(Ordering::Relaxed)
    }

    /// In how many writes they did.
    pub(crate) fn writes(&self, direction: Direction) -> usize {
        self.course(direction).writes.load(Ordering::Relaxed)
    }

    /// When the link ended, if it has.
    pub(crate) fn ended(&self) -> Option<Instant> {
        *self.0.over.borrow()
    }

    /// Waits for the end of the link; when that was.
    pub(crate) async fn over(&self) -> Instant {
        let mut over = self.0.over.subscribe();
        let over = timeout(s(20), over.wait_for(Option::is_some)).await.expect("the link ends in time");
        over.expect("the link is still held").expect("it is some")
    }

    fn course(&self, direction: Direction) -> &Course {
        &self.0.directions[direction as usize]
    }

    async fn run(&self, near: TcpStream, target: u16) {
        let address = net::SocketAddr::from(([127, 0, 0, 1], target));
        let near = End::new(near);
        let Ok(far) = buffered().connect(address).await else {
            near.reset();
            return;
        };
        let far = End::new(far);
        let mut cut = self.0.cut.subscribe();
        let pump = |from, to, direction| Pump::new(from, to, self.course(direction), &self.0.cut).run();
        let pumps =
            async { tokio::join!(pump(&near, &far, Direction::Up), pump(&far, &near, Direction::Down)) };
        let how = tokio::select! {
            biased;
            how = cut.wait_for(Option::is_some) => *how.expect("the link holds the sender"),
            _ = pumps => None,
        };
        self.0.over.send_replace(Some(Instant::now()));
        match how {
            None => {}
            Some(Cut::Reset) => {
                near.reset();
                far.reset();
            }
            Some(Cut::Fin) => {
                near.end();
                far.end();
                // Unread bytes would make a RST of it.
                let _ = timeout(s(10), async { tokio::join!(near.drain(), far.drain()) }).await;
            }
        }
    }
}

/// One socket of a link, in two handles: to wait on, and to end.
pub(super) struct End {
    pub(super) stream: TcpStream,
    again: net::TcpStream,
}

impl End {
    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("the socket is open");
        let stream = stream.into_std().expect("the stream leaves the runtime");
        let again = stream.try_clone().expect("a descriptor is free");
        Self { stream: TcpStream::from_std(stream).expect("the stream enters the runtime"), again }
    }

    /// Sends a FIN behind what was written.
    pub(super) fn end(&self) {
        // The peer may have been quicker.
        let _ = self.again.shutdown(net::Shutdown::Write);
    }

    /// Makes the close a RST.
    fn reset(&self) {
        self.stream.set_zero_linger().expect("the socket is open");
    }

    /// Reads and loses everything up to the end.
    pub(super) async fn drain(&self) {
        let mut lost = [0; 4096];
        while self.stream.readable().await.is_ok() {
            match self.stream.try_read(&mut lost) {
                Ok(0) => return,
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => {}
            }
        }
    }
}

fn buffered() -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a descriptor is free");
    socket.set_recv_buffer_size(BUFFER).expect("the socket is open");
    socket.set_send_buffer_size(BUFFER).expect("the socket is open");
    socket
}

async fn accept_all(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let link = Link::new([0, 1].map(|direction| *shared.first[direction].borrow()));
        shared.links.send_modify(|links| links.push(link.clone()));
        let target = shared.target;
        tokio::spawn(async move { link.run(stream, target).await });
    }
}
