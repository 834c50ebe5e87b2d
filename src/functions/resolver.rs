//! Looks host names up. Knows nothing of who may be called.

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};

use url::Host;

type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks host names up.
#[derive(Clone)]
pub(super) struct Resolver(Arc<dyn Fn(String, u16) -> Lookup + Send + Sync>);

impl Resolver {
    /// What the operating system says.
    pub(super) fn system() -> Self {
        Self::new(|name, port| async move { Ok(tokio::net::lookup_host((name, port)).await?.collect()) })
    }

    /// What `lookup` says of a name and a port.
    pub(super) fn new<F>(lookup: impl Fn(String, u16) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |name, port| Box::pin(lookup(name, port))))
    }

    /// The addresses of `host`, each with `port`; an address is its own.
    pub(super) async fn addresses(&self, host: &Host, port: u16) -> io::Result<Vec<SocketAddr>> {
        match host {
            Host::Domain(name) => self.0(name.clone(), port).await,
            Host::Ipv4(address) => Ok(vec![SocketAddr::from((*address, port))]),
            Host::Ipv6(address) => Ok(vec![SocketAddr::from((*address, port))]),
        }
    }
}
