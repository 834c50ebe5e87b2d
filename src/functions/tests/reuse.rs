//! Which connections are used again, and that no call is lost or answered by it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    AMPLE, SUNNY, call, pool, route, run,
    server::{Seen, Server, answer},
    sunny,
};
use crate::{config::Functions, dns::Resolver, functions::ExecutorPool};

#[actix_web::test]
async fn calls_one_after_another_share_a_connection() {
    let server = Server::answering(answer("200 OK", SUNNY));
    let pool = pool(vec![route(server.url())]);
    for _ in 0..50 {
        assert_eq!(run(&pool).await, sunny());
    }
    assert_eq!((server.requests(), server.connections()), (50, 1));
}

#[actix_web::test]
async fn a_server_that_closes_after_each_answer_without_a_word_loses_no_call() {
    let server = Server::start(|mut peer| {
        peer.request();
        peer.send(answer("200 OK", SUNNY).as_bytes());
        peer.close();
    });
    let pool = pool(vec![route(server.url())]);
    for nth in 0..500 {
        assert_eq!(run(&pool).await, sunny(), "call {nth}");
    }
    assert_eq!((server.requests(), server.connections()), (500, 500));
}

#[actix_web::test]
async fn connections_one_after_another_share_a_look_up() {
    let server = Server::start(|mut peer| {
        peer.request();
        peer.send(answer("200 OK\r\nconnection: close", SUNNY).as_bytes());
        peer.close();
    });
    let (address, asked) = (server.address, Arc::<AtomicUsize>::default());
    let lookups = Arc::clone(&asked);
    let resolver = Resolver::new(AMPLE, move |_, _| {
        lookups.fetch_add(1, Relaxed);
        async move { Ok(vec![address]) }
    });
    let routes = vec![route("http://app.example/run".parse().expect("a url"))];
    let functions = Arc::new(Functions { routes, ..Functions::default() });
    let pool = ExecutorPool::start_with(functions, resolver);
    for _ in 0..3 {
        assert_eq!(run(&pool).await, sunny());
    }
    assert_eq!((asked.load(Relaxed), server.connections()), (1, 3));
}

#[actix_web::test]
async fn a_server_that_takes_its_time_to_close_loses_no_call_either() {
    let server = Server::start(|mut peer| {
        peer.request();
        peer.send(answer("200 OK", SUNNY).as_bytes());
        thread::sleep(Duration::from_millis(5));
        peer.close();
    });
    let pool = pool(vec![route(server.url())]);
    for nth in 0..20 {
        assert_eq!(run(&pool).await, sunny(), "call {nth}");
    }
    assert_eq!((server.requests(), server.connections()), (20, 20));
}

#[actix_web::test]
async fn a_server_that_closes_now_and_then_without_a_word_loses_no_call() {
    // On a machine that is busy the server may come to close only when the next call is under way.
    let late = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&late);
    let server = Server::start(move |mut peer| {
        for _ in 0..3 + peer.connection() % 3 {
            peer.request();
            peer.send(answer("200 OK", SUNNY).as_bytes());
        }
        let answered = Instant::now();
        thread::sleep(Duration::from_millis(1));
        peer.close();
        if answered.elapsed() > Duration::from_millis(15) {
            told.fetch_add(1, Relaxed);
        }
    });
    let pool = pool(vec![route(server.url())]);
    let mut lost = 0;
    for nth in 0..200 {
        match run(&pool).await {
            Err(_) => lost += 1,
            answered => assert_eq!(answered, sunny(), "call {nth}"),
        }
    }
    let late = late.load(Relaxed);
    assert!(lost <= late, "{lost} calls are lost, {late} closes were late");
    assert!((200 - lost..=200).contains(&server.requests()), "{} requests", server.requests());
    assert!((40..=67).contains(&server.connections()), "{} connections", server.connections());
}

#[actix_web::test]
async fn what_comes_behind_an_answer_is_not_the_answer_to_the_next_call() {
    let (go_on, told_to) = mpsc::channel();
    let (done, is_done) = mpsc::channel();
    let told_to = std::sync::Mutex::new(told_to);
    let server = Server::start(move |mut peer| {
        while peer.request().is_some() {
            peer.send(answer("200 OK", SUNNY).as_bytes());
            if peer.connection() == 1 {
                told_to.lock().expect("one connection is told").recv().expect("the test");
                peer.send(answer("200 OK", r#"{"content":"another's"}"#).as_bytes());
                done.send(()).expect("the test");
            }
        }
    });
    let pool = pool(vec![route(server.url())]);
    assert_eq!(run(&pool).await, sunny());
    go_on.send(()).expect("the server");
    is_done.recv().expect("the server");
    assert_eq!(run(&pool).await, sunny());
    assert_eq!((server.requests(), server.connections()), (2, 2));
}

/// What a server does on its first connection once that is not watched any more, seen by a thread that has much else to do: it
/// has heard neither of the bytes nor of the end, which only the kernel knows of.
#[actix_web::test]
async fn what_nobody_has_been_told_of_is_seen_nevertheless() {
    for ends in [true, false] {
        let (done, is_done) = mpsc::channel();
        let (free, is_free) = mpsc::channel::<()>();
        let (blocked, is_blocked) = mpsc::channel();
        let signals = std::sync::Mutex::new((is_blocked, done));
        let server = Server::start(move |mut peer| {
            let mut requests = 0;
            while peer.request().is_some() {
                peer.send(answer("200 OK", SUNNY).as_bytes());
                requests += 1;
                if peer.connection() == 1 && requests == 2 {
                    let signals = signals.lock().expect("one connection comes here");
                    signals.0.recv().expect("the executor's thread");
                    match ends {
                        true => peer.end(),
                        false => {
                            assert!(peer.send(answer("200 OK", r#"{"content":"another's"}"#).as_bytes()))
                        }
                    }
                    signals.1.send(()).expect("the test");
                }
            }
        });
        let pool = pool(vec![route(server.url())]);
        assert_eq!((run(&pool).await, run(&pool).await), (sunny(), sunny()));
        // It is watched for no longer.
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(pool.first_thread().spawn_fn(move || {
            blocked.send(()).expect("the server");
            is_free.recv().expect("the test");
        }));
        is_done.recv().expect("the server");
        let running = pool.run(call()).expect("a place");
        free.send(()).expect("the executor's thread");
        assert_eq!(running.await, Ok("sunny".to_owned()));
        assert_eq!((server.requests(), server.connections()), (3, 2));
    }
}

/// Answers two requests on its first connection and reads a third one there before it
/// closes; answers everything on others.
fn closes_at_the_third_request() -> Server {
    Server::start(|mut peer| {
        let mut requests = 0;
        while peer.request().is_some() {
            requests += 1;
            if peer.connection() == 1 && requests == 3 {
                return peer.close();
            }
            peer.send(answer("200 OK", SUNNY).as_bytes());
        }
    })
}

#[actix_web::test]
async fn what_may_have_been_run_is_not_sent_twice() {
    let server = closes_at_the_third_request();
    let pool = pool(vec![route(server.url())]);
    assert_eq!((run(&pool).await, run(&pool).await), (sunny(), sunny()));
    let broken = "the connection ended before the function's answer did";
    assert_eq!(run(&pool).await, Err(broken.to_owned()));
    assert_eq!((server.requests(), server.connections()), (3, 1));
    assert_eq!(run(&pool).await, sunny());
}

#[actix_web::test]
async fn what_may_be_run_twice_is_sent_again_when_a_kept_connection_breaks() {
    let mut server = closes_at_the_third_request();
    let mut route = route(server.url());
    // Without retries: this is none, the connection was old and not the application at fault.
    route.idempotent = true;
    let pool = pool(vec![route]);
    for _ in 0..3 {
        assert_eq!(run(&pool).await, sunny());
    }
    assert_eq!((server.requests(), server.connections()), (4, 2));
    let mut keys = Vec::new();
    for _ in 0..4 {
        let (head, _) = server.request().await;
        keys.extend(head.lines().filter(|line| line.starts_with("idempotency-key")).map(str::to_owned));
    }
    assert!(keys[2] == keys[3] && keys[0] != keys[1] && keys[1] != keys[2], "{keys:?}");
}

#[actix_web::test]
async fn what_breaks_within_an_answer_is_no_matter_of_a_kept_connection() {
    let server = Server::start(|mut peer| {
        for text in [&answer("200 OK", SUNNY)[..], &answer("200 OK", SUNNY)[..], "HTTP/1.1 200"] {
            peer.request();
            peer.send(text.as_bytes());
        }
        peer.close();
    });
    let mut route = route(server.url());
    route.idempotent = true;
    let pool = pool(vec![route]);
    assert_eq!((run(&pool).await, run(&pool).await), (sunny(), sunny()));
    let broken = "the connection ended before the function's answer did";
    assert_eq!(run(&pool).await, Err(broken.to_owned()));
    assert_eq!((server.requests(), server.connections()), (3, 1));
}

#[actix_web::test]
async fn a_connection_that_nobody_uses_is_closed() {
    let mut server = Server::answering(answer("200 OK", SUNNY));
    let pool = pool(vec![route(server.url())]);
    assert_eq!(run(&pool).await, sunny());
    // After four seconds, which is before servers do it themselves.
    server.closed(1).await;
}

#[actix_web::test]
async fn calls_at_the_same_time_have_a_connection_each() {
    let mut server = Server::start(|mut peer| {
        peer.request();
        peer.until_closed();
    });
    let pool = pool(vec![route(server.url())]);
    let running: Vec<_> = (0..4).map(|_| pool.run(call()).expect("a place")).collect();
    let mut seen = Vec::new();
    while seen.len() < 4 {
        if let Seen::Request(connection, _, _) = server.next().await {
            seen.push(connection);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4]);
    drop(running);
}
