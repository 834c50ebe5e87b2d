//! The connections of one executor: makes them, verified where they are TLS, and keeps them for a while for
//! the next call to the same place. Knows nothing of calls.

use std::{cell::RefCell, collections::HashMap, io, net::SocketAddr, sync::Arc, time::Duration};

use actix_tls::connect::{
    ConnectError, ConnectInfo, Connection as Connected, Host, rustls_0_23::TlsConnector, tcp::TcpConnector,
};
use actix_web::dev::Service;
use rustls::ClientConfig;
use tokio::{net::TcpStream, time::timeout};

use super::{
    Failure,
    connection::{Connection, Key, Stream},
    failure::Cause,
};

/// How often connections that nobody has used are looked for.
pub(super) const SWEEP: Duration = Duration::from_secs(1);

/// How long one address may take to answer, so that a second one has its turn within a deadline.
const DIAL: Duration = Duration::from_secs(5);

/// Connections that wait for a next call.
#[derive(Default)]
pub(super) struct Connections {
    idle: RefCell<HashMap<Arc<Key>, Vec<Connection>>>,
}

impl Connections {
    /// One that leads to `key` and can be used.
    pub(super) async fn take(&self, key: &Key) -> Option<Connection> {
        loop {
            // The one used last is the one least likely to be closed soon.
            let mut connection = self.idle.borrow_mut().get_mut(key)?.pop()?;
            if connection.is_usable().await {
                return Some(connection);
            }
        }
    }

    /// Keeps `connection` for a next call.
    pub(super) fn keep(&self, connection: Connection) {
        self.idle.borrow_mut().entry(Arc::clone(connection.key())).or_default().push(connection);
    }

    /// Closes those that have been kept for long enough.
    pub(super) fn sweep(&self) {
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain(|connection| !connection.is_old());
            !connections.is_empty()
        });
    }
}

/// Connects to the first of `addresses` that takes the connection, with TLS if there is a configuration for it.
pub(super) async fn dial(
    key: &Arc<Key>,
    addresses: &[SocketAddr],
    tls: Option<Arc<ClientConfig>>,
) -> Result<Connection, Failure> {
    let unreachable = |what: &str| Failure::Unreachable(Cause::new(key, &what));
    let mut failure = unreachable("the name has no address");
    for &address in addresses {
        failure = match timeout(DIAL, dial_one(key, address, tls.clone())).await {
            Ok(Ok(io)) => return Ok(Connection::new(io, Arc::clone(key))),
            Ok(Err(error)) if is_refused_certificate(&error) => {
                return Err(Failure::Untrusted(Cause::new(key, &error)));
            }
            Ok(Err(error)) => unreachable(&error.to_string()),
            Err(_) => unreachable("no connection in time"),
        };
    }
    Err(failure)
}

async fn dial_one(
    key: &Key,
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
) -> io::Result<Box<dyn Stream>> {
    let info = ConnectInfo::with_addr(ServerName::of(key), address);
    let connection = TcpConnector::default().service().call(info).await;
    let connection: Connected<ServerName, TcpStream> = connection.map_err(|error| match error {
        ConnectError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    })?;
    connection.io_ref().set_nodelay(true)?;
    match tls {
        None => Ok(Box::new(connection.into_parts().0)),
        Some(config) => {
            let connection = TlsConnector::service(config).call(connection).await?;
            Ok(Box::new(connection.into_parts().0))
        }
    }
}

fn is_refused_certificate(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(error, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented))
}

/// The name that a server's certificate has to be for.
struct ServerName(String);

impl ServerName {
    fn of(key: &Key) -> Self {
        Self(match &key.host {
            url::Host::Domain(name) => name.clone(),
            // Certificates know addresses without the brackets that URLs have.
            url::Host::Ipv4(address) => address.to_string(),
            url::Host::Ipv6(address) => address.to_string(),
        })
    }
}

impl Host for ServerName {
    fn hostname(&self) -> &str {
        &self.0
    }
}
