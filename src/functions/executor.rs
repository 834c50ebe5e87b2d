//! The actor that runs calls on a thread of its own: waits for their turn, holds them to their deadline and
//! ends those that nobody waits for. Knows neither sessions nor how an application is asked.

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{
    Call, Failure, Outcome,
    admission::Turn,
    application::{Application, Applications, route_to},
    built_in,
    connections::{Connections, SWEEP},
};
use crate::config::Target;

/// Runs calls, many at a time.
pub(super) struct FunctionExecutor {
    applications: Applications,
    connections: Rc<Connections>,
}

/// A call to be run once its turn comes.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Execute {
    /// What is to be run.
    pub(super) call: Call,
    /// When it is given up.
    pub(super) deadline: Instant,
    /// Its turn, which may be yet to come.
    pub(super) turn: Turn,
    /// Counts it among what this executor has to do.
    pub(super) load: Load,
    /// Where the outcome goes. When the other end is gone, the call is cancelled.
    pub(super) reply: oneshot::Sender<Outcome>,
}

/// One call among those that an executor has to do.
pub(super) struct Load(Arc<AtomicUsize>);

impl Load {
    /// One more in `count`.
    pub(super) fn of(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl FunctionExecutor {
    /// An executor without connections.
    pub(super) fn new(applications: Applications) -> Self {
        Self { applications, connections: Rc::default() }
    }
}

impl Actor for FunctionExecutor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(SWEEP, |executor, _| executor.connections.sweep());
    }
}

impl Handler<Execute> for FunctionExecutor {
    type Result = ();

    fn handle(&mut self, message: Execute, _: &mut Self::Context) {
        let Execute { call, deadline, turn, load, mut reply } = message;
        let applications = self.applications.clone();
        let connections = Rc::clone(&self.connections);
        // A task of its own: what one call does, a panic included, is no other's affair.
        actix::spawn(async move {
            let run = async {
                let _place = turn.comes().await;
                run(&call, deadline, &applications, &connections).await
            };
            let outcome = tokio::select! {
                biased;
                // Whoever asked has cancelled it, and says so in the log, as of every outcome.
                () = reply.closed() => return,
                outcome = timeout_at(deadline, run) => outcome.unwrap_or(Err(Failure::TimedOut)),
            };
            // Whoever hears of the outcome finds the executor done with the call.
            drop(load);
            // Nobody may be there to hear it.
            let _ = reply.send(outcome);
        });
    }
}

async fn run(
    call: &Call,
    deadline: Instant,
    applications: &Applications,
    connections: &Connections,
) -> Outcome {
    let clients;
    let (route, is_clients) =
        match (applications.functions().route(&call.name, call.backend.as_deref()), &call.endpoint) {
            (Some(route), _) => (route, false),
            (None, Some(endpoint)) => {
                clients = route_to(endpoint);
                (&clients, true)
            }
            (None, None) => return Err(Failure::Unknown(call.name.clone())),
        };
    let application = match &route.target {
        Target::BuiltIn(function) => return built_in::run(*function, &call.arguments, SystemTime::now()),
        Target::Url(url) if is_clients => Application::of_client(applications, route, url),
        Target::Url(url) => Application::of_route(applications, route, url),
    };
    application.ask(call, deadline, connections).await
}
