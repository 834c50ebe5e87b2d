//! The pool against applications on loopback, each test with the exact outcome and what the server saw.

mod answers;
mod server;

use std::{sync::Arc, time::Duration};

use super::{Call, ExecutorPool, Outcome};
use crate::config::{Functions, Route, Target};

/// A route for every function, to `url`, with much time.
fn route(url: url::Url) -> Route {
    let mut route = Route::new(vec!["*".to_owned()], Target::Url(url));
    route.timeout = Duration::from_secs(60);
    route
}

/// A pool with these routes.
fn pool(routes: Vec<Route>) -> ExecutorPool {
    ExecutorPool::start(Arc::new(Functions { routes, ..Functions::default() }))
}

/// A call of a function that the applications here know.
fn call() -> Call {
    Call {
        id: "call_1".into(),
        name: "look_up".to_owned(),
        arguments: "{}".to_owned(),
        endpoint: None,
        traceparent: None,
    }
}

/// What becomes of a call.
async fn run(pool: &ExecutorPool) -> Outcome {
    pool.run(call()).expect("a place").await
}
