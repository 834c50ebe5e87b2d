//! The pool against applications on loopback, each test with the exact outcome and what the server saw.

mod answers;
mod backends;
mod bounds;
mod endpoints;
mod retries;
mod reuse;
mod server;
mod tls;
mod troubles;

use std::{sync::Arc, time::Duration};

use super::{Call, ExecutorPool};
use crate::config::{Functions, Route, Target};

/// More time than any call here needs.
const AMPLE: Duration = Duration::from_secs(60);

/// A route for every function, to `url`, with ample time.
fn route(url: url::Url) -> Route {
    let mut route = Route::new(vec!["*".to_owned()], Target::Url(url));
    route.timeout = AMPLE;
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
        backend: None,
        endpoint: None,
        trace: None,
        traceparent: None,
    }
}

/// What the model is told of `call`: a result, or why there is none.
async fn told(pool: &ExecutorPool, call: Call) -> Result<String, String> {
    pool.run(call).expect("a place").await.map_err(|failure| failure.to_string())
}

/// The same for any call.
async fn run(pool: &ExecutorPool) -> Result<String, String> {
    told(pool, call()).await
}

fn sunny() -> Result<String, String> {
    Ok("sunny".to_owned())
}

const SUNNY: &str = r#"{"content":"sunny"}"#;
