//! What a call comes to when the application does not get so far as to answer.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use super::{
    AMPLE, SUNNY, call, pool, route, run,
    server::{Peer, Server, answer},
    sunny, told,
};
use crate::{
    config::Functions,
    dns::Resolver,
    functions::{ExecutorPool, Failure},
};

const BROKEN: &str = "the connection ended before the function's answer did";

#[actix_web::test]
async fn a_connection_that_is_reset_fails_the_call_wherever_it_happens() {
    let parts: [fn(&mut Peer); 4] = [
        |peer| peer.wait_for_request(),
        |peer| assert!(peer.request().is_some()),
        |peer| {
            peer.request();
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n");
        },
        |peer| {
            peer.request();
            peer.send(&answer("200 OK", SUNNY).as_bytes()[..60]);
        },
    ];
    for (nth, part) in parts.into_iter().enumerate() {
        let server = Server::start(move |mut peer| {
            part(&mut peer);
            peer.reset();
        });
        let pool = pool(vec![route(server.url())]);
        assert_eq!(run(&pool).await, Err(BROKEN.to_owned()), "{nth}");
        assert_eq!((server.requests(), server.connections()), (usize::from(nth > 0), 1), "{nth}");
    }
}

#[actix_web::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    let pool = pool(vec![route(url.parse().expect("a url"))]);
    let failure = pool.run(call()).expect("a place").await.expect_err("nobody is there");
    assert_eq!(failure.to_string(), "the function cannot be reached");
    assert!(failure.cause().is_some_and(|cause| cause.to_string().contains("refused")), "{failure:?}");
}

#[actix_web::test]
async fn a_name_that_nobody_has() {
    let lookups: [fn() -> io::Result<Vec<SocketAddr>>; 2] =
        [|| Ok(Vec::new()), || Err(io::Error::other("no such name"))];
    for lookup in lookups {
        let resolver = Resolver::new(AMPLE, move |_, _| async move { lookup() });
        let functions = Functions {
            routes: vec![route("http://nobody.example/".parse().expect("a url"))],
            ..Functions::default()
        };
        let pool = ExecutorPool::start_with(Arc::new(functions), resolver);
        assert_eq!(run(&pool).await, Err("the function cannot be reached".to_owned()));
    }
}

#[actix_web::test]
async fn an_application_that_hangs_is_given_up_and_its_connection_closed() {
    let hang: [&'static [u8]; 3] =
        [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{"];
    let running: Vec<_> = hang
        .into_iter()
        .map(|part| {
            let server = Server::start(move |mut peer| {
                peer.request();
                peer.send(part);
                peer.until_closed();
            });
            let mut route = route(server.url());
            route.timeout = Duration::from_secs(1);
            let pool = pool(vec![route]);
            let running = pool.run(call()).expect("a place");
            (server, pool, running)
        })
        .collect();
    for (mut server, _pool, running) in running {
        assert_eq!(running.await, Err(Failure::TimedOut));
        server.closed(1).await;
        assert_eq!(server.requests(), 1);
    }
}

#[actix_web::test]
async fn a_redirect_is_not_followed() {
    let trap = Server::answering(answer("200 OK", SUNNY));
    for status in [301, 302, 303, 307, 308] {
        let server = Server::answering(format!(
            "HTTP/1.1 {status} Elsewhere\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            trap.url()
        ));
        let pool = pool(vec![route(server.url())]);
        let text = format!("the function answered with status {status}, a redirect, which is not followed");
        assert_eq!(run(&pool).await, Err(text));
        assert_eq!(server.requests(), 1);
    }
    assert_eq!(trap.connections(), 0);
}

#[actix_web::test]
async fn a_hundred_megabytes_are_not_taken() {
    let heads = [
        "HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n\r\n",
    ];
    for head in heads {
        let mut server = Server::start(move |mut peer| {
            peer.request();
            peer.send(head.as_bytes());
            // In chunks of 1 MiB, which also is what the length says.
            let mut chunk = b"100000\r\n".to_vec();
            chunk.resize(chunk.len() + (1 << 20), b' ');
            chunk.extend(b"\r\n");
            if (0..100).all(|_| peer.send(&chunk)) {
                panic!("somebody took it all");
            }
            peer.gone();
        });
        let pool = pool(vec![route(server.url())]);
        let text = match head.contains("404") {
            true => "the function answered with status 404",
            false => "the function's answer is longer than 262144 bytes",
        };
        assert_eq!(run(&pool).await, Err(text.to_owned()));
        server.closed(1).await;
    }
}

#[actix_web::test]
async fn an_application_may_answer_before_it_has_read_everything() {
    let server = Server::start(|mut peer| {
        if peer.connection() == 1 {
            peer.send(answer("413 Too Large", r#"{"error":"too long"}"#).as_bytes());
            // A next request would be read as the rest of this one.
            return peer.until_closed();
        }
        while peer.request().is_some() {
            peer.send(answer("200 OK", SUNNY).as_bytes());
        }
    });
    let pool = pool(vec![route(server.url())]);
    let mut long = call();
    // More than the buffers of two sockets hold.
    long.arguments = "x".repeat(32 << 20);
    assert_eq!(told(&pool, long).await, Err("too long".to_owned()));
    assert_eq!(run(&pool).await, sunny());
    assert_eq!((server.requests(), server.connections()), (1, 2));
}
