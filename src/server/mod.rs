//! The HTTP side: one listener, the WebSocket paths of the backends, the function calls of pages, health, and an
//! orderly end.
//!
//! Every worker thread has its own dialers (awc's clients stay on their thread) and shares the
//! configuration and the list of sessions.

mod call_body;
mod call_refusal;
mod destination;
mod function_call;
mod http;
mod origins;
mod sessions;
mod upgrade;

use std::{
    any::Any,
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_web::{App, HttpServer, dev::Extensions, rt::net::TcpStream, web};

use crate::{
    actors::{BackendRuntime, ClientSocket, Dialer},
    config::{Backend, Config},
    functions::ExecutorPool,
    gate::Limits,
    simulator,
};
use call_body::Readers;
use destination::Destinations;
use origins::Origins;
use sessions::Sessions;
use upgrade::Door;

/// How long live sessions have for their close frames when the program stops.
const GOODBYE: Duration = Duration::from_secs(5);

/// A listener with the configuration it will serve.
pub struct Server {
    config: Arc<Config>,
    simulator: simulator::Options,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Binds the configured address. Fails if it is taken or no address of this machine, or if an option
    /// of a simulator is wrong.
    pub fn bind(config: Config) -> io::Result<Self> {
        let simulator = simulator::Options::parse(&config.simulator.openai, &config.simulator.deepgram)
            .map_err(|reason| io::Error::new(io::ErrorKind::InvalidInput, reason))?;
        let listener = TcpListener::bind((config.server.host.as_str(), config.server.port))?;
        let address = listener.local_addr()?;
        Ok(Self { config: Arc::new(config), simulator, listener, address })
    }

    /// Where it listens; the port is the real one, also where port 0 is configured.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready, then ends every session and returns.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let Self { config, simulator, listener, address } = self;
        let sessions = Arc::new(Sessions::new(config.server.max_sessions));
        let shared = Arc::clone(&sessions);
        let workers = config.server.workers;
        let origins = web::Data::new(Origins::new(config.auth.allowed_origins.clone()));
        let functions = ExecutorPool::start(Arc::clone(&config.functions));
        let readers = web::Data::new(Readers::new(config.limits.max_message_bytes));
        let mut server = HttpServer::new(move || {
            let mut app = App::new()
                .app_data(web::Data::from(Arc::clone(&shared)))
                .app_data(web::Data::from(Arc::clone(&config)))
                .app_data(origins.clone())
                .app_data(web::Data::new(functions.clone()))
                .app_data(readers.clone())
                .service(function_call::resource())
                .configure(http::routes);
            for backend in &config.backends {
                let door = Rc::new(Door {
                    runtime: runtime(backend, &config, &functions),
                    destinations: Destinations::new(backend, address),
                });
                for path in backend.served_paths() {
                    app = app.service(upgrade::resource(&path, Rc::clone(&door)));
                }
            }
            if config.simulator.enabled {
                app = app.configure(simulator::configure(simulator.clone()));
            }
            app
        })
        .on_connect(keep_socket)
        .disable_signals()
        .shutdown_timeout(1);
        if workers > 0 {
            server = server.workers(workers);
        }
        let server = server.listen(listener)?.run();
        let handle = server.handle();
        let serving = actix_web::rt::spawn(server);
        stop.await;
        log::info!("stopping, {} sessions are open", sessions.len());
        sessions.end_all(GOODBYE).await;
        handle.stop(true).await;
        serving.await.map_err(io::Error::other)?
    }
}

/// Keeps a duplicate of each accepted socket where the upgrade can find it.
fn keep_socket(socket: &dyn Any, data: &mut Extensions) {
    let Some(socket) = socket.downcast_ref::<TcpStream>() else { return };
    match ClientSocket::duplicate(socket) {
        Ok(duplicate) => {
            data.insert(duplicate);
        }
        Err(error) => log::warn!("a socket cannot be duplicated: {error}"),
    }
}

fn runtime(backend: &Backend, config: &Config, functions: &ExecutorPool) -> BackendRuntime {
    let limits = &backend.limits;
    BackendRuntime {
        dialer: Rc::new(Dialer::new(backend)),
        backend: Arc::new(backend.clone()),
        limits: Limits {
            before_ready: limits.before_ready_bytes,
            leg: limits.leg_bytes,
            settings_timeout: limits.settings_timeout,
            idle_timeout: limits.idle_timeout,
            max_session: limits.max_session,
            slow_leg_timeout: limits.slow_client_timeout,
            call_timeout: config.functions.client_timeout,
        },
        max_client_message: limits.max_message_bytes,
        max_upstream_message: limits.max_upstream_message_bytes,
        functions: functions.clone(),
        log_content: config.logging.log_content,
    }
}
