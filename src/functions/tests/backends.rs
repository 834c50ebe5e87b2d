//! Calls of several backends: each runs at its backend's own route, within that route's bounds.

use std::time::Duration;

use super::{
    call, pool, route,
    server::{Server, answer},
    told,
};
use crate::{
    config::Route,
    functions::{Call, Failure},
};

fn of(backend: Option<&str>) -> Call {
    Call { backend: backend.map(str::to_owned), ..call() }
}

fn saying(content: &str) -> Server {
    Server::answering(answer("200 OK", &format!("{{\"content\":\"{content}\"}}")))
}

/// A route for every function of this backend's calls.
fn route_of(backend: &str, server: &Server) -> Route {
    Route { backends: vec![backend.to_owned()], ..route(server.url()) }
}

#[actix_web::test]
async fn a_call_runs_at_the_route_of_its_backend() {
    let (one, two, all) = (saying("one"), saying("two"), saying("all"));
    let pool = pool(vec![route(all.url()), route_of("one", &one), route_of("two", &two)]);
    for (backend, expected) in [
        (Some("one"), "one"),
        (Some("two"), "two"),
        (Some("three"), "all"),
        (None, "all"),
        (Some("one"), "one"),
    ] {
        assert_eq!(told(&pool, of(backend)).await.as_deref(), Ok(expected), "{backend:?}");
    }
    assert_eq!((one.requests(), two.requests(), all.requests()), (2, 1, 2));
}

#[actix_web::test]
async fn a_route_of_another_backend_is_none() {
    let one = saying("one");
    let pool = pool(vec![route_of("one", &one)]);
    for backend in [Some("two"), None] {
        let failure = pool.run(of(backend)).err();
        assert_eq!(failure, Some(Failure::Unknown("look_up".to_owned())), "{backend:?}");
    }
    assert_eq!(one.connections(), 0);
}

#[actix_web::test]
async fn a_call_has_the_bounds_of_its_backends_route() {
    let (talking, silent) =
        (saying("more than ten"), Server::start(|mut peer| while peer.request().is_some() {}));
    let mut bounded = route_of("one", &talking);
    bounded.max_response_bytes = 10;
    let mut hasty = route_of("two", &silent);
    hasty.timeout = Duration::from_millis(50);
    let pool = pool(vec![bounded, hasty, route(talking.url())]);
    for (backend, expected) in [
        ("one", "the function's answer is longer than 10 bytes"),
        ("two", "the function did not answer in time"),
    ] {
        assert_eq!(told(&pool, of(Some(backend))).await, Err(expected.to_owned()), "{backend}");
    }
    assert_eq!(told(&pool, of(None)).await.as_deref(), Ok("more than ten"));
}
