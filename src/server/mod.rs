//! The HTTP side: one listener, the WebSocket paths of the backends, the function calls of pages, health, and an
//! orderly end.
//!
//! Every worker thread has its own dialers (awc's clients stay on their thread) and shares the
//! configuration and the list of sessions.

mod body;
mod call_body;
mod call_refusal;
mod client_address;
mod credentials;
mod destination;
mod drain;
mod forwarded;
mod function_call;
mod grant;
mod grant_body;
mod head_guard;
mod http;
mod listener;
mod origins;
mod refusal_log;
mod request;
mod sessions;
mod shares;
mod upgrade;
mod upgrade_refusal;

use std::{
    future::pending,
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_web::{App, web};
use futures_util::{Stream, StreamExt, stream};
use rustls::pki_types::UnixTime;

use crate::{
    actors::{BackendRuntime, Budget, Dialer, OwnListener},
    config::{Backend, Config},
    functions::ExecutorPool,
    gate::Limits,
    identity::Identities,
    simulator,
    tls::OwnCertificate,
};
use body::Readers;
use client_address::TrustedProxies;
use destination::{Destinations, Own};
use drain::Ended;
use listener::{Face, Listener};
use origins::Origins;
use sessions::Sessions;
use upgrade::Door;

pub use request::Request;

/// How often the files of the certificate are looked at.
const CERTIFICATE_LOOKS: Duration = Duration::from_secs(1);

/// A listener with the configuration it will serve.
pub struct Server {
    config: Arc<Config>,
    simulator: simulator::Options,
    certificate: Option<OwnCertificate>,
    listener: TcpListener,
    address: SocketAddr,
    admin: Option<(TcpListener, SocketAddr)>,
}

impl Server {
    /// Binds the configured addresses. Fails if one is taken or no address of this machine, if an option
    /// of a simulator is wrong, or if the certificate cannot be used any more.
    pub fn bind(config: Config) -> io::Result<Self> {
        let simulator = simulator::Options::parse(&config.simulator.openai, &config.simulator.deepgram)
            .map_err(|reason| io::Error::new(io::ErrorKind::InvalidInput, reason))?;
        let certificate = config.server.tls.clone().map(OwnCertificate::read).transpose();
        let certificate = certificate
            .map_err(|unusable| io::Error::new(io::ErrorKind::InvalidInput, unusable.reason().to_owned()))?;
        let host = config.server.host.as_str();
        let (listener, address) = bound(host, config.server.port)?;
        let admin = config.server.admin_port.map(|port| bound(host, port)).transpose()?;
        Ok(Self { config: Arc::new(config), simulator, certificate, listener, address, admin })
    }

    /// Where it listens; the port is the real one, also where port 0 is configured.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where probes are answered, if that is not where clients connect.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(_, address)| *address)
    }

    /// Serves until `requests` asks for the end, then ends every session and returns. If they end, nobody asks any more.
    pub async fn run(self, requests: impl Stream<Item = Request>) -> io::Result<()> {
        let Self { config, simulator, certificate, listener, address, admin } = self;
        let sessions = Arc::new(Sessions::new());
        let shared = Arc::clone(&sessions);
        let workers = config.server.workers;
        let patience = config.server.drain_timeout;
        let origins = web::Data::new(Origins::new(&config.auth));
        let identities = web::Data::new(Identities::new(&config.auth));
        let budget = Arc::new(Budget::new(config.process.bytes));
        let proxies = web::Data::new(TrustedProxies::new(&config.server.trusted_proxies));
        let functions = ExecutorPool::start(Arc::clone(&config.functions));
        let readers = web::Data::new(Readers::new(config.limits.max_message_bytes));
        let own = Own::new(address, certificate.is_some());
        let own_listener = certificate
            .as_ref()
            .map(|certificate| OwnListener { address: own.address(), tls: certificate.client_config() });
        let listener = Listener {
            socket: listener,
            admin: admin.map(|(socket, _)| socket),
            tls: certificate.as_ref().map(OwnCertificate::server_config),
            workers,
        };
        let has_admin = listener.admin.is_some();
        let server = listener.serve(move |face| {
            let mut app = App::new()
                .app_data(web::Data::from(Arc::clone(&shared)))
                .app_data(web::Data::from(Arc::clone(&config)))
                .app_data(origins.clone())
                .app_data(identities.clone())
                .app_data(proxies.clone())
                .app_data(web::Data::new(functions.clone()))
                .app_data(readers.clone())
                .default_service(web::to(http::not_found));
            if face == Face::Admin || !has_admin {
                app = app.configure(http::probes);
            }
            if face == Face::Admin {
                return app;
            }
            app = app.service(function_call::resource()).configure(http::routes);
            if identities.can_grant() {
                app = app.service(grant::resource());
            }
            for backend in &config.backends {
                let door = Rc::new(Door {
                    runtime: runtime(backend, &config, (&functions, &budget), own_listener.as_ref()),
                    destinations: Destinations::new(backend, own),
                });
                for path in backend.served_paths() {
                    app = app.service(upgrade::resource(&path, Rc::clone(&door)));
                }
            }
            if config.simulator.enabled {
                app = app.configure(simulator::configure(simulator.clone()));
            }
            app
        })?;
        let handle = server.handle();
        let serving = actix_web::rt::spawn(server);
        let mut requests = pin!(requests.chain(stream::pending()));
        let asked = async { requests.next().await.expect("it is followed by one without an end") };
        let request = tokio::select! {
            request = asked => request,
            () = keep_current(certificate) => unreachable!("it has no end"),
        };
        // Until all have gone the listener goes on: a session in its turn may need it, and who asks is told to go away.
        let ended = drain::end(&sessions, request, patience, &mut requests).await;
        handle.stop(ended == Ended::Orderly).await;
        serving.await.map_err(io::Error::other)?
    }
}

/// A socket at this address, and the address, whose port is the real one.
fn bound(host: &str, port: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let bind = || {
        let listener = TcpListener::bind((host, port))?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|error: io::Error| io::Error::new(error.kind(), format!("{host}:{port}: {error}")))
}

fn warn_of_dates(certificate: &OwnCertificate) {
    if let Some(trouble) = certificate.trouble(UnixTime::now()) {
        log::warn!("{trouble}: clients refuse a certificate at any other time than its own");
    }
}

/// Looks after the certificate for as long as it is awaited. Sessions go on with what they began with.
async fn keep_current(certificate: Option<OwnCertificate>) {
    let Some(mut certificate) = certificate else { return pending().await };
    warn_of_dates(&certificate);
    loop {
        tokio::time::sleep(CERTIFICATE_LOOKS).await;
        match certificate.refresh() {
            Ok(false) => (),
            Ok(true) => {
                log::info!("the listener has a new certificate");
                warn_of_dates(&certificate);
            }
            Err(unusable) => {
                log::error!(
                    "the listener keeps its certificate, the new one is of no use: {}",
                    unusable.reason()
                );
            }
        }
    }
}

fn runtime(
    backend: &Backend,
    config: &Config,
    (functions, budget): (&ExecutorPool, &Arc<Budget>),
    own: Option<&OwnListener>,
) -> BackendRuntime {
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
    }
}
