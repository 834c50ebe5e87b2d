//! The listener: HTTP/1.1 on accepted sockets, with or without TLS, behind a guard, and what is kept of each socket. Knows
//! no path and no certificate.
//!
//! `HttpServer` would do as much, but over TLS it offers HTTP/2 before anything else, whose connections carry no
//! upgrade.

use std::{
    convert::Infallible,
    fmt,
    future::ready,
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use actix_http::{HttpService, Request, h1::H1Service};
use actix_server::GracefulShutdownSignal;
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_tls::accept::{
    TlsError, max_concurrent_tls_connect,
    rustls_0_23::{Acceptor, TlsStream},
};
use actix_web::{
    Error,
    body::MessageBody,
    dev::{AppConfig, Extensions, Server, ServiceResponse},
    rt::net::TcpStream,
};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};

use super::head_guard::HeadGuard;
use crate::{actors::ClientSocket, metrics::Refusals};

/// How long a TLS handshake may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a connection may be idle between two requests.
const IDLE: Duration = Duration::from_secs(5);

/// How long the end of a connection may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long what is open may still take when the program stops, seconds.
const SHUTDOWN: u64 = 1;

/// How many handshakes a worker has at a time: as many as connections, of which a handshake is one. With fewer, peers
/// that begin one and say no more would keep everybody out.
const HANDSHAKES: usize = 25_600;

/// What rustls may keep for a peer that does not read, bytes: beside the kernel's buffer, and like it out of reach of an
/// interruption.
const TLS_BUFFER: usize = 16 * 1024;

/// A socket that is bound, and how it is served.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    /// Another one, for the operator alone and never with TLS.
    pub(super) admin: Option<TcpListener>,
    /// With TLS, and how.
    pub(super) tls: Option<ServerConfig>,
    /// Threads; 0: one per core.
    pub(super) workers: usize,
    /// Counts what the guard in front of all paths refuses.
    pub(super) refusals: Refusals,
}

/// Whom a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// Clients.
    Public,
    /// The operator.
    Admin,
}

impl Listener {
    /// Serves what `app` makes, which is called once for each worker and socket. Stops when it is told, not by signals.
    pub(super) fn serve<F, A, S, B>(self, app: F) -> io::Result<Server>
    where
        F: Fn(Face) -> A + Send + Clone + 'static,
        A: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error>
            + 'static,
        S::Service: 'static,
        <S::Service as Service<Request>>::Future: 'static,
        S::InitError: fmt::Debug,
        B: MessageBody + 'static,
    {
        let mut server = Server::build().disable_signals().shutdown_timeout(SHUTDOWN);
        if self.workers > 0 {
            server = server.workers(self.workers);
        }
        let stopping = server.graceful_shutdown_signal();
        let refusals = self.refusals;
        let plain = |face: Face| {
            let (app, stopping, refusals) = (app.clone(), stopping.clone(), refusals.clone());
            move || {
                let http = http(app(face).into_factory(), stopping.clone(), |socket| socket);
                let refusals = refusals.clone();
                let guard = move |socket| ready(Ok(guarded(socket, |socket| socket, &refusals)));
                fn_service(guard).and_then(http)
            }
        };
        if let Some(admin) = self.admin {
            server = server.listen("admin", admin, plain(Face::Admin))?;
        }
        let server = match self.tls {
            None => server.listen("http", self.socket, plain(Face::Public))?,
            Some(config) => {
                max_concurrent_tls_connect(HANDSHAKES);
                server.listen("https", self.socket, move || {
                    let mut acceptor = Acceptor::new(config.clone());
                    acceptor.set_handshake_timeout(PATIENCE);
                    let http = http(app(Face::Public).into_factory(), stopping.clone(), tcp_below);
                    let refusals = refusals.clone();
                    let tuned = move |socket| tuned(socket, &refusals);
                    acceptor.map_err(failed).map(tuned).and_then(http.map_err(|_| ()))
                })?
            }
        };
        Ok(server.run())
    }
}

/// HTTP/1.1 on guarded sockets of one kind; `tcp` is what is below them.
fn http<T, S, B>(
    app: S,
    stopping: GracefulShutdownSignal,
    tcp: fn(&T) -> &TcpStream,
) -> H1Service<
    HeadGuard<T>,
    impl ServiceFactory<
        Request,
        Config = (),
        Response = ServiceResponse<B>,
        Error = Error,
        InitError = S::InitError,
    >,
    B,
>
where
    S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error>,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::InitError: fmt::Debug,
    B: MessageBody + 'static,
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    HttpService::build()
        .graceful_shutdown_signal(move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        })
        // The guard's affair.
        .client_request_timeout(Duration::ZERO)
        .keep_alive(IDLE)
        .client_disconnect_timeout(FAREWELL)
        .on_connect_ext(move |guard: &HeadGuard<T>, data: &mut Extensions| {
            keep_socket(tcp(guard.io()), data);
            data.insert(guard.life());
        })
        .h1(map_config(app, |()| AppConfig::default()))
}

/// Keeps a duplicate of each accepted socket where the upgrade can find it.
fn keep_socket(socket: &TcpStream, data: &mut Extensions) {
    match ClientSocket::duplicate(socket) {
        Ok(duplicate) => {
            data.insert(duplicate);
        }
        Err(error) => log::warn!(error:% = error; "a socket cannot be duplicated"),
    }
}

/// A connection after its handshake, and whose it is.
fn tuned(
    mut socket: TlsStream<TcpStream>,
    refusals: &Refusals,
) -> (HeadGuard<TlsStream<TcpStream>>, Option<SocketAddr>) {
    bound(&mut socket);
    guarded(socket, tcp_below, refusals)
}

/// A connection that speaks HTTP from now on, and whose it is; `tcp` is what is below it.
fn guarded<T>(
    socket: T,
    tcp: fn(&T) -> &TcpStream,
    refusals: &Refusals,
) -> (HeadGuard<T>, Option<SocketAddr>) {
    let peer = tcp(&socket).peer_addr().ok();
    (HeadGuard::new(socket, peer, refusals.clone()), peer)
}

fn bound<T>(socket: &mut TlsStream<T>) {
    let (_, tls) = socket.get_mut();
    tls.set_buffer_limit(Some(TLS_BUFFER));
}

fn tcp_below(socket: &TlsStream<TcpStream>) -> &TcpStream {
    socket.get_ref().0
}

/// What is not TLS, TLS of another time, or too slow is everyday life of a port that others can reach.
fn failed(error: TlsError<io::Error, Infallible>) {
    match error {
        TlsError::Timeout => log::debug!("a tls handshake took too long"),
        TlsError::Tls(error) => log::debug!(error:% = error; "a tls handshake failed"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;
    use rustls::pki_types::ServerName;
    use tempfile::TempDir;
    use tokio::{
        io::{AsyncWriteExt, duplex},
        join,
    };
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;
    use crate::tls::{CertificateFiles, OwnCertificate};

    fn certificate() -> OwnCertificate {
        let directory = TempDir::new().expect("a directory");
        let new = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let file = |name: &str, text: String| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).expect("it can be written");
            path.to_str().expect("a path in utf-8").to_owned()
        };
        let certificate = file("cert.pem", new.cert.pem());
        let key = file("key.pem", new.signing_key.serialize_pem());
        OwnCertificate::read(CertificateFiles { certificate, key }).expect("they belong together")
    }

    #[actix_web::test]
    async fn little_is_kept_for_a_peer_that_does_not_read() {
        const PIPE: usize = 1024;
        let certificate = certificate();
        let (near, far) = duplex(PIPE);
        let name = ServerName::try_from("localhost").expect("a name");
        let (server, client) = join!(
            TlsAcceptor::from(Arc::new(certificate.server_config())).accept(near),
            TlsConnector::from(certificate.client_config()).connect(name, far)
        );
        let _client = client.expect("the server is known");
        let mut server = TlsStream::from(server.expect("a handshake"));
        bound(&mut server);
        let mut taken = 0;
        while let Some(written) = (*server).write(&[0; PIPE]).now_or_never() {
            taken += written.expect("the peer is there");
        }
        assert!((TLS_BUFFER / 2..=TLS_BUFFER + PIPE).contains(&taken), "{taken} bytes were taken");
    }
}
