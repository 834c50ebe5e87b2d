//! What a configuration comes to while it is in force: once for the process, and from that once for each worker. Requests
//! are served with the generation that is in force when they come; sessions keep what they began with.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use actix_web::{dev::Extensions, rt, web};
use tokio::sync::watch;

use super::{
    body::Readers,
    client_address::TrustedProxies,
    destination::{Destinations, Own},
    listener::Face,
    origins::Origins,
    scrape::Scrapes,
    upgrade::Door,
};
use crate::{
    actors::{BackendRuntime, Budget, Dialer, OwnListener},
    config::{Backend, Config, Route},
    functions::ExecutorPool,
    gate::Limits,
    identity::Identities,
    metrics::{FunctionMetrics, Metrics},
    recording::{RecordingSettings, Recordings},
    usage_log::UsageLog,
};

/// A configuration in force.
pub(super) struct Generation {
    pub(super) config: Arc<Config>,
    identities: Arc<Identities>,
    functions: ExecutorPool,
    /// One for all generations.
    budget: Arc<Budget>,
    /// The same of those.
    readers: Arc<Readers>,
    /// And of these.
    pub(super) metrics: Arc<Metrics>,
    /// Names apart what the routes of this configuration name.
    function_metrics: FunctionMetrics,
    scrapes: Arc<Scrapes>,
    /// And of this.
    pub(super) usage_log: UsageLog,
    /// And of these.
    pub(super) recordings: Recordings,
    /// How sessions are recorded that begin with it.
    recording: Option<Arc<RecordingSettings>>,
}

impl Generation {
    /// The first one. An actix system has to be running.
    pub(super) fn first(config: Config) -> Self {
        let budget = Arc::new(Budget::new(config.process.bytes));
        let metrics = Arc::new(Metrics::new());
        Self {
            function_metrics: counted(&metrics, &config),
            scrapes: Arc::new(Scrapes::new(Arc::clone(&metrics), Arc::clone(&budget))),
            metrics,
            identities: Arc::new(Identities::new(&config.auth)),
            functions: ExecutorPool::start(Arc::clone(&config.functions)),
            readers: Arc::new(Readers::new(Arc::clone(&budget))),
            budget,
            usage_log: UsageLog::start(config.logging.usage_log.clone()),
            recordings: Recordings::default(),
            recording: RecordingSettings::of(&config.logging),
            config: Arc::new(config),
        }
        .recording()
    }

    /// The same with the thread that writes recordings, if there are to be any.
    fn recording(self) -> Self {
        if self.recording.is_some() {
            self.recordings.start();
        }
        self
    }

    /// The one of another configuration, with what it has in common with this one: the memory of tokens that were used,
    /// the budget, the usage log, and the threads of functions where they are configured alike.
    pub(super) fn next(&self, config: Config) -> Self {
        let functions = if config.functions == self.config.functions {
            self.functions.clone()
        } else {
            ExecutorPool::start(Arc::clone(&config.functions))
        };
        let readers = Arc::clone(&self.readers);
        let identities = Arc::new(self.identities.renewed(&config.auth));
        let budget = Arc::clone(&self.budget);
        budget.resize(config.process.bytes);
        let usage_log = self.usage_log.clone();
        usage_log.write_to(config.logging.usage_log.clone());
        let (metrics, scrapes) = (Arc::clone(&self.metrics), Arc::clone(&self.scrapes));
        let function_metrics = counted(&metrics, &config);
        Self {
            identities,
            functions,
            budget,
            readers,
            metrics,
            function_metrics,
            scrapes,
            usage_log,
            recordings: self.recordings.clone(),
            recording: RecordingSettings::of(&config.logging),
            config: Arc::new(config),
        }
        .recording()
    }
}

/// Has the series of everything that is configured, and gives those of functions.
fn counted(metrics: &Metrics, config: &Config) -> FunctionMetrics {
    for backend in &config.backends {
        metrics.backend(&backend.name);
    }
    let names = config.functions.routes.iter().flat_map(|route| &route.names).map(String::as_str);
    metrics.functions(names.filter(|name| *name != Route::ANY))
}

/// The doors of the backends, by path.
#[derive(Default)]
pub(super) struct Doors(HashMap<String, Rc<Door>>);

impl Doors {
    fn new(generation: &Generation, own: &OwnAddress) -> Self {
        let mut doors = HashMap::new();
        for backend in &generation.config.backends {
            let door = Rc::new(Door {
                runtime: runtime(backend, generation, own.listener.as_ref()),
                destinations: Destinations::new(backend, own.own),
            });
            doors.extend(backend.served_paths().map(|path| (path.into(), Rc::clone(&door))));
        }
        Self(doors)
    }

    /// What is behind a path, with the path as it is configured.
    pub(super) fn at(&self, path: &str) -> Option<(&str, &Door)> {
        self.0.get_key_value(path).map(|(path, door)| (path.as_str(), &**door))
    }
}

fn runtime(backend: &Backend, generation: &Generation, own: Option<&OwnListener>) -> BackendRuntime {
    let Generation {
        config,
        functions,
        budget,
        metrics,
        function_metrics,
        usage_log,
        recordings,
        recording,
        ..
    } = generation;
    let limits = &backend.limits;
    BackendRuntime {
        dialer: Rc::new(Dialer::new(backend, own)),
        backend: Arc::new(backend.clone()),
        limits: Limits::new(backend, config.functions.client_timeout),
        max_client_message: limits.max_message_bytes,
        max_upstream_message: limits.max_upstream_message_bytes,
        functions: functions.clone(),
        budget: Arc::clone(budget),
        log_content: config.logging.log_content,
        metrics: metrics.backend(&backend.name),
        function_metrics: function_metrics.clone(),
        usage_log: usage_log.clone(),
        recordings: recordings.clone(),
        recording: recording.clone(),
    }
}

/// Where our own listener is, and how it is dialled.
#[derive(Clone)]
pub(super) struct OwnAddress {
    pub(super) own: Own,
    /// Where it takes a client of its own.
    pub(super) listener: Option<OwnListener>,
}

/// A worker's side of the generation in force: awc's clients stay on their thread.
pub(super) struct Worker {
    face: Face,
    own: OwnAddress,
    current: RefCell<Current>,
}

struct Current {
    generations: watch::Receiver<Arc<Generation>>,
    /// What handlers find as `web::Data`.
    data: Rc<Extensions>,
}

impl Worker {
    /// The side of this thread, which lets go of a generation as soon as it is over.
    pub(super) fn start(
        face: Face,
        own: OwnAddress,
        generations: watch::Receiver<Arc<Generation>>,
    ) -> Rc<Self> {
        let mut changes = generations.clone();
        let data = Rc::new(data(&generations.borrow(), face, &own));
        let worker = Rc::new(Self { face, own, current: RefCell::new(Current { generations, data }) });
        let weak = Rc::downgrade(&worker);
        rt::spawn(async move {
            while changes.changed().await.is_ok() {
                let Some(worker) = weak.upgrade() else { return };
                worker.data();
            }
        });
        worker
    }

    /// What a request is served with that comes now.
    pub(super) fn data(&self) -> Rc<Extensions> {
        let Current { generations, data: current } = &mut *self.current.borrow_mut();
        // Without a sender the program ends.
        if generations.has_changed().unwrap_or(false) {
            let generation = Arc::clone(&generations.borrow_and_update());
            *current = Rc::new(data(&generation, self.face, &self.own));
        }
        Rc::clone(current)
    }
}

fn data(generation: &Generation, face: Face, own: &OwnAddress) -> Extensions {
    let Generation { config, identities, functions, readers, metrics, function_metrics, scrapes, .. } =
        generation;
    let doors = match face {
        Face::Public => Doors::new(generation, own),
        Face::Admin => Doors::default(),
    };
    let mut data = Extensions::new();
    data.insert(web::Data::from(Arc::clone(config)));
    data.insert(web::Data::from(Arc::clone(identities)));
    data.insert(web::Data::from(Arc::clone(readers)));
    data.insert(web::Data::new(functions.clone()));
    data.insert(web::Data::from(Arc::clone(metrics)));
    data.insert(web::Data::new(function_metrics.clone()));
    data.insert(web::Data::from(Arc::clone(scrapes)));
    data.insert(web::Data::new(Origins::new(&config.auth)));
    data.insert(web::Data::new(TrustedProxies::new(&config.server.trusted_proxies)));
    data.insert(web::Data::new(doors));
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn the_budget_has_the_size_of_the_configuration_in_force_and_what_is_held_stays_held() {
        let config = |bytes: usize| {
            let text = format!("[limits]\nprocess_bytes = {bytes}\n{BACKEND}");
            Config::from_toml("my.toml", &text, []).expect("a configuration")
        };
        let first = Generation::first(config(8 << 20));
        first.budget.take(1_000);
        let next = first.next(config(2 << 20));
        assert_eq!((next.budget.limit(), next.budget.held()), (2 << 20, 1_000));
    }

    const BACKEND: &str =
        "[[backends]]\nname = \"a\"\nkind = \"openai-realtime\"\npath = \"/a\"\nurl = \"wss://h\"\n";
}
