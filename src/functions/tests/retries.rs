//! How often an application is asked.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    AMPLE, SUNNY, call, pool, route, run,
    server::{Server, answer},
    sunny,
};
use crate::{
    config::{Functions, Route},
    dns::Resolver,
    functions::ExecutorPool,
};

/// A server that answers with each of `answers` in turn, on a new connection each, then with the last; an
/// empty one is a reset.
fn answering(answers: Vec<String>) -> Server {
    Server::start(move |mut peer| {
        peer.request();
        match answers.get(peer.connection() - 1).or(answers.last()).map(String::as_str) {
            Some("") | None => peer.reset(),
            Some(text) => {
                peer.send(text.as_bytes());
            }
        }
    })
}

fn patient(server: &Server, retries: u32) -> Route {
    let mut route = route(server.url());
    route.idempotent = true;
    route.retries = retries;
    route
}

fn all(answers: &[&str]) -> Vec<String> {
    answers
        .iter()
        .map(|&status| if status.is_empty() { String::new() } else { answer(status, SUNNY) })
        .collect()
}

#[actix_web::test]
async fn what_passes_is_retried_with_the_same_key() {
    let mut server = answering(all(&["502 Bad", "503 Later", "504 Slow", "", "200 OK"]));
    let pool = pool(vec![patient(&server, 4)]);
    assert_eq!(run(&pool).await, sunny());
    assert_eq!(server.requests(), 5);
    let mut requests = Vec::new();
    for _ in 0..5 {
        requests.push(server.request().await);
    }
    assert!(requests.iter().all(|request| *request == requests[0]), "{requests:?}");
    assert!(requests[0].0.contains("\r\nidempotency-key: "));
}

#[actix_web::test]
async fn there_are_no_more_retries_than_that() {
    for (status, text) in [
        ("503 Later", "the function answered with status 503"),
        ("", "the connection ended before the function's answer did"),
    ] {
        let server = answering(all(&[status]));
        let pool = pool(vec![patient(&server, 2)]);
        assert_eq!(run(&pool).await, Err(text.to_owned()));
        assert_eq!(server.requests(), 3);
    }
}

#[actix_web::test]
async fn what_is_not_idempotent_is_asked_once() {
    for first in ["503 Later", ""] {
        let server = answering(all(&[first, "200 OK"]));
        let mut route = patient(&server, 4);
        route.idempotent = false;
        let pool = pool(vec![route]);
        assert!(run(&pool).await.is_err());
        assert_eq!(server.requests(), 1);
    }
}

#[actix_web::test]
async fn what_does_not_pass_is_not_retried() {
    for first in ["500 Oh", "501 No", "505 No", "429 Slowly", "408 Late", "302 Elsewhere"] {
        let server = answering(all(&[first, "200 OK"]));
        let pool = pool(vec![patient(&server, 4)]);
        assert!(run(&pool).await.is_err(), "{first}");
        assert_eq!(server.requests(), 1, "{first}");
    }
    for first in [answer("200 OK", "sunny"), "no http\r\n\r\n".to_owned()] {
        let server = answering(vec![first.clone(), answer("200 OK", SUNNY)]);
        let pool = pool(vec![patient(&server, 4)]);
        assert!(run(&pool).await.is_err(), "{first}");
        assert_eq!(server.requests(), 1, "{first}");
    }
}

#[actix_web::test]
async fn an_answer_that_breaks_off_is_retried() {
    let whole = answer("200 OK", SUNNY);
    let server = answering(vec![whole[..whole.len() - 1].to_owned(), whole]);
    let pool = pool(vec![patient(&server, 1)]);
    assert_eq!(run(&pool).await, sunny());
    assert_eq!(server.requests(), 2);
}

#[actix_web::test]
async fn a_server_that_does_not_listen_yet_is_retried() {
    let server = Server::answering(answer("200 OK", SUNNY));
    let dead = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (live, asked) = (server.address, Arc::<AtomicUsize>::default());
    let lookups = Arc::clone(&asked);
    // Where the name leads to changes, as it does when a service moves; what led nowhere is not used again.
    let resolver = Resolver::new(AMPLE, move |_, _| {
        let address: SocketAddr = if lookups.fetch_add(1, Ordering::SeqCst) == 0 { dead } else { live };
        async move { Ok(vec![address]) }
    });
    let mut route = patient(&server, 1);
    route.target = crate::config::Target::Url("http://app.example/run".parse().expect("a url"));
    let functions = Functions { routes: vec![route], ..Functions::default() };
    let pool = ExecutorPool::start_with(Arc::new(functions), resolver);
    assert_eq!(run(&pool).await, sunny());
    assert_eq!((asked.load(Ordering::SeqCst), server.requests()), (2, 1));
}

#[actix_web::test]
async fn retries_end_with_the_deadline_and_tell_what_it_was() {
    let server = answering(all(&["503 Later"]));
    let mut route = patient(&server, 10);
    route.timeout = Duration::from_secs(3);
    let pool = pool(vec![route]);
    // The pauses are 100, 200, 400, 800 and 1600 ms: the last would end after the deadline.
    assert_eq!(run(&pool).await, Err("the function answered with status 503".to_owned()));
    assert!((2..=5).contains(&server.requests()), "{}", server.requests());
}

#[actix_web::test]
async fn all_attempts_together_have_one_deadline() {
    let mut server = Server::start(|mut peer| {
        peer.request();
        if peer.connection() == 1 {
            return peer.reset();
        }
        peer.until_closed();
    });
    let mut route = patient(&server, 10);
    route.timeout = Duration::from_secs(2);
    let pool = pool(vec![route]);
    let running = pool.run(call()).expect("a place");
    let failure = running.await.expect_err("it hangs");
    assert_eq!(failure.to_string(), "the function did not answer in time");
    server.closed(2).await;
    assert_eq!(server.requests(), 2);
}
