//! Endpoints that clients name: nothing but what the configuration allows is connected to.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use url::{Host, Url};

use super::{
    SUNNY, call, route,
    server::{Server, answer},
    sunny, told,
};
use crate::{
    config::{EndpointHost, Functions, Route},
    dns::Resolver,
    functions::{Call, ExecutorPool},
    translate::functions::Endpoint,
};

const NOT_ALLOWED: &str = "the function is at an address that is not allowed";

fn not_allowed() -> Result<String, String> {
    Err(NOT_ALLOWED.to_owned())
}

fn functions(routes: Vec<Route>, allowed: &[&str]) -> Arc<Functions> {
    let entry = |host: &&str| EndpointHost { host: Host::parse(host).expect("a host"), port: None };
    let allowed_endpoint_hosts = allowed.iter().map(entry).collect();
    Arc::new(Functions { routes, allowed_endpoint_hosts, ..Functions::default() })
}

fn at(url: &str) -> Call {
    let url = Url::parse(url).expect("a url");
    Call { endpoint: Some(Endpoint { url, headers: Vec::new() }), ..call() }
}

/// A resolver that keeps nothing and gives these answers in turn, and then the last; and how often it was asked.
fn resolver(answers: Vec<Vec<SocketAddr>>) -> (Resolver, Arc<Mutex<usize>>) {
    let asked = Arc::<Mutex<usize>>::default();
    let count = Arc::clone(&asked);
    let resolver = Resolver::new(Duration::ZERO, move |_, _| {
        let mut count = count.lock().expect("nobody panics with it");
        let answer = answers.get(*count).or(answers.last()).cloned().unwrap_or_default();
        *count += 1;
        async move { Ok(answer) }
    });
    (resolver, asked)
}

#[actix_web::test]
async fn an_address_that_is_not_public_is_called_only_if_it_is_named_literally() {
    let server = Server::answering(answer("200 OK", SUNNY));
    let port = server.address.port();
    for (host, allowed, expected) in [
        ("localhost", &["localhost"][..], not_allowed()),
        ("localhost", &["127.0.0.1"], sunny()),
        ("127.0.0.1", &[], not_allowed()),
        ("127.0.0.1", &["localhost", "127.0.0.2"], not_allowed()),
        ("127.0.0.1", &["127.0.0.1"], sunny()),
        // Other ways to write it.
        ("2130706433", &[], not_allowed()),
        ("0x7f.1", &[], not_allowed()),
        ("[::ffff:127.0.0.1]", &[], not_allowed()),
        ("[::ffff:127.0.0.1]", &["127.0.0.1"], sunny()),
        ("0.0.0.0", &["127.0.0.1"], not_allowed()),
        ("[::]", &["127.0.0.1"], not_allowed()),
        ("[64:ff9b::127.0.0.1]", &["127.0.0.1"], not_allowed()),
    ] {
        let before = server.connections();
        let pool = ExecutorPool::start(functions(Vec::new(), allowed));
        let outcome = told(&pool, at(&format!("http://{host}:{port}/run"))).await;
        assert_eq!(outcome, expected, "{host} {allowed:?}");
        assert_eq!(server.connections() - before, usize::from(expected.is_ok()), "{host} {allowed:?}");
    }
}

#[actix_web::test]
async fn of_several_addresses_only_those_that_are_allowed_are_tried() {
    let server = Server::answering(answer("200 OK", SUNNY));
    let trap = Server::at("127.0.0.2:0", answer("200 OK", r#"{"content":"secret"}"#));
    for answers in [vec![trap.address, server.address], vec![server.address, trap.address]] {
        let (resolver, asked) = resolver(vec![answers]);
        let pool = ExecutorPool::start_with(functions(Vec::new(), &["app.example", "127.0.0.1"]), resolver);
        assert_eq!(told(&pool, at("http://app.example/run")).await, sunny());
        assert_eq!(*asked.lock().expect("nobody panics with it"), 1);
    }
    let (resolver, _) = resolver(vec![vec![trap.address]]);
    let pool = ExecutorPool::start_with(functions(Vec::new(), &["app.example", "127.0.0.1"]), resolver);
    assert_eq!(told(&pool, at("http://app.example/run")).await, not_allowed());
    assert_eq!((server.requests(), trap.connections()), (2, 0));
}

#[actix_web::test]
async fn a_name_that_changes_its_address_leads_nowhere_else() {
    let server = Server::answering(answer("200 OK", SUNNY));
    let trap = Server::at("127.0.0.2:0", answer("200 OK", r#"{"content":"secret"}"#));
    // The answer to the first question is judged and used; only a next call asks again.
    let (resolver, asked) =
        resolver(vec![vec![server.address], vec![trap.address], vec![server.address], vec![]]);
    let pool = ExecutorPool::start_with(functions(Vec::new(), &["app.example", "127.0.0.1"]), resolver);
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.push(told(&pool, at("http://app.example/run")).await);
    }
    assert_eq!(outcomes, [sunny(), not_allowed(), sunny(), not_allowed()]);
    assert_eq!(*asked.lock().expect("nobody panics with it"), 4);
    assert_eq!((server.requests(), server.connections(), trap.connections()), (2, 1, 0));
}

#[actix_web::test]
async fn a_redirect_of_an_endpoint_leads_nowhere() {
    let trap = Server::at("127.0.0.2:0", answer("200 OK", SUNNY));
    let server = Server::answering(format!(
        "HTTP/1.1 307 Elsewhere\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        trap.url()
    ));
    let pool = ExecutorPool::start(functions(Vec::new(), &["127.0.0.1"]));
    let text = "the function answered with status 307, a redirect, which is not followed";
    assert_eq!(told(&pool, at(server.url().as_str())).await, Err(text.to_owned()));
    assert_eq!(trap.connections(), 0);
}

#[actix_web::test]
async fn a_route_comes_before_an_endpoint() {
    let server = Server::answering(answer("200 OK", SUNNY));
    let trap = Server::answering(answer("200 OK", r#"{"content":"forged"}"#));
    let pool = ExecutorPool::start(functions(vec![route(server.url())], &["127.0.0.1"]));
    assert_eq!(told(&pool, at(trap.url().as_str())).await, sunny());
    assert_eq!((server.requests(), trap.connections()), (1, 0));
}

#[actix_web::test]
async fn a_client_does_not_call_over_a_connection_of_the_operators() {
    let mut server = Server::answering(answer("200 OK", SUNNY));
    let mut own = route(server.url());
    own.names = vec!["own".to_owned()];
    own.headers = [("authorization".to_owned(), "Bearer s3cret".to_owned())].into();
    let pool = ExecutorPool::start(functions(vec![own], &["127.0.0.1"]));
    let mut clients = at(server.url().as_str());
    let headers = &mut clients.endpoint.as_mut().expect("an endpoint").headers;
    headers.push(("x-tenant".to_owned(), "7".to_owned()));
    for _ in 0..2 {
        assert_eq!(told(&pool, Call { name: "own".to_owned(), ..call() }).await, sunny());
        assert_eq!(told(&pool, clients.clone()).await, sunny());
    }
    assert_eq!((server.requests(), server.connections()), (4, 2));
    for _ in 0..2 {
        let (own, clients) = (server.request().await.0, server.request().await.0);
        assert!(own.contains("s3cret") && !own.contains("x-tenant"), "{own}");
        assert!(clients.contains("x-tenant: 7") && !clients.contains("s3cret"), "{clients}");
    }
}
