//! The HTTP side: one listener, the WebSocket paths of the backends, the function calls of pages, health, and an
//! orderly end.
//!
//! Every worker thread has its own dialers (awc's clients stay on their thread) and shares the
//! generation in force, which is what a configuration comes to, and the list of sessions.

mod body;
mod call_body;
mod call_refusal;
mod client_address;
mod console;
mod credentials;
mod destination;
mod drain;
mod forwarded;
mod function_call;
mod generation;
mod grant;
mod grant_body;
mod head_guard;
mod http;
mod listener;
mod origins;
mod refusal_log;
mod refuse;
mod reload;
mod request;
mod scrape;
mod sessions;
mod shares;
mod upgrade;
mod upgrade_refusal;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use actix_web::{App, dev::Service, http::StatusCode, web};
use futures_util::{Stream, StreamExt, stream};
use rustls::pki_types::UnixTime;
use tokio::{sync::watch, time::sleep};

use crate::{
    actors::OwnListener,
    config::Config,
    simulator,
    tls::{OwnCertificate, Unusable},
};
use destination::Own;
use drain::Ended;
use generation::{Generation, OwnAddress, Worker};
use head_guard::Life;
use listener::{Face, Listener};
use sessions::Sessions;

pub use request::{Request, Reread};

/// How often the files of the certificate are looked at.
const CERTIFICATE_LOOKS: Duration = Duration::from_secs(1);

/// How long the ends of recordings may take to be written when the program ends.
const LAST_LINES: Duration = Duration::from_secs(2);

/// A listener with the configuration it will serve.
pub struct Server {
    config: Config,
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
        Ok(Self { config, simulator, certificate, listener, address, admin })
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
        let Self { config, simulator, mut certificate, listener, address, admin } = self;
        let sessions = Arc::new(Sessions::new());
        let own = Own::new(address, certificate.is_some());
        let own_listener = certificate
            .as_ref()
            .map(|certificate| OwnListener { address: own.address(), tls: certificate.client_config() });
        let own = OwnAddress { own, listener: own_listener };
        let first = Generation::first(config);
        let listener = Listener {
            socket: listener,
            admin: admin.map(|(socket, _)| socket),
            tls: certificate.as_ref().map(OwnCertificate::server_config),
            workers: first.config.server.workers,
            refusals: first.metrics.refusals().clone(),
        };
        let has_admin = listener.admin.is_some();
        let simulator = first.config.simulator.enabled.then_some(simulator);
        let (in_force, generations) = watch::channel(Arc::new(first));
        let shared = Arc::clone(&sessions);
        let server = listener.serve(move |face| {
            let worker = Worker::start(face, own.clone(), generations.clone());
            let mut app = App::new()
                .app_data(web::Data::from(Arc::clone(&shared)))
                .wrap_fn(move |mut request, service| {
                    request.add_data_container(worker.data());
                    let answer = service.call(request);
                    async move {
                        let answer = answer.await?;
                        let life = answer.request().conn_data::<Life>().cloned();
                        Ok(match life {
                            Some(life) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                                answer.map_body(|_, body| life.becomes_websocket(body))
                            }
                            _ => answer,
                        })
                    }
                })
                .default_service(web::to(upgrade::at_its_path));
            if face == Face::Admin || !has_admin {
                app = app.configure(http::probes);
            }
            if face == Face::Admin {
                return app;
            }
            app = app
                .service(function_call::resource())
                .service(grant::resource())
                .service(console::resource());
            app = app.configure(http::routes);
            if let Some(simulator) = simulator.clone() {
                app = app.configure(simulator::configure(simulator));
            }
            app
        })?;
        let handle = server.handle();
        let serving = actix_web::rt::spawn(server);
        certificate.iter().for_each(warn_of_dates);
        let mut requests = pin!(requests.chain(stream::pending()));
        let patience = loop {
            let request = tokio::select! {
                request = requests.next() => request.expect("it is followed by one without an end"),
                () = sleep(CERTIFICATE_LOOKS) => {
                    if let Some(certificate) = &mut certificate {
                        let read = certificate.refresh();
                        log_certificate(certificate, read);
                    }
                    continue;
                }
            };
            let running = Arc::clone(&in_force.borrow());
            match request {
                Request::Drain => break Some(running.config.server.drain_timeout),
                Request::Stop => break None,
                Request::Reload(reread) => {
                    // Also where the configuration is of no use: whoever moves files away says so by this.
                    running.usage_log.reopen();
                    if let Some(next) = reload::next(&running, reread, certificate.as_mut()) {
                        let changes = next.config.changes_since(&running.config);
                        in_force.send_replace(Arc::new(next));
                        log::info!(changes:% = changes; "configuration reloaded");
                    }
                }
            }
        };
        // Until all have gone the listener goes on: a session in its turn may need it, and who asks is told to go away.
        let ended = drain::end(&sessions, patience, &mut requests).await;
        handle.stop(ended == Ended::Orderly).await;
        let served = serving.await;
        let last = in_force.borrow();
        last.usage_log.finish();
        last.recordings.finish(LAST_LINES);
        served.map_err(io::Error::other)?
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
        log::warn!(trouble:% = trouble; "clients refuse a certificate at any other time than its own");
    }
}

/// What came of a look at the files of the certificate. Sessions go on with the one that they began with.
fn log_certificate(certificate: &OwnCertificate, read: Result<bool, Unusable>) {
    match read {
        Ok(false) => (),
        Ok(true) => {
            log::info!("the listener has a new certificate");
            warn_of_dates(certificate);
        }
        Err(unusable) => {
            let reason = unusable.reason();
            log::error!(reason:% = reason; "the listener keeps its certificate, the new one is of no use");
        }
    }
}
