//! Host names: asks the operating system for their addresses and shares what it says for a moment, in the whole process.
//! Knows nothing of who connects to them, and what for.
//!
//! It is the system's own resolver, so `/etc/hosts`, `nsswitch.conf` and search domains mean what they mean to every other
//! program. That one says nothing of how long an answer holds, so all hold equally long.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::Shared};
use tokio::time::Instant;

/// How long an answer is used, counted from its question.
const LIFE: Duration = Duration::from_secs(30);

/// How many names are remembered. The one asked for first makes room.
const CAPACITY: usize = 256;

/// A name and a port.
type Name = (String, u16);
type Addresses = Arc<[SocketAddr]>;
type Answer = Result<Addresses, Arc<io::Error>>;
type LookUp = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Finds the addresses of names. A handle: its clones share what they know.
#[derive(Clone)]
pub struct Resolver(Arc<Known>);

struct Known {
    look_up: Box<dyn Fn(String, u16) -> LookUp + Send + Sync>,
    life: Duration,
    questions: Mutex<HashMap<Name, Question>>,
}

/// A question that has been answered or will be.
struct Question {
    asked: Instant,
    answer: Shared<LookUp>,
}

/// Where a name leads, to be tried in this order. Unless one of the addresses was [reached](Self::reached), the answer is
/// forgotten with this value, and who tries again asks again.
#[must_use = "an answer that nobody has found to be right is forgotten"]
pub struct Found {
    addresses: Addresses,
    /// Who remembers it, and by what.
    known: Option<(Arc<Known>, Name)>,
}

impl Resolver {
    /// The operating system's; all of these share what they know.
    pub fn system() -> Self {
        static SYSTEM: LazyLock<Resolver> = LazyLock::new(|| {
            Resolver::new(LIFE, |name, port| async move {
                Ok(tokio::net::lookup_host((name, port)).await?.collect())
            })
        });
        SYSTEM.clone()
    }

    /// One that asks `look_up` for a name and a port, and uses its answers for so long.
    pub fn new<F>(life: Duration, look_up: impl Fn(String, u16) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        let look_up = move |name, port| -> LookUp {
            Box::pin(look_up(name, port).map(|found| found.map(Arc::from).map_err(Arc::new)))
        };
        Self(Arc::new(Known { look_up: Box::new(look_up), life, questions: Mutex::default() }))
    }

    /// The addresses of `host`, a name or an address as a URL has it, each with `port`. Whoever asks while a question is
    /// open waits for the same answer. May be empty.
    ///
    /// # Errors
    ///
    /// What the look-up said, to all who waited for it and to nobody else.
    pub async fn find(&self, host: &str, port: u16) -> io::Result<Found> {
        self.find_at(host, port, Instant::now()).await
    }

    async fn find_at(&self, host: &str, port: u16, now: Instant) -> io::Result<Found> {
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = literal.parse::<IpAddr>() {
            return Ok(Found { addresses: [SocketAddr::new(address, port)].into(), known: None });
        }
        let name = (host.to_owned(), port);
        let answer = self.0.answer(&name, now);
        match answer.await {
            Ok(addresses) => Ok(Found { addresses, known: Some((Arc::clone(&self.0), name)) }),
            Err(error) => Err(io::Error::new(error.kind(), error)),
        }
    }
}

impl Known {
    fn answer(&self, name: &Name, now: Instant) -> Shared<LookUp> {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let is_of_use = |question: &Question| question.is_of_use(now, self.life);
        if let Some(question) = questions.get(name).filter(|question| is_of_use(question)) {
            return question.answer.clone();
        }
        if questions.len() >= CAPACITY {
            questions.retain(|_, question| is_of_use(question));
        }
        if questions.len() >= CAPACITY
            && let Some((oldest, _)) = questions.iter().min_by_key(|(_, question)| question.asked)
        {
            let oldest = oldest.clone();
            questions.remove(&oldest);
        }
        let answer = (self.look_up)(name.0.clone(), name.1).shared();
        questions.insert(name.clone(), Question { asked: now, answer: answer.clone() });
        answer
    }

    /// Forgets this answer, and no later one.
    fn forget(&self, name: &Name, addresses: &Addresses) {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = questions.get(name).and_then(|question| question.answer.peek());
        if matches!(known, Some(Ok(known)) if Arc::ptr_eq(known, addresses)) {
            questions.remove(name);
        }
    }
}

impl Question {
    /// Whether its answer is recent, or will be, and is not known to be a failure.
    fn is_of_use(&self, now: Instant, life: Duration) -> bool {
        now.saturating_duration_since(self.asked) < life && !matches!(self.answer.peek(), Some(Err(_)))
    }
}

impl Found {
    /// The addresses, in the order in which they should be tried.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// One of the addresses took a connection.
    pub fn reached(mut self) {
        self.known = None;
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        if let Some((known, name)) = self.known.take() {
            known.forget(&name, &self.addresses);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::{sync::Semaphore, task::yield_now};

    use super::*;

    /// What the `nth` question is answered.
    type Script = fn(usize) -> io::Result<Vec<SocketAddr>>;

    /// A resolver, how often it was asked, and what holds its answers back.
    struct Asked {
        resolver: Resolver,
        times: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
    }

    impl Asked {
        fn answering(script: Script) -> Self {
            let (times, gate) =
                (Arc::<AtomicUsize>::default(), Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)));
            let (count, open) = (Arc::clone(&times), Arc::clone(&gate));
            let resolver = Resolver::new(LIFE, move |_, _| {
                let (number, open) = (count.fetch_add(1, Ordering::SeqCst), Arc::clone(&open));
                async move {
                    let _open = open.acquire().await.expect("it is never closed");
                    script(number)
                }
            });
            Self { resolver, times, gate }
        }

        fn times(&self) -> usize {
            self.times.load(Ordering::SeqCst)
        }

        /// What is found at a time, and used with success.
        async fn used(&self, now: Instant) -> Vec<SocketAddr> {
            let found = self.resolver.find_at("host.example", 443, now).await.expect("an answer");
            let addresses = found.addresses().to_vec();
            found.reached();
            addresses
        }
    }

    /// Two addresses of which the last number counts.
    fn numbered(number: usize) -> io::Result<Vec<SocketAddr>> {
        Ok([1, number as u8].map(|last| SocketAddr::from(([192, 0, 2, last], 443))).to_vec())
    }

    #[tokio::test]
    async fn an_answer_is_used_for_as_long_as_it_lives_from_its_question() {
        let asked = Asked::answering(numbered);
        let begin = Instant::now();
        let first = asked.used(begin).await;
        assert_eq!(first, numbered(0).expect("addresses"), "in the order of the system");
        for seconds in [0, 1, 29] {
            assert_eq!(asked.used(begin + Duration::from_secs(seconds)).await, first);
        }
        assert_eq!(asked.times(), 1);
        assert_ne!(asked.used(begin + LIFE).await, first);
        assert_eq!(asked.times(), 2);
    }

    #[tokio::test]
    async fn each_name_and_each_port_has_its_own_answer() {
        let asked = Asked::answering(numbered);
        for (host, port) in [("a.example", 443), ("b.example", 443), ("a.example", 80)] {
            asked.resolver.find(host, port).await.expect("an answer").reached();
        }
        assert_eq!(asked.times(), 3);
    }

    #[tokio::test]
    async fn those_who_ask_at_the_same_time_share_one_look_up_whoever_of_them_goes() {
        let asked = Asked::answering(numbered);
        let open = asked.gate.forget_permits(usize::MAX);
        let ask = || {
            let resolver = asked.resolver.clone();
            tokio::spawn(async move { resolver.find("host.example", 443).await.map(Found::reached) })
        };
        let [first, second, third] = [ask(), ask(), ask()];
        yield_now().await;
        // The one that began it.
        first.abort();
        assert!(first.await.is_err_and(|error| error.is_cancelled()));
        asked.gate.add_permits(open);
        for one in [second, third] {
            one.await.expect("a task").expect("an answer");
        }
        assert_eq!(asked.times(), 1);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_who_wait_and_to_nobody_else() {
        let asked = Asked::answering(|number| match number {
            0 => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
            number => numbered(number),
        });
        let open = asked.gate.forget_permits(usize::MAX);
        let waiting = join_all([(); 3].map(|()| asked.resolver.find("host.example", 443)));
        let (failures, ()) = tokio::join!(waiting, async { asked.gate.add_permits(open) });
        for failure in failures {
            let error = failure.err().expect("a failure");
            assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::NotFound, "no such name"));
        }
        assert_eq!(asked.times(), 1);
        asked.used(Instant::now()).await;
        assert_eq!(asked.times(), 2);
    }

    #[tokio::test]
    async fn an_answer_that_leads_nowhere_is_forgotten_and_a_later_one_is_not() {
        let asked = Asked::answering(numbered);
        let find = async || asked.resolver.find("host.example", 443).await.expect("an answer");
        let (one, another) = (find().await, find().await);
        assert_eq!(asked.times(), 1);
        drop(one);
        find().await.reached();
        assert_eq!(asked.times(), 2);
        // Of the first answer, which is forgotten already.
        drop(another);
        find().await.reached();
        assert_eq!(asked.times(), 2);
    }

    #[tokio::test]
    async fn an_address_is_its_own() {
        let asked = Asked::answering(numbered);
        for (host, expected) in [("192.0.2.7", "192.0.2.7:443"), ("[2001:db8::7]", "[2001:db8::7]:443")] {
            let found = asked.resolver.find(host, 443).await.expect("an address");
            assert_eq!(found.addresses(), [expected.parse().expect("an address")]);
        }
        assert_eq!(asked.times(), 0);
    }

    #[tokio::test]
    async fn names_make_room_for_each_other() {
        let asked = Asked::answering(numbered);
        let begin = Instant::now();
        let find = async |host: usize, now: Instant| {
            let host = format!("{host}.example");
            asked.resolver.find_at(&host, 443, now).await.expect("an answer").reached();
        };
        for host in 0..=CAPACITY {
            find(host, begin + Duration::from_millis(host as u64)).await;
        }
        let count = || asked.resolver.0.questions.lock().expect("nobody panics with it").len();
        assert_eq!((count(), asked.times()), (CAPACITY, CAPACITY + 1));
        // The first had to go, the second had not.
        find(1, begin).await;
        assert_eq!(asked.times(), CAPACITY + 1);
        find(0, begin).await;
        assert_eq!(asked.times(), CAPACITY + 2);
        // What is old goes first.
        find(CAPACITY + 1, begin + 2 * LIFE).await;
        assert_eq!(count(), 1);
    }

    #[tokio::test]
    async fn the_operating_system_is_asked() {
        let found = Resolver::system().find("localhost", 443).await.expect("every system has it");
        assert!(found.addresses().iter().all(|address| address.ip().is_loopback() && address.port() == 443));
        assert!(!found.addresses().is_empty());
    }
}
