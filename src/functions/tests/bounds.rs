//! How many calls run and wait, what ends them, and that nothing is left of a pool.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use super::{
    AMPLE, SUNNY, call, pool, route, run,
    server::{Seen, Server, answer},
    sunny,
};
use crate::{
    config::{BuiltIn, Functions, Route, Target},
    functions::{Call, ExecutorPool, Failure},
};

/// A door that a script waits at until the test opens it.
#[derive(Clone, Default)]
struct Door(Arc<(Mutex<bool>, Condvar)>);

impl Door {
    fn open(&self) {
        *self.0.0.lock().expect("nobody panics with it") = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let open = self.0.0.lock().expect("nobody panics with it");
        drop(self.0.1.wait_while(open, |open| !*open).expect("nobody panics with it"));
    }
}

/// A server that answers once `door` is open.
fn behind(door: &Door) -> Server {
    let door = door.clone();
    Server::start(move |mut peer| {
        while peer.request().is_some() {
            door.pass();
            peer.send(answer("200 OK", SUNNY).as_bytes());
        }
    })
}

fn bounded(routes: Vec<Route>, max_concurrent: usize, max_queued: usize) -> ExecutorPool {
    ExecutorPool::start(Arc::new(Functions { routes, max_concurrent, max_queued, ..Functions::default() }))
}

fn named(id: &str) -> Call {
    Call { id: id.into(), ..call() }
}

fn id_of(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).expect("json");
    body["id"].as_str().expect("an id").to_owned()
}

#[actix_web::test]
async fn over_the_bounds_a_call_is_refused_at_once() {
    let door = Door::default();
    let mut server = behind(&door);
    let pool = bounded(vec![route(server.url())], 2, 3);
    let admitted: Vec<_> = ["1", "2", "3", "4", "5"].map(|id| pool.run(named(id)).expect("a place")).into();
    for _ in 0..3 {
        assert_eq!(pool.run(call()).err(), Some(Failure::Busy));
    }
    let mut first = [id_of(&server.request().await.1), id_of(&server.request().await.1)];
    first.sort();
    assert_eq!((first, server.requests()), (["1".to_owned(), "2".to_owned()], 2));
    door.open();
    for call in admitted {
        assert_eq!(call.await, Ok("sunny".to_owned()));
    }
    assert_eq!(server.requests(), 5);
    assert_eq!(run(&pool).await, sunny());
}

#[actix_web::test]
async fn calls_run_in_the_order_in_which_they_came() {
    let door = Door::default();
    let mut server = behind(&door);
    let pool = bounded(vec![route(server.url())], 1, 200);
    let calls: Vec<_> = (0..201).map(|nth| pool.run(named(&nth.to_string())).expect("a place")).collect();
    door.open();
    for (nth, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await, Ok("sunny".to_owned()));
        assert_eq!(id_of(&server.request().await.1), nth.to_string());
    }
}

#[actix_web::test]
async fn a_call_that_waits_and_is_cancelled_gives_its_place_back_at_once_and_is_never_sent() {
    let door = Door::default();
    let mut server = behind(&door);
    let pool = bounded(vec![route(server.url())], 1, 1);
    let running = pool.run(named("runs")).expect("a place");
    assert_eq!(id_of(&server.request().await.1), "runs");
    for _ in 0..100 {
        drop(pool.run(named("waits")).expect("a place to wait"));
    }
    let last = pool.run(named("last")).expect("a place to wait");
    assert_eq!(pool.run(call()).err(), Some(Failure::Busy));
    door.open();
    assert_eq!((running.await, last.await), (Ok("sunny".to_owned()), Ok("sunny".to_owned())));
    assert_eq!((id_of(&server.request().await.1), server.requests()), ("last".to_owned(), 2));
}

#[actix_web::test]
async fn a_call_that_runs_and_is_cancelled_closes_its_connection_and_makes_room() {
    let mut server = Server::start(|mut peer| {
        let (_, body) = peer.request().expect("a request");
        match &id_of(&body)[..] {
            "hangs" => peer.until_closed(),
            "breaks off" => {
                peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{");
                peer.until_closed();
            }
            _ => {
                peer.send(answer("200 OK", SUNNY).as_bytes());
            }
        }
    });
    let pool = bounded(vec![route(server.url())], 1, 1);
    for (nth, id) in [(1, "hangs"), (2, "breaks off")] {
        let running = pool.run(named(id)).expect("a place");
        server.request().await;
        drop(running);
        server.closed(nth).await;
    }
    assert_eq!(run(&pool).await, sunny());
}

#[actix_web::test]
async fn the_deadline_counts_while_a_call_waits() {
    let mut server = Server::start(|mut peer| {
        peer.request();
        peer.until_closed();
    });
    let mut hasty = route(server.url());
    hasty.names = vec!["hasty".to_owned()];
    hasty.timeout = Duration::from_millis(100);
    let pool = bounded(vec![hasty, route(server.url())], 1, 1);
    let running = pool.run(call()).expect("a place");
    server.request().await;
    let hasty = Call { name: "hasty".to_owned(), ..call() };
    for _ in 0..2 {
        // It makes room for the next one, too.
        assert_eq!(pool.run(hasty.clone()).expect("a place to wait").await, Err(Failure::TimedOut));
    }
    assert_eq!(server.requests(), 1);
    drop(running);
}

#[actix_web::test]
async fn who_waits_for_a_pool_that_is_gone_is_told() {
    let mut server = Server::start(|mut peer| {
        peer.request();
        peer.until_closed();
    });
    let pool = bounded(vec![route(server.url())], 1, 1);
    let (running, waiting) = (pool.run(call()).expect("a place"), pool.run(call()).expect("a place to wait"));
    server.request().await;
    drop(pool.clone());
    assert_eq!(server.requests(), 1);
    drop(pool);
    assert_eq!((running.await, waiting.await), (Err(Failure::Stopped), Err(Failure::Stopped)));
    while server.next().await != Seen::Closed(1) {}
}

#[actix_web::test]
async fn what_is_run_where() {
    let server = Server::answering(answer("200 OK", SUNNY));
    let mut own = route(server.url());
    own.names = vec!["look_up".to_owned()];
    let time = Route::new(vec!["get_current_time".to_owned()], Target::BuiltIn(BuiltIn::GetCurrentTime));
    let pool = pool(vec![own, time]);
    assert_eq!(run(&pool).await, sunny());
    let of = |name: &str, arguments: &str| {
        pool.run(Call { name: name.to_owned(), arguments: arguments.to_owned(), ..call() })
    };
    assert_eq!(
        of("sing", "{}").err().map(|failure| failure.to_string()).as_deref(),
        Some("there is no function sing")
    );
    let time =
        of("get_current_time", r#"{"timezone":"Asia/Kolkata"}"#).expect("a place").await.expect("the time");
    let time: serde_json::Value = serde_json::from_str(&time).expect("json");
    assert_eq!(time["timezone"], "Asia/Kolkata");
    assert!(time["time"].as_str().is_some_and(|time| time > "2026" && time.ends_with("+05:30")), "{time}");
    assert_eq!(server.requests(), 1);
}

#[actix_web::test]
async fn each_of_many_calls_gets_its_own_result() {
    let server = Server::start(|mut peer| {
        while let Some((_, body)) = peer.request() {
            let id = id_of(&body);
            peer.send(answer("200 OK", &format!(r#"{{"content":"result of {id}"}}"#)).as_bytes());
        }
    });
    let mut route = route(server.url());
    route.timeout = AMPLE;
    let pool = bounded(vec![route], 8, 400);
    let calls: Vec<_> =
        (0..400).map(|nth| (nth, pool.run(named(&nth.to_string())).expect("a place"))).collect();
    for (nth, call) in calls {
        assert_eq!(call.await, Ok(format!("result of {nth}")));
    }
    assert_eq!(server.requests(), 400);
    assert!(server.connections() <= 400);
}
